using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans reverts. The way there is the same for a snapshot and for a tip: prepare the new head beside the old one, with
/// its process waiting and its memory loaded; stop the old one and keep it as a tip or snapshot; commit; let the new one go on.
/// </summary>
internal static class Reverting
{
    public static Plan ToSnapshot(PlanContext context, RevertSnapshot request)
    {
        var snapshot = request.Snapshot is { } name ? context.Find(name) : RequireCurrent(context);
        if (request.Latest)
        {
            return ToLatest(context, snapshot, request);
        }

        var destination = DestinationOf(context, snapshot, request);
        return request.DiscardDescendants
            ? ToBare(context, snapshot, destination, request)
            : Move(context, destination, Left(Without(context, destination.Spare), destination, request), request.Force);
    }

    /// <summary>What was promised to a spare that is taken is not needed beside the process that it replaces.</summary>
    private static PlanContext Without(PlanContext context, Spare? taken) => taken is null
        ? context
        : context with { Observed = context.Observed with { Volume = context.Observed.Volume?.Without(context.Observed.Folder.Ram(taken.Process)) } };

    /// <summary>To a snapshot of which another one is made, which is current afterwards (R154, R162).</summary>
    public static Plan ToBranch(
        PlanContext context, Snapshot from, Snapshot made, Step? memory, Func<RevertDestination, LeftBehind> leave)
    {
        var request = new RevertSnapshot(context.Catalog.Name, from.Name, RevertState.AsTaken, DiscardCurrent: false, Force: false);
        var destination = DestinationOf(context, from, request) with
        {
            Current = made.Id, Branch = made, BranchMemory = memory,
        };
        var left = leave(destination);
        if (memory is not null && left.Memory.File == made.Memory.File)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"memory file '{left.Memory.File}'", "would be both the branch's and that of what is left",
                "give another file for one of them");
        }

        return left.Snapshot?.Name == made.Name
            ? throw new CoppiceException(
                ErrorKind.AlreadyExists, $"snapshot '{made.Name}' of {context.Subject}",
                "would be both the branch and what is left", "choose another name for one of them")
            : Move(context, destination, left, force: false);
    }

    /// <summary>To a snapshot of which nothing is to be left but itself (R149).</summary>
    private static Plan ToBare(PlanContext context, Snapshot snapshot, RevertDestination destination, RevertSnapshot request)
    {
        if (request.Checkpoint is not null)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"--checkpoint of a revert to snapshot '{snapshot.Name}' of {context.Subject}",
                "would build on what --discard-descendants removes", "use one of them");
        }

        var gone = new SnapshotTree(context.Catalog).Descendants(snapshot.Id);
        var bare = destination with { Discards = true, Discarded = gone };
        var isGone = context.Catalog.Current is { } current && bare.IsDiscarded(current);
        return Move(context, bare, isGone ? LeftBehind.Nothing : Left(context, bare, request), request.Force);
    }

    private static RevertDestination DestinationOf(PlanContext context, Snapshot snapshot, RevertSnapshot request)
    {
        RevertChecks.RequireMemoryFits(context, snapshot, request);
        var definition = context.Observed.Definitions[snapshot.Definition];
        var disks = HeadLayers.Of(context, snapshot, definition);
        var spare = Spares.For(context, snapshot, disks);
        foreach (var layer in snapshot.Disks.Where(d => spare is not null && d.IsKept).Select(d => context.Graph[d.Layer]))
        {
            RevertChecks.RequireNotShrunk(context, layer);
        }

        var made = spare is null ? HeadLayers.Made(context, disks, definition, snapshot.Name) : [];
        return new RevertDestination(
            $"snapshot '{snapshot.Name}'",
            snapshot.Definition,
            spare?.Disks ?? HeadLayers.On(disks, made),
            made,
            snapshot.Memory,
            StateAfter(snapshot, request.State),
            snapshot.Id,
            Tip: null)
        {
            Spare = spare,
            TpmCopy = snapshot.Tpm is { } kept && spare is null ? new TpmCopy(kept, context.Observed.Ids.NextShort()) : null,
            SyncTime = request.SyncTime,
            SameAs = snapshot.KeepsAllOf(definition) ? snapshot.Id : null,
        };
    }

    public static Plan ToNewestTip(PlanContext context, UndoRevert request)
    {
        var tip = context.Catalog.Tips.LastOrDefault() ?? throw new CoppiceException(
            ErrorKind.NotFound, context.Subject, "no revert has left anything to return to");
        var destination = DestinationOf(context, tip, request.Force) with { SyncTime = request.SyncTime };
        return Move(context, destination, LeftBehind.AsTip(context), request.Force);
    }

    public static Plan ToTip(PlanContext context, RevertToTip request)
    {
        var destination = DestinationOf(context, context.Catalog.FindTip(request.Tip), request.Force) with { SyncTime = request.SyncTime };
        return Move(context, destination, LeftBehind.AsTip(context), request.Force);
    }

    /// <summary>To a snapshot and its later changes (R171).</summary>
    private static Plan ToLatest(PlanContext context, Snapshot snapshot, RevertSnapshot request)
    {
        if (request.State is not RevertState.AsTaken)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"latest of snapshot '{snapshot.Name}' of {context.Subject}",
                "leads to a tip, which goes on as it was left", "leave --running or --paused out");
        }

        var tip = context.Catalog.Tips.LastOrDefault(t => t.Current == snapshot.Id) ?? throw new CoppiceException(
            ErrorKind.NotFound, $"latest of snapshot '{snapshot.Name}' of {context.Subject}",
            context.Catalog.Current == snapshot.Id
                ? "no revert has left a tip that came from it; what came from it last is the domain as it is"
                : "no revert has left a tip that came from it",
            $"see: coppice tips list {context.Catalog.Name}, or leave --latest out");
        var destination = DestinationOf(context, tip, request.Force) with { SyncTime = request.SyncTime };
        return Move(context, destination, Left(context, destination, request), request.Force);
    }

    private static RevertDestination DestinationOf(PlanContext context, Tip tip, bool force)
    {
        RevertChecks.RequireMemoryFits(context, tip, force);

        // A disk that took no part in a revert went on being written, and may have been frozen since.
        var made = HeadLayers.Made(context, tip.Head.Disks, context.Observed.Definitions[tip.Head.Definition], "tip");
        return new RevertDestination(
            $"the tip left at {tip.LeftAt:u}", tip.Head.Definition, HeadLayers.On(tip.Head.Disks, made), made, tip.Memory, tip.State,
            tip.Current, tip);
    }

    private static LeftBehind Left(PlanContext context, RevertDestination destination, RevertSnapshot request) => request switch
    {
        { Checkpoint: { } checkpoint } => LeftBehind.AsSnapshot(context, destination, checkpoint),
        { DiscardCurrent: true } => LeftBehind.Nothing,
        _ => LeftBehind.AsTip(context),
    };

    private static Plan Move(PlanContext context, RevertDestination destination, LeftBehind left, bool force)
    {
        var taken = RequirePossible(context, destination, force);
        var active = destination.IsActive;
        var process = destination.Spare?.Process ?? (active ? context.Observed.Ids.NextShort() : (ShortId?)null);
        var runs = active && destination.State is not DomainState.Paused;
        var definition = context.Observed.Definitions[destination.Definition];
        ImmutableArray<Tip> discarded = [.. context.Catalog.Tips.Where(t => t.Current is { } from && destination.IsDiscarded(from))];
        var ram = process is { } started && destination.Spare is null ? GuestRam.Of(context, started, definition, destination.Memory, left.Memory) : null;
        var expired = TipKeeping.Expired(context, left.Tip, destination.Tip, discarded);
        var change = ChangeTo(destination, process, runs, left) with { Refrozen = taken };
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage,
            change with { DropTips = [.. change.DropTips, .. expired.Concat(discarded).Select(t => t.Id)] });
        var takeOver = process is { } next ? context.Hypervisor.TakeOver(next, definition, runs) : null;
        var letItRun = destination.Tip is null ? "use --running" : null;
        var clock = destination.SyncTime && destination.HasMemory
            ? GuestTime.Set(context, process, definition, runs, letItRun)
            : null;
        return context.Plan($"{Mechanism(destination)}{GuestGeneration.Untold(definition, destination.HasMemory)}; {left.Words}") with
        {
            Mark = context.LiveProcess is null || left.Memory.Mode is MemoryMode.None ? null : context.Dirtied,
            Prepare =
            [
                .. HeadLayers.Steps(context, destination.Made),
                .. destination.BranchMemory is { } memory ? [memory] : Array.Empty<Step>(),
                .. destination.TpmCopy is { } copy ? [context.Hypervisor.CopyTpm(context.Observed.Folder, copy)] : Array.Empty<Step>(),
                .. destination.Spare is { } spare ? [context.Hypervisor.TakeSpare(spare.Process)] : Launched(context, destination, definition, process, ram?.Place),
            ],
            Switch = Left(context, left, process, runs),
            Commit = reclaimed.Change,
            CleanUp =
            [
                .. Followed(context, destination, [.. new[] { takeOver, clock }.OfType<Step>()], active ? definition : null),
                .. reclaimed.Removals,
            ],
            Warnings =
            [
                .. OutsideChanges.Warnings(context),
                .. ram?.Warning is { } slow ? [slow] : Array.Empty<string>(),
                .. GoesToo(context, destination),
                .. destination.Discarded.Select(s => $"snapshot '{s.Name}' goes: it builds on {destination.Name}"),
                .. discarded.Select(t => $"tip {t.Id}, left at {t.LeftAt:u}, goes: it builds on {destination.Name}"),
                .. TipKeeping.Warnings(context, expired, reclaimed.Change),
            ],
        };
    }

    /// <summary>
    /// The end of the process that is left, and its successor goes on. Nobody waits for the end unless it has what both want: an end on the
    /// host, or a disk that took no part, and which it goes on writing.
    /// </summary>
    private static ImmutableArray<Step> Followed(
        PlanContext context, RevertDestination destination, ImmutableArray<Step> goesOn, DomainDefinition? next)
    {
        if (context.Head.Process is not { } old)
        {
            return goesOn;
        }

        var sharesDisk = destination.Disks.Intersect(context.Head.Disks).Any(d => !RevertChecks.IsReadOnly(context.Observed.Definition, d.Target));
        return next is { HasExclusiveEnds: false } && !sharesDisk
            ? [.. goesOn, context.Hypervisor.End(old, next)]
            : [context.Hypervisor.End(old, next), .. goesOn];
    }

    /// <summary>The head, if it came from what goes: nothing of it is left, not even a tip.</summary>
    private static IEnumerable<string> GoesToo(PlanContext context, RevertDestination destination) =>
        context.Catalog.Current is { } current && destination.IsDiscarded(current)
            ? [$"what {context.Subject} has done since snapshot '{context.Catalog.Snapshots[current].Name}' goes: "
                + $"it builds on {destination.Name}"]
            : [];

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
        RevertDestination destination, ShortId? process, bool runs, LeftBehind left) => new()
    {
        Head = new Head
        {
            Definition = destination.Definition,
            Disks = destination.Disks,
            Tpm = destination.Tpm,
            Process = process,
            Saved = destination.Tip?.Head.Saved,
            SameAs = runs ? null : destination.SameAs,
        },
        Current = destination.Current,
        Put = [.. new[] { left.Snapshot, destination.Branch }.OfType<Snapshot>()],
        Drop = [.. destination.Discarded.Select(s => s.Id)],
        PutTips = left.Tip is { } tip ? [tip] : [],
        DropTips = destination.Tip is null ? [] : [destination.Tip.Id],
        PutLayers =
        [
            .. destination.Made.Select(m => m.Layer), .. destination.Spare?.Layers ?? [], .. destination.Discarded.SelectMany(s => s.Layers),
        ],
        DropSpares = destination.Spare is { } taken ? [taken.Process] : [],
        DropLayers = [.. left.Snapshot?.Layers.Select(l => l.Id) ?? []],
    };

    private static IEnumerable<Step> Launched(
        PlanContext context, RevertDestination destination, DomainDefinition definition, ShortId? process, RamPlace? ram) =>
        process is { } id
            ? [context.Hypervisor.Launch(SuccessorOf(context, destination, definition, id, ram))]
            : [];

    private static LaunchRequest SuccessorOf(
        PlanContext context, RevertDestination destination, DomainDefinition definition, ShortId process, RamPlace? ram)
    {
        var chains = context.Chains(destination.Disks, [.. destination.Made.Select(m => m.Layer)]);
        return new LaunchRequest(process, definition, chains, destination.Memory)
        {
            Ram = ram,
            MemoryHolder = destination.Memory.Layer is { } holder ? context.Graph[holder] : null,
            Tpm = destination.Tpm,
            Beside = context.LiveProcess,
        };
    }

    private static Step? Left(PlanContext context, LeftBehind left, ShortId? successor, bool runs) => context.LiveProcess is { } old
        ? context.Hypervisor.Leave(new(
            old, context.State, left.Memory, successor, runs, context.Observed.Hypervisor.MemoryEstimate)
        {
            RamExtents = context.Observed.ClonableRam?.Extents ?? 0,
        })
        : null;

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

    private static string Mechanism(RevertDestination destination)
    {
        var layers = destination.Made.Any(m => m.From.Inside is not null) ? "new layers, copied out of images" : "new layers";
        return destination switch
        {
            { IsActive: false } => layers,
            { Memory.Mode: MemoryMode.None } => $"{layers}, boot",
            { Spare: not null } => $"memory ({destination.Memory.Layout}) in a spare that waited",
            { Tip: not null } => $"memory ({destination.Memory.Layout}) in a new process",
            { Memory.Mode: MemoryMode.Internal } => $"{layers}, memory (stream read from {destination.Memory.Disk}) in a new process",
            _ => $"{layers}, memory ({destination.Memory.Layout}) in a new process",
        };
    }
}
