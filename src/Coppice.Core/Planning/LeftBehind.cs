using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a revert makes of the head that it leaves: nothing, a tip, or a snapshot.</summary>
/// <param name="Tip">It is kept as a tip.</param>
/// <param name="Snapshot">It is kept as a snapshot (R161).</param>
internal sealed record LeftBehind(Tip? Tip = null, Snapshot? Snapshot = null)
{
    /// <summary>It goes.</summary>
    public static LeftBehind Nothing { get; } = new();

    /// <summary>Where the memory of the process that is left goes.</summary>
    public MemoryImage Memory => Tip?.Memory ?? Snapshot?.Memory ?? MemoryImage.None;

    /// <summary>The same in a few words.</summary>
    public string Words => this switch
    {
        { Tip: { } tip } => $"what is left is kept as tip {tip.Id}",
        { Snapshot: { } snapshot } => $"what is left is kept as snapshot '{snapshot.Name}'",
        _ => "what is left is discarded",
    };

    /// <summary>
    /// A tip if something would be lost with the head, which then is dirty (R169): the memory of an active domain, or what was
    /// written to the head of one that is off, or a definition that no snapshot has. What a TPM has learned does not show, so it
    /// counts as written.
    /// </summary>
    /// <param name="context">What is planned.</param>
    /// <param name="asked">Where the memory goes; null to have a file made.</param>
    public static LeftBehind AsTip(PlanContext context, MemoryRequest? asked = null)
    {
        var active = context.LiveProcess is not null;
        if (IsClean(context) || (!active && IsUnwritten(context)))
        {
            return Nothing;
        }

        RequireExternal(context, asked?.Mode, "tip");
        var memory = MemoryImage.None;
        if (active)
        {
            context.RequireWhole();
            memory = new SnapshotFiles(context.Observed, context.Graph).Memory(asked?.File) with
            {
                WrittenBy = context.WriterOf(MemoryMode.External),
            };
            MemoryRoom.Require(context, memory, "keep nothing of what is left");
        }

        return new LeftBehind(new Tip
        {
            Id = context.Observed.Ids.NextShort(),
            LeftAt = context.Observed.Now,
            State = active || context.Head.Saved is not null ? context.State : DomainState.Off,
            Current = context.Catalog.Current,
            Head = context.DirtyHead with { Process = null },
            Memory = memory,
        });
    }

    /// <summary>
    /// A snapshot (R161, R164). No layer is made for it: nobody writes to those of a head that is left. A disk that the domain
    /// takes along, since it took no part in where it goes, takes no part here either.
    /// </summary>
    public static LeftBehind AsSnapshot(PlanContext context, RevertDestination destination, CreateSnapshot request)
    {
        context.RequireWhole();
        var taken = destination.Disks.Intersect(context.Head.Disks).Select(d => d.Target).ToHashSet(StringComparer.Ordinal);
        var written = context.Observed.Definition.Disks.Where(d => d is { IsWritten: true, Source: not null }).Select(d => d.Target);
        var memory = context.LiveProcess is null ? request.Memory : request.Memory ?? new MemoryRequest(MemoryMode.External);
        var resolved = SnapshotResolver.Resolve(
            request with
            {
                Memory = memory,
                Disks = [.. written.Select(t => new DiskRequest(t, taken.Contains(t) ? DiskMode.None : DiskMode.External))],
            },
            context.Observed);
        RequireExternal(context, resolved.Memory.Mode, $"snapshot '{resolved.Name}'");
        SnapshotCreation.RequireRoom(context, resolved);
        var snapshot = SnapshotCreation.Record(context, resolved, SnapshotCreation.Switches(context, resolved), []);
        return new LeftBehind(Snapshot: snapshot with { Tpm = context.Head.Tpm });
    }

    private static void RequireExternal(PlanContext context, MemoryMode? memory, string kept)
    {
        if (memory is MemoryMode.Internal)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"memory of the {kept} that is left by {context.Subject}",
                "cannot go into a disk that the domain is about to leave", "ask for external memory, or for none");
        }
    }

    /// <summary>
    /// By the mark, unless it is belied by a layer that was empty when the mark was made: somebody let the guest run past
    /// Coppice, and it stands again.
    /// </summary>
    private static bool IsClean(PlanContext context) =>
        context.Catalog.CleanIn(context.Observed.Hypervisor) is { } same
        && context.Catalog.Snapshots.GetValueOrDefault(same) is { } snapshot
        && snapshot.Definition == context.Head.Definition
        && !snapshot.Disks.Where(d => d.Mode is DiskMode.External)
            .Join(context.Head.Disks, d => d.Target, h => h.Target, (_, head) => head)
            .Any(head => IsWritten(context, head));

    private static bool IsUnwritten(PlanContext context) =>
        context.Head is { Saved: null, Tpm: null } && !context.Head.Disks.Any(d => IsWritten(context, d))
        && context.Catalog.Snapshots.Values.Any(s => s.Definition == context.Head.Definition);

    private static bool IsWritten(PlanContext context, HeadDisk disk) =>
        !RevertChecks.IsReadOnly(context.Observed.Definition, disk.Target)
        && (context.Observed.MayHoldWrites(disk.Layer) || context.OnlyCopy(disk) is not null);
}
