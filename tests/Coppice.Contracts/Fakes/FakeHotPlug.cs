using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// Disks that come to and leave the processes of a <see cref="FakeHost"/>. A guest formats a disk that it is shown: from then on
/// it has the guest's number like the others.
/// </summary>
internal sealed class FakeHotPlug(FakeHost host)
{
    private const string OpenKind = "machine.open", CloseKind = "machine.close", PlugKind = "machine.plug", UnplugKind = "machine.unplug";

    public static (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk)
    {
        var drive = new FakeDrive(disk.Target, disk.Layers[0].Path, Find(definition, disk.Target).IsWritten, IsPlugged: false);
        var isOurs = disk.Layers[0].Origin is LayerOrigin.Coppice;
        return (Of(OpenKind, StepUndo.Exact, process, drive), Of(PlugKind, StepUndo.None, process, drive, isOurs));
    }

    public static (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk)
    {
        Find(definition, disk.Target);
        var drive = new FakeDrive(disk.Target, "", IsWritable: false);
        return (Of(UnplugKind, StepUndo.None, process, drive), Of(CloseKind, StepUndo.None, process, drive));
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step)
    {
        if (step.Kind is not (OpenKind or CloseKind or PlugKind or UnplugKind))
        {
            return false;
        }

        var (id, drive, _) = step.Read(FakeJson.Default.DriveArguments);
        var process = host.State.Processes.GetValueOrDefault(id);
        switch (step.Kind)
        {
            case CloseKind:
                Close(id, drive);
                break;
            case var _ when process is null:
                throw new CoppiceException(ErrorKind.Hypervisor, $"process {id}", "is gone");
            case OpenKind:
                Close(id, drive);
                host.RequireFree(drive);
                host.Act("open", s => FakeHost.Set(s, id, p => p with { Drives = p.Drives.Add(drive) }));
                break;
            case PlugKind:
                host.Act("plug", s => Formatted(FakeHost.Set(s, id, p => Plugged(p, drive, isPlugged: true)), drive, s.Processes[id].Counter));
                break;
            case UnplugKind when Has(id, drive) && !host.GuestsObey:
                throw new CoppiceException(ErrorKind.WrongState, $"disk '{drive.Target}'", "is still held by its guest");
            case UnplugKind:
                host.Act("unplug", s => FakeHost.Set(s, id, p => Plugged(p, drive, isPlugged: false)));
                break;
        }

        return true;
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        if (step.Kind is OpenKind)
        {
            var (id, drive, _) = step.Read(FakeJson.Default.DriveArguments);
            Close(id, drive);
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        PlugKind => step.Read(FakeJson.Default.DriveArguments) is var (id, drive, isOurs)
            && (Has(id, drive) || (isOurs && !host.State.Processes.ContainsKey(id))),
        UnplugKind => step.Read(FakeJson.Default.DriveArguments) is var (id, drive, _) && !Has(id, drive),
        _ => null,
    };

    private static Step Of(string kind, StepUndo undo, ShortId process, FakeDrive drive, bool isOurs = false) =>
        Step.Of(kind, $"{kind} {drive.Target}", undo, new DriveArguments(process, drive, isOurs), FakeJson.Default.DriveArguments);

    private static DiskDevice Find(DomainDefinition definition, string target)
    {
        var disk = definition.Disks.First(d => d.Target == target);
        return disk.Bus is DiskBus.Virtio or DiskBus.Scsi
            ? disk
            : throw new CoppiceException(ErrorKind.MissingCapability, $"disk '{target}'", "is fixed while the guest runs");
    }

    private bool Has(ShortId id, FakeDrive drive) =>
        host.State.Processes.GetValueOrDefault(id)?.Drives.Any(d => d.Target == drive.Target && d.IsPlugged) is true;

    private void Close(ShortId id, FakeDrive drive) => host.Act(
        "close", s => FakeHost.Set(s, id, p => p with { Drives = p.Drives.RemoveAll(d => d.Target == drive.Target && !d.IsPlugged) }));

    private static FakeProcess Plugged(FakeProcess process, FakeDrive drive, bool isPlugged) => process with
    {
        Drives = [.. process.Drives.Select(d => d.Target == drive.Target ? d with { IsPlugged = isPlugged } : d)],
    };

    private static FakeHostState Formatted(FakeHostState state, FakeDrive drive, long counter) => !drive.IsWritable ? state
        : state.With(drive.Path, i => i with
        {
            Blocks = i.Blocks.SetItems(Enumerable.Range(0, FakeHost.Blocks).Select(b => KeyValuePair.Create(b, counter))),
        });
}
