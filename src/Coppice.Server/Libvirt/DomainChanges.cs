using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>A domain at one look.</summary>
/// <param name="Catalog">What is stored of it.</param>
/// <param name="ProcessId">The number of its process; null if it is off.</param>
/// <param name="State">What it is doing.</param>
internal sealed record SeenDomain(Catalog Catalog, int? ProcessId, DomainState State)
{
    /// <summary>Why, as libvirt has it.</summary>
    public RemoteState Remote { get; init; } = RemoteState.Of(State);

    /// <summary>Its definition; null if it was not looked at yet.</summary>
    public DomainDefinition? Definition { get; init; }

    /// <summary>It is active.</summary>
    public bool IsAlive => ProcessId is not null;

    /// <summary>Its guest was heard to switch it off.</summary>
    public bool HasPoweredOff { get; init; }

    /// <summary>It was not looked at yet.</summary>
    public bool IsGuess { get; init; }

    /// <summary>The same doing something else.</summary>
    public SeenDomain Doing(DomainState state) => this with { State = state, Remote = RemoteState.Of(state) };
}

/// <summary>A change in the life of a domain (virDomainEventType and the details that belong to each).</summary>
internal readonly record struct LifecycleChange(int Event, int Detail)
{
    public static readonly LifecycleChange
        Defined = new(0, 0), Redefined = new(0, 1), DefinedByRename = new(0, 2), DefinedFromSnapshot = new(0, 3), Undefined = new(1, 0), UndefinedByRename = new(1, 1),
        Started = new(2, 0), Restored = new(2, 2), StartedFromSnapshot = new(2, 3), WokenUp = new(2, 4),
        Paused = new(3, 0), Failed = new(3, 2), PausedFromSnapshot = new(3, 5),
        Resumed = new(4, 0), ResumedFromSnapshot = new(4, 2),
        ShutDown = new(5, 0), Destroyed = new(5, 1), StoppedByCrash = new(5, 2), Saved = new(5, 4), StoppedByFailure = new(5, 5), StoppedFromSnapshot = new(5, 6),
        ShutDownByGuest = new(6, 1), ShutDownByHost = new(6, 2), Suspended = new(7, 0), Crashed = new(8, 0);
}

/// <summary>The job of a disk has changed (virDomainBlockJobType, virConnectDomainEventBlockJobStatus).</summary>
/// <param name="Target">The disk.</param>
/// <param name="Path">The image that it was on.</param>
/// <param name="Type">What merges into what.</param>
/// <param name="Status">What has become of it.</param>
internal readonly record struct BlockJobChange(string Target, string Path, int Type, int Status)
{
    public const int Completed = 0, Failed = 1, Cancelled = 2, Ready = 3;

    private const int Copy = 2, ActiveCommit = 4;

    /// <summary>What libvirt calls a merge of a direction.</summary>
    public static int TypeOf(MergeDirection direction) => direction is MergeDirection.Commit ? RequestedMerge.Commit : RequestedMerge.Pull;

    /// <summary>What libvirt calls a copy of a disk.</summary>
    public static int TypeOf(MirrorKind kind) => kind is MirrorKind.Commit ? ActiveCommit : Copy;

    /// <summary>A job that is over.</summary>
    public static BlockJobChange Of(MergeJob job, string path, bool isMerged) =>
        new(job.Disk, path, TypeOf(job.Direction), isMerged ? Completed : Cancelled);
}

/// <summary>The memory of a guest has been saved (virDomainJobOperation).</summary>
/// <param name="Operation">For what.</param>
/// <param name="Memory">How large it is.</param>
internal readonly record struct SavedGuest(int Operation, ByteCount Memory)
{
    public const int ForItself = 2, WithSnapshot = 6;
}

/// <summary>A note in the definition of a domain has changed (virDomainMetadataType).</summary>
/// <param name="Type">Which.</param>
/// <param name="Namespace">Whose element it is; null for the other kinds.</param>
internal readonly record struct NoteChange(int Type, string? Namespace)
{
    public const int Description = 0, Title = 1, Element = 2;
}

/// <summary>What has become of a domain between two looks. It does not matter who did it.</summary>
internal static class DomainChanges
{
    private static readonly LifecycleChange[] s_killed = [LifecycleChange.ShutDownByHost, LifecycleChange.Destroyed];

    /// <summary>What its watchers are told, in order.</summary>
    /// <param name="before">The domain before; null if it was not there.</param>
    /// <param name="after">The domain after; null if it is not there.</param>
    public static IEnumerable<LifecycleChange> Between(SeenDomain? before, SeenDomain? after) => (before, after) switch
    {
        (null, null) => [],
        (null, { } made) => [.. IsPassing(made) ? [] : new[] { LifecycleChange.Defined }, .. made.IsAlive ? Begun(made, LifecycleChange.Started) : []],
        ({ } gone, null) => [.. gone.IsAlive ? Ended(gone, null) : [], .. IsPassing(gone) ? [] : new[] { LifecycleChange.Undefined }],
        ({ } was, { } now) => [.. OfRecord(was, now), .. OfLife(was, now), .. IsElsewhere(was, now) ? new[] { LifecycleChange.DefinedFromSnapshot } : []],
    };

    /// <summary>The jobs that are over: the layer that was to go has gone, or it has not.</summary>
    public static IEnumerable<BlockJobChange> JobsBetween(SeenDomain was, SeenDomain now)
    {
        var (before, after) = (LayerGraph.Of(was.Catalog), LayerGraph.Of(now.Catalog));
        return from job in was.Catalog.Jobs
               where now.Catalog.Jobs.All(j => j.Id != job.Id) && !IsMirrored(job)
               let head = was.Catalog.Head.Disks.FirstOrDefault(d => d.Target == job.Disk)
               select BlockJobChange.Of(job, head is null ? "" : before[head.Layer].Path, isMerged: !after.Has(job.Gone));

        // What would have been merged later has ended with the copy that did the same.
        bool IsMirrored(MergeJob job) => was.Catalog.Mirrors.Any(m => m.Disk == job.Disk && now.Catalog.Mirrors.All(left => left.Id != m.Id));
    }

    /// <summary>The copies of disks that are over. One that is kept is one that was given up, as libvirt has it.</summary>
    public static IEnumerable<BlockJobChange> MirrorsBetween(SeenDomain was, SeenDomain now)
    {
        var graph = LayerGraph.Of(was.Catalog);
        return from mirror in was.Catalog.Mirrors
               where now.Catalog.Mirrors.All(m => m.Id != mirror.Id)
               let ended = now.Catalog.EndedMirrors.FirstOrDefault(e => e.Id == mirror.Id)
               let hasMoved = ended is { End: MirrorEnd.Pivot }
               select new BlockJobChange(
                   mirror.Disk, graph[hasMoved ? mirror.Target : mirror.Source].Path, BlockJobChange.TypeOf(mirror.Kind),
                   hasMoved ? BlockJobChange.Completed : ended is { HasFailed: true } ? BlockJobChange.Failed : BlockJobChange.Cancelled);
    }

    /// <summary>The notes that differ, where nothing else of the definition does and no snapshot brought another.</summary>
    public static ImmutableArray<NoteChange> NotesBetween(SeenDomain was, SeenDomain now) =>
        was.Catalog.Head.Definition != now.Catalog.Head.Definition && was.Definition is { } before && now.Definition is { } after
            && !IsReverted(was, now) && before.IsSameMachine(after)
            ? [.. Notes(before, after)]
            : [];

    /// <summary>The memory that was saved: beside images, for the domain itself or with the snapshot that it stands on.</summary>
    public static SavedGuest? SavedBetween(SeenDomain was, SeenDomain now)
    {
        var operation = was.Catalog.Head.Saved is null && now.Catalog.Head.Saved is not null && !IsReverted(was, now) ? SavedGuest.ForItself
            : now.Catalog.Current is { } current && !was.Catalog.Snapshots.ContainsKey(current)
                && now.Catalog.Snapshots[current] is { Memory.Mode: MemoryMode.External } taken && taken.Parent == was.Catalog.Current ? SavedGuest.WithSnapshot
            : (int?)null;
        return was.IsAlive && operation is { } what && now.Definition is { } definition ? new SavedGuest(what, definition.Memory) : null;
    }

    private static IEnumerable<NoteChange> Notes(DomainDefinition before, DomainDefinition after)
    {
        if (before.Title != after.Title)
        {
            yield return new(NoteChange.Title, null);
        }

        if (before.Description != after.Description)
        {
            yield return new(NoteChange.Description, null);
        }

        var (old, noted) = (DomainNote.ReadAll(before.Metadata), DomainNote.ReadAll(after.Metadata));
        foreach (var space in old.Keys.Union(noted.Keys).Where(n => old.GetValueOrDefault(n) != noted.GetValueOrDefault(n)).Order(StringComparer.Ordinal))
        {
            yield return new(NoteChange.Element, space);
        }
    }

    private static bool IsPassing(SeenDomain domain) => domain.Catalog.Persistence is Persistence.Transient or Persistence.Trial;

    private static IEnumerable<LifecycleChange> OfRecord(SeenDomain was, SeenDomain now)
    {
        if (was.Catalog.Name != now.Catalog.Name)
        {
            return [LifecycleChange.UndefinedByRename, LifecycleChange.DefinedByRename];
        }

        if (IsPassing(was) && !IsPassing(now))
        {
            return [LifecycleChange.Defined];
        }

        return was.Catalog.Head.Definition != now.Catalog.Head.Definition && !IsReverted(was, now) && NotesBetween(was, now).IsEmpty ? [LifecycleChange.Redefined] : [];
    }

    private static LifecycleChange[] OfLife(SeenDomain was, SeenDomain now) => (was.IsAlive, now.IsAlive) switch
    {
        (false, false) => [],
        (false, true) => Begun(
            now, IsReverted(was, now) ? LifecycleChange.StartedFromSnapshot
            : was.Catalog.Head.Saved is not null ? LifecycleChange.Restored
            : LifecycleChange.Started),
        (true, false) => Ended(was, now),
        _ when IsElsewhere(was, now) => [LifecycleChange.StoppedFromSnapshot, .. Begun(now, LifecycleChange.StartedFromSnapshot)],
        _ when was.ProcessId != now.ProcessId => [.. s_killed, .. Begun(now, LifecycleChange.Started)],
        _ => Went(was.State, now.State),
    };

    /// <summary>In the order in which libvirt has it. A domain that begins paused was never seen to run.</summary>
    private static LifecycleChange[] Begun(SeenDomain now, LifecycleChange how) => (now.State is DomainState.Paused, how == LifecycleChange.Started) switch
    {
        (true, _) => [how, how == LifecycleChange.StartedFromSnapshot ? LifecycleChange.PausedFromSnapshot : LifecycleChange.Paused],
        (false, true) => [LifecycleChange.Resumed, how],
        _ => [how, LifecycleChange.ResumedFromSnapshot],
    };

    /// <summary>A process that has ended by itself is still on record: unless its guest was heard to power off, it failed.</summary>
    private static LifecycleChange[] Ended(SeenDomain was, SeenDomain? now) =>
        was.State is DomainState.Crashed ? [LifecycleChange.StoppedByCrash]
        : was.HasPoweredOff || was.State is DomainState.Off ? [LifecycleChange.ShutDownByGuest, LifecycleChange.ShutDown]
        : now is null ? s_killed
        : now.Catalog.Head.Process is not null ? [LifecycleChange.StoppedByFailure]
        : now.Catalog.Head.Saved is not null ? [LifecycleChange.Saved]
        : IsReverted(was, now) || IsHalted(was, now) ? [LifecycleChange.StoppedFromSnapshot]
        : s_killed;

    /// <summary>It was switched off with a snapshot.</summary>
    private static bool IsHalted(SeenDomain was, SeenDomain now) =>
        now.Catalog.Current is { } current && !was.Catalog.Snapshots.ContainsKey(current);

    private static LifecycleChange[] Went(DomainState was, DomainState now) => (was, now) switch
    {
        _ when was == now => [],
        (DomainState.Suspended, DomainState.Running) => [LifecycleChange.WokenUp],
        (_, DomainState.Running) => [LifecycleChange.Resumed],
        (_, DomainState.Paused) => [LifecycleChange.Paused],
        (_, DomainState.IoError) => [LifecycleChange.Failed],
        (_, DomainState.Suspended) => [LifecycleChange.Suspended],
        (_, DomainState.Crashed) => [LifecycleChange.Crashed],
        _ => [],
    };

    /// <summary>It was reverted. One that runs is run by another process then, and the snapshot may have been taken since.</summary>
    private static bool IsElsewhere(SeenDomain was, SeenDomain now) =>
        IsReverted(was, now) || (was.IsAlive && now.IsAlive && was.ProcessId != now.ProcessId && HasMoved(was.Catalog, now.Catalog));

    /// <summary>
    /// It stands where a tip did that has gone, or on new layers with the definition of a snapshot that was there: whatever else changes its layers has
    /// other definitions, leaves disks where they are, or goes on with layers that were known.
    /// </summary>
    private static bool IsReverted(SeenDomain was, SeenDomain now)
    {
        var (before, after) = (was.Catalog, now.Catalog);
        return HasMoved(before, after) && (IsUsed(before.Tips) || IsNew());

        bool IsUsed(ImmutableArray<Tip> tips) => tips.Any(t =>
            t.Current == after.Current && t.Head.Definition == after.Head.Definition && after.Tips.All(left => left.Id != t.Id));

        bool IsNew() => after.Current is { } current && before.Snapshots.GetValueOrDefault(current) is { } snapshot
            && snapshot.Definition == after.Head.Definition
            && snapshot.Disks.Where(d => d.IsKept).All(d => after.Head.Disks.Any(h => h.Target == d.Target && (!LayerGraph.Of(before).Has(h.Layer) || h.Layer == d.Layer)));
    }

    private static bool HasMoved(Catalog before, Catalog after) =>
        !before.Head.Disks.Select(d => d.Layer).SequenceEqual(after.Head.Disks.Select(d => d.Layer));
}
