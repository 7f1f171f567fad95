using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a snapshot request has to meet besides the matrix.</summary>
internal static class SnapshotConditions
{
    /// <summary>The memory's file and disk fit its mode (R97–R99, R135).</summary>
    public static void CheckMemory(MemoryRequest? memory, ImmutableArray<DiskIntent> disks, string domain)
    {
        if (memory is null)
        {
            return;
        }

        var subject = $"memory of domain '{domain}'";
        if (memory is { File: not null, Mode: not MemoryMode.External })
        {
            throw Invalid(subject, "a file is given, yet the memory is not external", "drop the file or ask for external memory");
        }

        if (memory is { Disk: not null, Mode: not MemoryMode.Internal })
        {
            throw Invalid(subject, "a disk is given, yet the memory is not internal", "drop the disk or ask for internal memory");
        }

        if (memory.Disk is { } target)
        {
            var disk = disks.FirstOrDefault(d => d.Device.Target == target) ?? throw new CoppiceException(
                ErrorKind.NotFound,
                subject,
                $"the domain has no disk '{target}' to hold it",
                DiskIntents.Known(disks.Select(d => d.Device)));
            if (!disk.CanBeInternal)
            {
                throw Invalid(subject, $"disk '{target}' cannot hold it, having no writable qcow2 image", "name another disk");
            }
        }
    }

    /// <summary>
    /// Memory that no snapshot is recorded for goes where the user wants it: what the domain's folder holds goes with it.
    /// </summary>
    public static void CheckNamed(CreateSnapshot request, MemoryImage memory, Observed observed)
    {
        var isIn = request.Memory?.File is not { } given || given.StartsWith($"{observed.Folder.Path}/", StringComparison.Ordinal);
        if (request.NoMetadata && isIn && memory.Mode is MemoryMode.External && observed.Hypervisor.State is not DomainState.Saved)
        {
            throw Invalid(
                $"memory of domain '{observed.Catalog.Name}'",
                "would be in the domain's folder, where no snapshot refers to it, and go when the domain is undefined",
                "name a file elsewhere (--memory external:FILE), or keep none (--memory none)");
        }
    }

    /// <summary>What was asked makes sense in the state of the domain.</summary>
    public static void CheckState(CreateSnapshot request, DomainState state, ImmutableArray<DiskIntent> disks, string domain)
    {
        var subject = $"snapshot of domain '{domain}'";
        if (request.Live && SnapshotResolver.ActivityOf(state) != Activities.Online)
        {
            throw Wrong(subject, "live was asked for, yet no guest runs", "leave live out or start the domain first");
        }

        if (request.Quiesce && state != DomainState.Running)
        {
            throw Wrong(subject, "quiesce was asked for, yet no guest runs", "leave quiesce out or let the guest run");
        }

        if (request.Quiesce && disks.Any(d => d.Mode == DiskMode.Manual))
        {
            throw Invalid(subject, "a manual disk leaves the guest paused, so its agent cannot thaw it", "leave quiesce out");
        }
    }

    /// <summary>A stream is not written while the guest changes RAM that is a file itself: the pages of that cannot be watched.</summary>
    public static void CheckLive(CreateSnapshot request, DomainState state, Observed observed)
    {
        var isCloned = observed.ClonableRam is not null;
        if (request.Live && state == DomainState.Running && observed.Hypervisor.HasRamInFile && (!isCloned || request.Memory?.File is not null))
        {
            throw Invalid(
                $"snapshot of domain '{observed.Catalog.Name}'", "live would write memory as a stream while the guest changes RAM that is a file itself",
                isCloned ? "leave the file out: the RAM is cloned then, and nothing waits; or leave live out"
                    : "leave live out, or stop and start the domain: its RAM is no file then, or one that is cloned");
        }
    }

    /// <summary>
    /// Leaves out the ways that the flags exclude: live is about memory in a file; memory taken while the file systems are
    /// frozen would come back frozen.
    /// </summary>
    public static SnapshotMechanism[] KeepFitting(CreateSnapshot request, SnapshotMechanism[] candidates, string domain)
    {
        var subject = $"snapshot of domain '{domain}'";
        SnapshotMechanism[] live = [.. candidates.Where(m => !request.Live || m.Memory == MemoryMode.External)];
        if (live.Length == 0)
        {
            throw Invalid(subject, "live is about memory in a file, and none is kept", "leave it out or ask for external memory");
        }

        SnapshotMechanism[] quiesced = [.. live.Where(m => !request.Quiesce || m.Memory == MemoryMode.None)];
        return quiesced.Length > 0
            ? quiesced
            : throw Invalid(
                subject,
                "quiesce would keep the memory of a guest whose file systems are frozen",
                "ask for disk-only or leave quiesce out");
    }

    /// <summary>What the flags need of the driver.</summary>
    public static IEnumerable<CapabilityNeed> Needs(CreateSnapshot request, DomainState state, Observed observed)
    {
        var subject = $"snapshot of domain '{observed.Catalog.Name}'";

        // RAM that is cloned is kept before a guest could notice.
        if (request.Live && state == DomainState.Running && observed.ClonableRam is null)
        {
            yield return new CapabilityNeed(
                Capability.LiveMemory, subject, "leave live out, or use a memory volume (coppice pool create-memory), with which no checkpoint waits");
        }

        if (request.Quiesce)
        {
            yield return new CapabilityNeed(Capability.Quiesce, subject, "leave quiesce out");
        }
    }

    /// <summary>No chain grows beyond <see cref="LayerGraph.MaximumDepth"/>.</summary>
    public static void CheckDepth(SnapshotMechanism mechanism, LayerGraph graph, string domain)
    {
        foreach (var (intent, mode) in mechanism.Disks)
        {
            if (mode == DiskMode.External && graph.Chain(intent.Head!.Id).Length >= LayerGraph.MaximumDepth)
            {
                throw Wrong(
                    $"disk '{intent.Device.Target}' of domain '{domain}'",
                    $"its chain has {LayerGraph.MaximumDepth} layers, and a longer one is not made",
                    "delete snapshots that are no longer needed");
            }
        }
    }

    private static CoppiceException Invalid(string subject, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, subject, problem, nextStep);

    private static CoppiceException Wrong(string subject, string problem, string nextStep) =>
        new(ErrorKind.WrongState, subject, problem, nextStep);
}
