using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans reverts. The way there is the same for a snapshot and for a tip: prepare the new head beside the old one, with
/// its process waiting and its memory loaded; stop the old one and keep it as a tip; commit; let the new one go on.
/// </summary>
internal static class Reverting
{
    /// <summary>Where a revert leads.</summary>
    /// <param name="Name">For people.</param>
    /// <param name="Definition">The definition it had.</param>
    /// <param name="Disks">The layers of its head, those that <paramref name="Made"/> has included.</param>
    /// <param name="Made">New layers, each on a frozen one.</param>
    /// <param name="Memory">Its memory.</param>
    /// <param name="State">What the domain does afterwards.</param>
    /// <param name="Current">The current snapshot afterwards.</param>
    /// <param name="Tip">The tip that is used up, if it is one.</param>
    private sealed record Destination(
        string Name, ShortId Definition, ImmutableArray<HeadDisk> Disks, ImmutableArray<NewLayer> Made, MemoryImage Memory,
        DomainState State, SnapshotId? Current, Tip? Tip)
    {
        /// <summary>Whether a process runs it afterwards.</summary>
        public bool IsActive => State is not (DomainState.Off or DomainState.Saved);
    }

    /// <summary>A layer to make, and the one whose content it starts with.</summary>
    private sealed record NewLayer(Layer Layer, Layer From);

    public static Plan ToSnapshot(PlanContext context, RevertSnapshot request)
    {
        var snapshot = request.Snapshot is { } name ? context.Find(name) : RequireCurrent(context);
        RequireMemoryFits(context, snapshot, request);
        var made = Made(context, snapshot);
        var destination = new Destination(
            $"snapshot '{snapshot.Name}'",
            snapshot.Definition,
            On(context.Head.Disks, made),
            made,
            snapshot.Memory,
            StateAfter(snapshot, request.State),
            snapshot.Id,
            Tip: null);
        return Move(context, destination, keepTip: !request.DiscardCurrent);
    }

    public static Plan ToNewestTip(PlanContext context, UndoRevert request)
    {
        if (context.Catalog.Tips.IsEmpty)
        {
            throw new CoppiceException(ErrorKind.NotFound, context.Subject, "no revert has left anything to return to");
        }

        var tip = context.Catalog.Tips[^1];
        RequireMemoryFits(context, tip, request.Force);

        // A disk that took no part in a revert went on being written, and may have been frozen since.
        var made = tip.Head.Disks.Where(d => !ReadOnly(context, d.Target) && IsFrozen(context, d.Layer))
            .Select(d => On(context, d.Target, "tip", context.Graph[d.Layer])).ToImmutableArray();
        var destination = new Destination(
            $"the tip left at {tip.LeftAt:u}", tip.Head.Definition, On(tip.Head.Disks, made), made, tip.Memory, tip.State, tip.Current, tip);
        return Move(context, destination, keepTip: true);
    }

    private static Plan Move(PlanContext context, Destination destination, bool keepTip)
    {
        var active = destination.IsActive;
        var process = active ? context.Observed.Ids.NextShort() : (ShortId?)null;
        var runs = active && destination.State is not DomainState.Paused;
        RequireDisksFree(context, destination, active);
        var tip = keepTip ? LeftBehind(context) : null;
        var definition = context.Observed.Definitions[destination.Definition];
        var change = new CatalogChange
        {
            Head = new Head
            {
                Definition = destination.Definition,
                Disks = destination.Disks,
                Process = process,
                Saved = destination.Tip?.Head.Saved,
            },
            Current = destination.Current,
            PutTips = tip is null ? [] : [tip],
            DropTips = destination.Tip is null ? [] : [destination.Tip.Id],
            PutLayers = [.. destination.Made.Select(m => m.Layer)],
        };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        var takeOver = process is { } next ? context.Hypervisor.TakeOver(next, definition, runs) : null;
        return context.Plan(Mechanism(destination, tip)) with
        {
            Prepare = [.. Overlaid(context, destination), .. Launched(context, destination, definition, process)],
            Switch = Left(context, tip, process, runs),
            Commit = reclaimed.Change,
            CleanUp =
            [
                .. context.Head.Process is { } old ? [context.Hypervisor.End(old, active ? definition : null)] : Array.Empty<Step>(),
                .. takeOver is null ? Array.Empty<Step>() : [takeOver],
                .. reclaimed.Removals,
            ],
        };
    }

    /// <summary>
    /// A file layer is built upon; an internal snapshot is copied out of its image, which others may build on and which the
    /// tip still needs as it is.
    /// </summary>
    private static IEnumerable<Step> Overlaid(PlanContext context, Destination destination) =>
        from made in destination.Made
        let parent = made.Layer.Parent is { } id ? context.Graph[id] : null
        select made.From.Inside is null
            ? context.Storage.CreateOverlay(made.Layer, made.From)
            : context.Storage.CopyInternal(made.Layer, made.From, parent, CopyRoom.Require(context, made.Layer, made.From));

    private static IEnumerable<Step> Launched(
        PlanContext context, Destination destination, DomainDefinition definition, ShortId? process) =>
        process is { } id
            ? [context.Hypervisor.Launch(SuccessorOf(context, destination, definition, id))]
            : [];

    private static LaunchRequest SuccessorOf(
        PlanContext context, Destination destination, DomainDefinition definition, ShortId process)
    {
        var chains = context.Chains(destination.Disks, [.. destination.Made.Select(m => m.Layer)]);
        return new LaunchRequest(process, definition, chains, destination.Memory)
        {
            MemoryHolder = destination.Memory.Layer is { } holder ? context.Graph[holder] : null,
        };
    }

    private static Step? Left(PlanContext context, Tip? tip, ShortId? successor, bool runs) => context.LiveProcess is { } old
        ? context.Hypervisor.Leave(new(
            old, context.State, tip?.Memory ?? MemoryImage.None, successor, runs, context.Observed.Hypervisor.MemoryEstimate))
        : null;

    /// <summary>What would be lost: the memory of an active domain, or whatever was written to the head of one that is off.</summary>
    private static Tip? LeftBehind(PlanContext context)
    {
        var active = context.LiveProcess is not null;
        var written = context.Head.Disks.Any(d => !ReadOnly(context, d.Target)
            && !(context.Observed.Layers.TryGetValue(d.Layer, out var layer) && layer.IsEmpty));
        if (!active && !written && context.Head.Saved is null)
        {
            return null;
        }

        var id = context.Observed.Ids.NextShort();
        var memory = active
            ? new MemoryImage { Mode = MemoryMode.External, File = context.Observed.Folder.Memory(id), Format = MemoryFormat.Stream }
            : MemoryImage.None;
        if (active)
        {
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

    private static ImmutableArray<NewLayer> Made(PlanContext context, Snapshot snapshot) =>
        [.. snapshot.Disks.Where(d => d.IsKept).Select(d => On(context, d.Target, snapshot.Name, context.Graph[d.Layer]))];

    private static NewLayer On(PlanContext context, string target, string name, Layer frozen)
    {
        var id = context.Observed.Ids.NextShort();
        var layer = new Layer
        {
            Id = id,
            Disk = target,
            Path = OverlayPath(context, target, name, id),
            Format = ImageFormat.Qcow2,
            VirtualSize = frozen.VirtualSize,
            Parent = frozen.Inside is null ? frozen.Id : frozen.Parent,
            Origin = LayerOrigin.Coppice,
        };
        return new NewLayer(layer, frozen);
    }

    /// <summary>The disks of a head, on their new layers where they have one.</summary>
    private static ImmutableArray<HeadDisk> On(ImmutableArray<HeadDisk> disks, ImmutableArray<NewLayer> made) =>
    [
        .. from disk in disks
           let found = made.FirstOrDefault(m => m.Layer.Disk == disk.Target)
           select found is null ? disk : disk with { Layer = found.Layer.Id },
    ];

    private static bool IsFrozen(PlanContext context, ShortId layer) =>
        context.Graph.All.Any(l => l.Parent == layer)
        || context.Catalog.Snapshots.Values.Any(s => s.Layers.Any(l => l.Id == layer));

    private static string OverlayPath(PlanContext context, string target, string name, ShortId id)
    {
        var head = context.Head.Disks.FirstOrDefault(d => d.Target == target);
        var folder = head is not null && context.Observed.Layers.TryGetValue(head.Layer, out var layer)
            ? layer.OverlayFolder
            : context.Observed.Folder.Images(target);
        return $"{folder}/{LayerFileName.For(target, name, id)}";
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

    private static void RequireMemoryFits(PlanContext context, Snapshot snapshot, RevertSnapshot request)
    {
        var excluded = snapshot.Disks
            .Where(d => !d.IsKept && !ReadOnly(context, d.Target) && !IsUntouched(context, snapshot, d))
            .Select(d => d.Target).ToArray();
        if (!request.Force && snapshot.Memory.Mode is not MemoryMode.None && excluded.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose,
                $"snapshot '{snapshot.Name}' of {context.Subject}",
                $"keeps memory but not disk {string.Join(", ", excluded)}, which may have changed since",
                "use --force to load the memory over the disk as it is now");
        }
    }

    /// <summary>A disk that took no part is as the memory knew it if the domain still uses its layer and nobody wrote to it since.</summary>
    private static bool IsUntouched(PlanContext context, Snapshot snapshot, DiskSnapshot disk) =>
        (context.LiveProcess is null || context.State is DomainState.Paused)
        && context.Head.Disks.Any(d => d.Target == disk.Target && d.Layer == disk.Layer)
        && context.Observed.Layers.TryGetValue(disk.Layer, out var layer)
        && layer.WrittenAt <= snapshot.CreatedAt;

    /// <summary>A disk that the tip shares with the present head, or that was frozen since, is not as the tip's memory knew it.</summary>
    private static void RequireMemoryFits(PlanContext context, Tip tip, bool force)
    {
        var changed = tip.Head.Disks
            .Where(d => !ReadOnly(context, d.Target) && (context.Head.Disks.Contains(d) || IsFrozen(context, d.Layer)))
            .Select(d => d.Target).ToArray();
        var hasMemory = tip.Memory.Mode is not MemoryMode.None || tip.Head.Saved is not null;
        if (!force && hasMemory && changed.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose,
                $"the tip of {context.Subject} left at {tip.LeftAt:u}",
                $"keeps memory, and disk {string.Join(", ", changed)} may have changed since",
                "use --force to load the memory over the disk as it is now");
        }
    }

    /// <summary>A guest that boots takes its disks at once, so it cannot share a writable one with the guest that still has it.</summary>
    private static void RequireDisksFree(PlanContext context, Destination destination, bool active)
    {
        var shared = destination.Disks.Intersect(context.Head.Disks).FirstOrDefault(d => !ReadOnly(context, d.Target));
        if (active && shared is not null && context.LiveProcess is not null && destination.Memory.Mode is MemoryMode.None)
        {
            throw new CoppiceException(
                ErrorKind.WrongState,
                $"disk '{shared.Target}' of {context.Subject}",
                $"took no part in {destination.Name} and is in use",
                $"stop the domain first: coppice stop {context.Catalog.Name}");
        }
    }

    private static bool ReadOnly(PlanContext context, string target) =>
        context.Observed.Definition.DisksAndFlash.FirstOrDefault(d => d.Target == target)
            is not { ReadOnly: false, Kind: not DiskKind.Cdrom };

    private static string Mechanism(Destination destination, Tip? tip)
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
