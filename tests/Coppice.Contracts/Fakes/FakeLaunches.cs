using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Processes of a <see cref="FakeHost"/> begin, and take over from others: with or without memory that was stored.</summary>
internal sealed class FakeLaunches(FakeHost host)
{
    private const string LaunchKind = "machine.launch", TakeOverKind = "machine.take-over", TakeSpareKind = "machine.take-spare";

    private readonly FakeTpm _tpm = new(host);
    private readonly FakeTaps _taps = new(host);

    public static Step Launch(LaunchRequest request)
    {
        if (request.Definition.Tpm is not null && request.Tpm is null)
        {
            throw new CoppiceException(ErrorKind.WrongState, "the TPM", "has nothing that it keeps");
        }

        var devices = request.Definition.Devices;
        var arguments = new LaunchArguments(
            request.Process, [.. request.Disks.Select(d => Drive(request, d))], [.. request.Disks.SelectMany(d => d.Layers)], request.Memory,
            request.Ram, request.MemoryHolder, request.Tpm, request.Waits is null ? FakeTaps.Of(request.Definition) : [], request.Beside,
            devices.OfType<CharacterDevice>().Any(d => d.Name == GuestAgentChannel.Name),
            [.. devices.OfType<NetworkDevice>().Index().Where(n => n.Item.LinkIsUp is false).Select(n => n.Index)],
            FakeCards.Of(request.Definition), request.Waits is not null);
        return Step.Of(LaunchKind, $"launch {request.Process}", StepUndo.Exact, arguments, FakeJson.Default.LaunchArguments) with
        {
            Files = Files(request.Ram?.Path),
        };
    }

    /// <summary>What is made on the memory volume.</summary>
    public static ImmutableArray<FileChange> Files(string? path) => path is null ? [] : [new FileChange(FileEffect.Create, path, default)];

    public static Step TakeSpare(ShortId process) => Step.Of(
        TakeSpareKind, $"take {process}", StepUndo.Compensate, new SpareArguments(process), FakeJson.Default.SpareArguments);

    public static Step TakeOver(ShortId process, DomainDefinition definition, bool run) => Step.Of(
        TakeOverKind, $"{process} takes over", StepUndo.None,
        new TakeOverArguments(process, run, FakeTaps.Of(definition)), FakeJson.Default.TakeOverArguments);

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step, StepContext context)
    {
        switch (step.Kind)
        {
            case LaunchKind:
                Launch(step.Read(FakeJson.Default.LaunchArguments), context);
                return StepReport.Nothing;
            case TakeSpareKind:
                Take(step.Read(FakeJson.Default.SpareArguments).Process);
                return StepReport.Nothing;
            case TakeOverKind:
                return TakeOver(step.Read(FakeJson.Default.TakeOverArguments));
            default:
                return null;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        if (step.Kind == LaunchKind)
        {
            host.End(step.Read(FakeJson.Default.LaunchArguments).Process, "end");
        }
        else if (step.Kind == TakeSpareKind && step.Read(FakeJson.Default.SpareArguments).Process is var spare && host.Find(spare) is { Waits: false })
        {
            host.End(spare, "end");
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these, or if that cannot be told.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        LaunchKind => host.State.Processes.ContainsKey(step.Read(FakeJson.Default.LaunchArguments).Process),
        TakeSpareKind => host.Find(step.Read(FakeJson.Default.SpareArguments).Process) is { Waits: false },
        _ => null,
    };

    private static FakeDrive Drive(LaunchRequest request, DiskChain chain) => new(
        chain.Target,
        chain.Layers[0].Path,
        request.Definition.DisksAndFlash.First(d => d.Target == chain.Target).IsWritten);

    private void Launch(LaunchArguments request, StepContext context)
    {
        var taps = _taps.Take(request.Taps, request.Beside);
        var drives = request.Drives;
        if (request.Tpm is { } state)
        {
            _tpm.Require(context.Folder.Tpm(state));
            drives = drives.Add(FakeTpm.Drive(context.Folder, state));
        }

        if (request.Layers.FirstOrDefault(l => host.State.Images.GetValueOrDefault(l.Path) is { } i && i.Type != l.Type) is { } wrong)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, $"image {wrong.Path}", $"is not kept in a {wrong.Type}");
        }

        foreach (var drive in drives)
        {
            host.RequireFree(drive);
        }

        var memory = MemoryOf(request);
        if (request.Memory.Mode is not MemoryMode.None && memory is null)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"memory image {request.Memory.File}", "is missing or cut off");
        }

        if (request is { Memory.Format: MemoryFormat.Mapped, Ram: null })
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"memory image {request.Memory.File}", "has no RAM that it could be mapped as");
        }

        var counter = memory ?? drives.Where(d => d.IsWritable).Select(d => host.State.Last(d.Path)).DefaultIfEmpty().Max();
        var domain = new DomainId(Guid.ParseExact(Path.GetFileName(context.Folder.Path), "D"));
        host.Act("launch", s => Loaded(s) with
        {
            Claims = request.Ram is null ? s.Claims : s.Claims.Remove(request.Ram.Path),
            Processes = s.Processes.Add(request.Process, new FakeProcess(domain, drives, DomainState.Paused, counter)
            {
                Ram = request.Ram, Taps = taps, HasAgent = request.HasAgent, Pulled = [.. request.Pulled], Cards = request.Cards, Waits = request.Waits,
            }),
        });

        FakeHostState Loaded(FakeHostState s) =>
            memory is null || request.Tpm is not { } tpm ? s : FakeTpm.Loaded(s, context.Folder.Tpm(tpm), counter);
    }

    private long? MemoryOf(LaunchArguments request) => request switch
    {
        { MemoryHolder: { } holder } => host.State.Images[holder.Path].Internals.GetValueOrDefault(holder.Inside!.Tag)?.Memory,
        { Memory.File: { } file } => host.State.Memories.GetValueOrDefault(file) is { IsComplete: true } found && found.Format == request.Memory.Format
            ? found.Counter
            : null,
        _ => null,
    };

    private void Take(ShortId process)
    {
        if (host.Find(process) is null)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"process {process}", "no longer waits");
        }

        host.Act("take spare", s => FakeHost.Set(s, process, p => p with { Waits = false }));
    }

    private StepReport TakeOver(TakeOverArguments arguments)
    {
        host.Act("take over", s => _taps.Plug(s, arguments.Process, arguments.Taps));
        var goesOn = arguments.Run && host.Find(arguments.Process) is { WentOn: false };
        if (goesOn)
        {
            host.Act("go on", s => FakeHost.Set(s, arguments.Process, p => p with { State = DomainState.Running, WentOn = true }));
        }

        if (host.Find(arguments.Process) is { } follower)
        {
            FakeTaps.RequireAll(follower, arguments.Taps);
        }

        return new StepReport { WentOnAfter = goesOn ? TimeSpan.Zero : null };
    }
}
