using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans reverts. The way there is the same for a snapshot and for a tip: prepare the new head beside the old one, with
/// its process waiting and its memory loaded; stop the old one and keep it as a tip; commit; let the new one go on.
/// </summary>
internal static class Reverting
{
    public static Plan ToSnapshot(PlanContext context, RevertSnapshot request)
    {
        var snapshot = request.Snapshot is { } name ? context.Find(name) : RequireCurrent(context);
        RevertChecks.RequireMemoryFits(context, snapshot, request);
        var definition = context.Observed.Definitions[snapshot.Definition];
        ImmutableArray<HeadDisk> disks =
            [.. snapshot.Disks.Select(d => new HeadDisk(d.Target, d.IsKept ? d.Layer : NotKept(context, snapshot, definition, d)))];
        var made = Made(context, disks, definition, snapshot.Name);
        var destination = new RevertDestination(
            $"snapshot '{snapshot.Name}'",
            snapshot.Definition,
            On(disks, made),
            made,
            snapshot.Memory,
            StateAfter(snapshot, request.State),
            snapshot.Id,
            Tip: null)
        {
            TpmCopy = snapshot.Tpm is { } kept ? new TpmCopy(kept, context.Observed.Ids.NextShort()) : null,
            SyncTime = request.SyncTime,
        };
        return Move(context, destination, keepTip: !request.DiscardCurrent, request.Force);
    }

    public static Plan ToNewestTip(PlanContext context, UndoRevert request)
    {
        if (context.Catalog.Tips.IsEmpty)
        {
            throw new CoppiceException(ErrorKind.NotFound, context.Subject, "no revert has left anything to return to");
        }

        var tip = context.Catalog.Tips[^1];
        RevertChecks.RequireMemoryFits(context, tip, request.Force);

        // A disk that took no part in a revert went on being written, and may have been frozen since.
        var made = Made(context, tip.Head.Disks, context.Observed.Definitions[tip.Head.Definition], "tip");
        var destination = new RevertDestination(
            $"the tip left at {tip.LeftAt:u}", tip.Head.Definition, On(tip.Head.Disks, made), made, tip.Memory, tip.State, tip.Current, tip)
        {
            SyncTime = request.SyncTime,
        };
        return Move(context, destination, keepTip: true, request.Force);
    }

    private static Plan Move(PlanContext context, RevertDestination destination, bool keepTip, bool force)
    {
        var taken = RequirePossible(context, destination, force);
        var active = destination.IsActive;
        var process = active ? context.Observed.Ids.NextShort() : (ShortId?)null;
        var runs = active && destination.State is not DomainState.Paused;
        var tip = keepTip ? LeftBehind(context) : null;
        var definition = context.Observed.Definitions[destination.Definition];
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage, ChangeTo(destination, process, taken, tip));
        var takeOver = process is { } next ? context.Hypervisor.TakeOver(next, definition, runs) : null;
        var letItRun = destination.Tip is null ? "use --running" : null;
        var clock = destination.SyncTime && destination.HasMemory
            ? GuestTime.Set(context, process, definition, runs, letItRun)
            : null;
        return context.Plan(Mechanism(destination, tip)) with
        {
            Prepare =
            [
                .. Overlaid(context, destination),
                .. destination.TpmCopy is { } copy ? [context.Hypervisor.CopyTpm(context.Observed.Folder, copy)] : Array.Empty<Step>(),
                .. Launched(context, destination, definition, process),
            ],
            Switch = Left(context, tip, process, runs),
            Commit = reclaimed.Change,
            CleanUp =
            [
                .. context.Head.Process is { } old ? [context.Hypervisor.End(old, active ? definition : null)] : Array.Empty<Step>(),
                .. takeOver is null ? Array.Empty<Step>() : [takeOver],
                .. clock is null ? Array.Empty<Step>() : [clock],
                .. reclaimed.Removals,
            ],
            Warnings = [.. OutsideChanges.Warnings(context)],
        };
    }

    /// <summary>What must hold before anything is left.</summary>
    /// <returns>The snapshots whose images were changed from outside, and are taken as they are now.</returns>
    private static ImmutableArray<SnapshotId> RequirePossible(
        PlanContext context, RevertDestination destination, bool force)
    {
        var taken = OutsideChanges.RequireUntouched(
            context, force, destination.Memory.Mode is MemoryMode.None
                ? "use --force to take it as it is now"
                : "use --force to take it as it is now, and load memory that may not fit it");
        if (!destination.IsActive)
        {
            Persisting.RequireMayBeOff(
                context, $"cannot be off, as it was at {destination.Name}",
                destination.Tip is null ? "add --running or --paused" : "revert to a snapshot with --running instead");
        }

        RevertChecks.RequireDisksFree(context, destination, destination.IsActive);
        return taken;
    }

    private static CatalogChange ChangeTo(
        RevertDestination destination, ShortId? process, ImmutableArray<SnapshotId> taken, Tip? tip) => new()
    {
        Head = new Head
        {
            Definition = destination.Definition,
            Disks = destination.Disks,
            Tpm = destination.Tpm,
            Process = process,
            Saved = destination.Tip?.Head.Saved,
        },
        Current = destination.Current,
        Refrozen = taken,
        PutTips = tip is null ? [] : [tip],
        DropTips = destination.Tip is null ? [] : [destination.Tip.Id],
        PutLayers = [.. destination.Made.Select(m => m.Layer)],
    };

    /// <summary>
    /// A file layer is built upon; an internal snapshot is copied out of its image, which others may build on and which the
    /// tip still needs as it is.
    /// </summary>
    private static IEnumerable<Step> Overlaid(PlanContext context, RevertDestination destination) =>
        from made in destination.Made
        let parent = made.Layer.Parent is { } id ? context.Graph[id] : null
        select made.From.Inside is null
            ? context.Storage.CreateOverlay(made.Layer, made.From)
            : context.Storage.CopyInternal(made.Layer, made.From, parent, CopyRoom.Require(context, made.Layer, made.From));

    private static IEnumerable<Step> Launched(
        PlanContext context, RevertDestination destination, DomainDefinition definition, ShortId? process) =>
        process is { } id
            ? [context.Hypervisor.Launch(SuccessorOf(context, destination, definition, id))]
            : [];

    private static LaunchRequest SuccessorOf(
        PlanContext context, RevertDestination destination, DomainDefinition definition, ShortId process)
    {
        var chains = context.Chains(destination.Disks, [.. destination.Made.Select(m => m.Layer)]);
        return new LaunchRequest(process, definition, chains, destination.Memory)
        {
            MemoryHolder = destination.Memory.Layer is { } holder ? context.Graph[holder] : null,
            Tpm = destination.Tpm,
            Beside = context.LiveProcess,
        };
    }

    private static Step? Left(PlanContext context, Tip? tip, ShortId? successor, bool runs) => context.LiveProcess is { } old
        ? context.Hypervisor.Leave(new(
            old, context.State, tip?.Memory ?? MemoryImage.None, successor, runs, context.Observed.Hypervisor.MemoryEstimate))
        : null;

    /// <summary>
    /// What would be lost: the memory of an active domain, or what was written to the head of one that is off, or a definition
    /// that no snapshot has. What a TPM has learned does not show, so it counts as written.
    /// </summary>
    private static Tip? LeftBehind(PlanContext context)
    {
        var active = context.LiveProcess is not null;
        var written = context.Head.Disks.Any(d => !RevertChecks.IsReadOnly(context.Observed.Definition, d.Target)
            && (context.Observed.Layers.GetValueOrDefault(d.Layer) is not ({ Exists: false } or { IsEmpty: true })
                || context.OnlyCopy(d) is not null));
        var redefined = context.Catalog.Snapshots.Values.All(s => s.Definition != context.Head.Definition);
        if (!active && !written && !redefined && context.Head is { Saved: null, Tpm: null })
        {
            return null;
        }

        var id = context.Observed.Ids.NextShort();
        var memory = active
            ? new MemoryImage
            {
                Mode = MemoryMode.External, File = context.Observed.Folder.Memory(id), Format = MemoryFormat.Stream,
                WrittenBy = context.WriterOf(MemoryMode.External),
            }
            : MemoryImage.None;
        if (active)
        {
            context.RequireWhole();
            MemoryRoom.Require(context, memory.File!);
        }

        return new Tip
        {
            Id = id,
            LeftAt = context.Observed.Now,
            State = active || context.Head.Saved is not null ? context.State : DomainState.Off,
            Current = context.Catalog.Current,
            Head = context.Head with { Process = null },
            Memory = memory,
        };
    }

    /// <summary>New layers on all that must not be written.</summary>
    private static ImmutableArray<NewLayer> Made(
        PlanContext context, ImmutableArray<HeadDisk> disks, DomainDefinition definition, string name) =>
    [
        .. from disk in disks
           where !RevertChecks.IsReadOnly(definition, disk.Target) && RevertChecks.IsFrozen(context, disk.Layer)
           select On(context, disk.Target, name, context.Graph[disk.Layer]),
    ];

    private static NewLayer On(PlanContext context, string target, string name, Layer frozen)
    {
        RevertChecks.RequireNotShrunk(context, frozen);
        var id = context.Observed.Ids.NextShort();
        var layer = new Layer
        {
            Id = id,
            Disk = target,
            Path = OverlayPath(context, frozen, name, id),
            Format = ImageFormat.Qcow2,
            VirtualSize = frozen.VirtualSize,
            Parent = frozen.Inside is null ? frozen.Id : frozen.Parent,
            Origin = LayerOrigin.Coppice,
        };
        return new NewLayer(layer, frozen);
    }

    /// <summary>
    /// A disk that took no part is as it is now; a disc is the one that was in the drive. A disk that the domain has given away is
    /// not taken back unasked: somebody may have written to it.
    /// </summary>
    private static ShortId NotKept(PlanContext context, Snapshot snapshot, DomainDefinition definition, DiskSnapshot disk)
    {
        var now = context.Head.Disks.FirstOrDefault(d => d.Target == disk.Target);
        return now is not null && definition.HasSameDisk(context.Observed.Definition, disk.Target) ? now.Layer
            : RevertChecks.IsReadOnly(definition, disk.Target) && context.Graph.Has(disk.Layer) ? disk.Layer
            : throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{disk.Target}' of snapshot '{snapshot.Name}' of {context.Subject}",
                "took no part in the snapshot, and is no disk of the domain now",
                "define the domain with that disk again, or revert first to a snapshot that keeps it");
    }

    /// <summary>The disks of a head, on their new layers where they have one.</summary>
    private static ImmutableArray<HeadDisk> On(ImmutableArray<HeadDisk> disks, ImmutableArray<NewLayer> made) =>
    [
        .. from disk in disks
           let found = made.FirstOrDefault(m => m.Layer.Disk == disk.Target)
           select found is null ? disk : disk with { Layer = found.Layer.Id },
    ];

    /// <summary>Beside the head's layer of that disk; beside the frozen one, if the head has another disk there, or none.</summary>
    private static string OverlayPath(PlanContext context, Layer frozen, string name, ShortId id)
    {
        var head = context.Head.Disks.FirstOrDefault(d => d.Target == frozen.Disk);
        var isSame = head is not null && context.Graph.Chain(head.Layer)[^1].Id == context.Graph.Chain(frozen.Id)[^1].Id;
        var folder = context.Observed.Layers.GetValueOrDefault(isSame ? head!.Layer : frozen.Id)?.OverlayFolder
            ?? context.Observed.Folder.Images(frozen.Disk);
        return $"{folder}/{LayerFileName.For(frozen.Disk, name, id)}";
    }

    private static DomainState StateAfter(Snapshot snapshot, RevertState asked) => asked switch
    {
        RevertState.Running => DomainState.Running,
        RevertState.Paused => DomainState.Paused,
        _ when snapshot.Memory.Mode is MemoryMode.None => DomainState.Off,
        _ => snapshot.State is DomainState.Paused ? DomainState.Paused : DomainState.Running,
    };

    private static Snapshot RequireCurrent(PlanContext context) => context.Catalog.Current is { } id
        ? context.Catalog.Snapshots[id]
        : throw new CoppiceException(
            ErrorKind.NotFound, context.Subject, "has no current snapshot", $"name one of: coppice snapshot list {context.Catalog.Name}");

    private static string Mechanism(RevertDestination destination, Tip? tip)
    {
        var layers = destination.Made.Any(m => m.From.Inside is not null) ? "new layers, copied out of images" : "new layers";
        var way = destination switch
        {
            { IsActive: false } => layers,
            { Memory.Mode: MemoryMode.None } => $"{layers}, boot",
            { Tip: not null } => "memory (stream) in a new process",
            { Memory.Mode: MemoryMode.Internal } => $"{layers}, memory (stream read from {destination.Memory.Disk}) in a new process",
            _ => $"{layers}, memory (stream) in a new process",
        };
        return tip is null ? $"{way}; what is left is discarded" : $"{way}; what is left is kept as tip {tip.Id}";
    }
}
