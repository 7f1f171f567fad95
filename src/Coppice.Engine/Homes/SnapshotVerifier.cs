using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Reads what snapshots rely on against checksums, and takes those that are missing. Takes no lock of the domain: what looks wrong while a
/// merge or another command changes it is looked at again. Whoever takes checksums holds <see cref="DomainFolder.ChecksumsLock"/>, so
/// that nothing is read twice for it.
/// </summary>
internal sealed class SnapshotVerifier(HomeOptions options, DomainFolder folder)
{
    private readonly ChecksumStore _checksums = new(folder);

    private readonly Dictionary<string, (VerifiedState State, string Problem)> _sound = [];

    public async Task<ImmutableArray<Verification>> VerifyAsync(string? snapshot, bool take, CancellationToken cancellation)
    {
        using var held = take
            ? await FileLock.AcquireAsync(folder.ChecksumsLock, TimeSpan.MaxValue, options.Time, cancellation).ConfigureAwait(false)
            : null;
        return await UnlockedReading.ReadAsync(
            new CatalogStore(folder), c => VerifyAsync(c, snapshot, take, cancellation),
            (verified, _, _) => verified.All(v => IsSound(v.State))).ConfigureAwait(false);
    }

    private async Task<ImmutableArray<Verification>> VerifyAsync(
        Catalog catalog, string? snapshot, bool take, CancellationToken cancellation)
    {
        Snapshot[] meant = snapshot is null ? [.. catalog.Snapshots.Values.OrderBy(s => s.CreatedAt)] : [catalog.Find(snapshot)];
        var verified = ImmutableArray.CreateBuilder<Verification>();
        foreach (var look in await LookAsync(catalog, meant, cancellation).ConfigureAwait(false))
        {
            if (!_sound.TryGetValue(look.Thing.Id, out var found))
            {
                found = look.Obstacle ?? await VerifyAsync(look, take, cancellation).ConfigureAwait(false);
                _ = IsSound(found.State) && _sound.TryAdd(look.Thing.Id, found);
            }

            verified.Add(new Verification(found.State, look.Thing.Layer?.Disk, look.Thing.Path, look.Thing.Snapshots, found.Problem));
        }

        return verified.ToImmutable();
    }

    private static bool IsSound(VerifiedState state) => state is VerifiedState.Intact or VerifiedState.Taken or VerifiedState.Unverified;

    /// <summary>The snapshots that rely on something of which there is no checksum that counts. Nothing is read but what is known of files.</summary>
    public async Task<ImmutableHashSet<SnapshotId>> FindUnverifiedAsync(Catalog catalog, CancellationToken cancellation)
    {
        var looks = await LookAsync(catalog, [.. catalog.Snapshots.Values], cancellation).ConfigureAwait(false);
        var names = looks.Where(l => l.Obstacle is not null || l.Awaits).SelectMany(l => l.Thing.Snapshots).ToHashSet(StringComparer.Ordinal);
        return [.. catalog.Snapshots.Values.Where(s => names.Contains(s.Name)).Select(s => s.Id)];
    }

    /// <summary>What can be told of what the snapshots rely on, before it is read.</summary>
    public Task<ImmutableArray<Look>> LookAsync(CancellationToken cancellation)
    {
        var catalog = new CatalogStore(folder).Read();
        return LookAsync(catalog, [.. catalog.Snapshots.Values.OrderBy(s => s.CreatedAt)], cancellation);
    }

    private async Task<ImmutableArray<Look>> LookAsync(Catalog catalog, Snapshot[] meant, CancellationToken cancellation)
    {
        var frozen = Frozen(catalog, meant).ToArray();
        var files = await options.Storage.ObserveFilesAsync(frozen.Select(f => f.Path), cancellation).ConfigureAwait(false);
        var recordedAt = new CatalogStore(folder).ReadRecordTimes();
        var rewritten = FrozenLayers.Rewritten(catalog, [.. frozen.Select(f => f.Chain).Where(c => !c.IsEmpty)], files, recordedAt)
            .Select(r => r.Layer.Id).ToHashSet();
        var merged = CheckedDomain.InMerge(catalog);
        return [.. frozen.Select(one => new Look(one, files.GetValueOrDefault(one.Path), _checksums.Read(one.Id), ObstacleTo(one)))];

        (VerifiedState, string)? ObstacleTo(FrozenThing one) =>
            one.Layer is { } layer && merged.Contains(layer.Id) ? (VerifiedState.Unverified, "a merge changes its images")
            : !files.TryGetValue(one.Path, out var file) ? (VerifiedState.Missing, "restore it from a backup")
            : IsRewritten(one, file.ModifiedAt) ? (VerifiedState.Rewritten, "it was written after its snapshot froze it")
            : null;

        // The file of an internal snapshot goes on being written; its own tables do not.
        bool IsRewritten(FrozenThing one, DateTimeOffset modifiedAt) => one.Layer is { } own
            ? own.Inside is null && rewritten.Contains(own.Id)
            : modifiedAt > recordedAt(one.Owner);
    }

    /// <summary>Reads something that nothing speaks against.</summary>
    public async Task<(VerifiedState State, string Problem)> VerifyAsync(Look look, bool take, CancellationToken cancellation)
    {
        if (look.Known is null && !take)
        {
            return (VerifiedState.Unverified, "");
        }

        try
        {
            var digest = await DigestAsync(look.Thing, cancellation).ConfigureAwait(false);
            if (look.Known?.Sha256 == digest)
            {
                return look.Awaits && take && (await TakeAsync(look, digest, cancellation).ConfigureAwait(false)) is { State: not VerifiedState.Taken } other
                    ? other
                    : (VerifiedState.Intact, "");
            }

            if (look.Known is not null && !look.Awaits)
            {
                return (VerifiedState.Changed, "restore it from a backup, and look at the disk that it is on");
            }

            return take ? await TakeAsync(look, digest, cancellation).ConfigureAwait(false) : (VerifiedState.Unverified, "");
        }
        catch (CoppiceException e)
        {
            return (e.Kind is ErrorKind.NotFound ? VerifiedState.Missing : VerifiedState.Unreadable, e.Problem);
        }
    }

    private async Task<string> DigestAsync(FrozenThing one, CancellationToken cancellation)
    {
        if (one.Layer is not { } layer)
        {
            return await options.Storage.DigestFileAsync(one.Path, cancellation).ConfigureAwait(false);
        }

        await options.Storage.CheckAsync(one.Chain, cancellation).ConfigureAwait(false);
        return await options.Storage.DigestAsync(layer, cancellation).ConfigureAwait(false);
    }

    /// <summary>What was written while it was read is not what froze.</summary>
    private async Task<(VerifiedState State, string Problem)> TakeAsync(Look look, string digest, CancellationToken cancellation)
    {
        var (one, file) = (look.Thing, look.File!);
        var now = await options.Storage.ObserveFilesAsync([one.Path], cancellation).ConfigureAwait(false);
        if (one.Layer?.Inside is null && now.GetValueOrDefault(one.Path)?.ModifiedAt != file.ModifiedAt)
        {
            return (VerifiedState.Rewritten, "it was written while it was read");
        }

        await _checksums.WriteAsync(one.Id, file.ModifiedAt, digest).ConfigureAwait(false);
        return (VerifiedState.Taken, "");
    }

    private static IEnumerable<FrozenThing> Frozen(Catalog catalog, Snapshot[] snapshots)
    {
        var graph = LayerGraph.Of(catalog);
        var layers =
            from snapshot in snapshots
            from disk in snapshot.Disks
            where disk.IsKept
            from layer in graph.Chain(disk.Layer)
            group snapshot.Name by layer.Id into users
            select new FrozenThing(users.Key.ToString(), graph[users.Key].Path, [.. users.Distinct()])
            {
                Layer = graph[users.Key], Chain = graph.Chain(users.Key),
            };
        var memories = snapshots.Where(s => s.Memory.File is not null)
            .Select(s => new FrozenThing(s.Id.ToString(), s.Memory.File!, [s.Name]) { Owner = s.Id });
        return layers.Concat(memories);
    }

    /// <summary>A layer, or the memory of a snapshot.</summary>
    internal sealed record FrozenThing(string Id, string Path, ImmutableArray<string> Snapshots)
    {
        public Layer? Layer { get; init; }

        public ImmutableArray<Layer> Chain { get; init; } = [];

        public SnapshotId Owner { get; init; }
    }

    /// <summary>What can be told of something frozen without reading it.</summary>
    /// <param name="Thing">It.</param>
    /// <param name="File">Its file; null if that is gone.</param>
    /// <param name="Known">Its checksum; null if there is none.</param>
    /// <param name="Obstacle">Why it is not worth reading; null if it is.</param>
    internal sealed record Look(FrozenThing Thing, FileObservation? File, ChecksumDocument? Known, (VerifiedState State, string Problem)? Obstacle)
    {
        /// <summary>
        /// Whether there is no checksum of it as it is: none at all, or of what it was before it was written, as by a merge, or
        /// when somebody has forced it to be taken as it is.
        /// </summary>
        public bool Awaits => Obstacle is null && (Known is null || (Thing.Layer?.Inside is null && Known.ModifiedAt != File!.ModifiedAt));
    }
}
