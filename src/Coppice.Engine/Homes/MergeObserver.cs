using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What there is to know of merges before an operation is planned.</summary>
/// <param name="States">What the processes say about those on record.</param>
/// <param name="Costs">What those that may come about would write, by the lower layer.</param>
/// <param name="UsedElsewhere">The images that other domains use.</param>
internal sealed record ObservedMerges(
    ImmutableDictionary<ShortId, MergeObservation> States, ImmutableDictionary<ShortId, MeasuredMerge> Costs,
    ImmutableHashSet<string> UsedElsewhere);

/// <summary>Looks at the merges of a domain, and measures those that a request may put on record.</summary>
/// <param name="options">The drivers.</param>
/// <param name="folder">The domain.</param>
/// <param name="stored">Its catalog as it is.</param>
/// <param name="isForeseen">What is observed is not that, but what it becomes when merges are finished that are ready.</param>
internal sealed class MergeObserver(HomeOptions options, DomainFolder folder, Catalog stored, bool isForeseen)
{
    /// <param name="request">The request.</param>
    /// <param name="catalog">The catalog, without the loans that are over.</param>
    /// <param name="files">What is known of the files of its layers.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public async Task<ObservedMerges> ObserveAsync(
        Request request, Catalog catalog, ImmutableDictionary<string, FileObservation> files, CancellationToken cancellation)
    {
        var merges = catalog.Jobs.Where(j => j.Process is not null).Select(j => ObserveAsync(j, cancellation));
        var mirrors = catalog.Mirrors.Select(m => options.Hypervisor.ObserveMergeAsync(folder, m.Process, m.Id, cancellation));
        var states = await Task.WhenAll(merges.Concat(mirrors)).ConfigureAwait(false);
        var next = request switch
        {
            DeleteSnapshot { Mode: DeleteMode.Merge } delete =>
                DeletedSnapshots.Of(catalog, delete).Change(keeps: false).ApplyTo(catalog, catalog.Last),
            CollectGarbage or CommitDisk => catalog,
            _ => null,
        };
        var used = next is null ? [] : await UsedElsewhereAsync(catalog, files, cancellation).ConfigureAwait(false);
        return new ObservedMerges(
            states.ToImmutableDictionary(s => s.Job),
            next is null
                ? ImmutableDictionary<ShortId, MeasuredMerge>.Empty
                : await MeasureAsync(next, new UnnamedLayers(next, files, used).Find(), cancellation).ConfigureAwait(false),
            used);
    }

    /// <summary>One that the finishing of another will have begun is not there yet.</summary>
    private Task<MergeObservation> ObserveAsync(MergeJob job, CancellationToken cancellation) =>
        isForeseen && stored.Jobs.All(j => j.Process != job.Process || j.Id != job.Id)
            ? Task.FromResult(new MergeObservation(job.Id, MergeState.Running, default, default))
            : options.Hypervisor.ObserveMergeAsync(folder, job.Process!.Value, job.Id, cancellation);

    /// <summary>
    /// The layers of a catalog that have no name, and why they are there. Asks other domains only if it hangs on these.
    /// </summary>
    public async Task<ImmutableArray<LeftLayer>> LeftAsync(HypervisorObservation hypervisor, CancellationToken cancellation)
    {
        var none = ImmutableDictionary<ShortId, MergeObservation>.Empty;
        if (LeftLayer.Of(stored, ImmutableDictionary<string, FileObservation>.Empty, [], hypervisor, none).IsEmpty)
        {
            return [];
        }

        var lent = WithoutStaleLoans();
        var paths = LayerGraph.Of(lent).All.Select(l => l.Path);
        var files = await options.Storage.ObserveFilesAsync(paths, cancellation).ConfigureAwait(false);
        var intoUsers = new UnnamedLayers(lent, files, []).Find()
            .Any(u => u.Lower.Origin is LayerOrigin.User && u.AgainstCommit is null);
        var used = intoUsers ? await UsedElsewhereAsync(lent, files, cancellation).ConfigureAwait(false) : [];
        var states = await Task.WhenAll(lent.Jobs.Where(j => j.Process is not null).Select(
            j => AskAsync(j, cancellation))).ConfigureAwait(false);
        return LeftLayer.Of(lent, files, used, hypervisor, states.ToImmutableDictionary(s => s.Job));
    }

    /// <summary>What is read of a domain does not hang on a process that does not answer: it may be at work.</summary>
    private async Task<MergeObservation> AskAsync(MergeJob job, CancellationToken cancellation)
    {
        try
        {
            return await ObserveAsync(job, cancellation).ConfigureAwait(false);
        }
        catch (CoppiceException)
        {
            return new MergeObservation(job.Id, MergeState.Running, default, default);
        }
    }

    /// <summary>The names that merged layers have not got yet.</summary>
    public async Task<ImmutableArray<WaitingRename>> RenamesAsync(HypervisorObservation hypervisor, CancellationToken cancellation)
    {
        if (stored.Renames.IsEmpty)
        {
            return [];
        }

        var lent = WithoutStaleLoans();
        var graph = LayerGraph.Of(lent);
        var paths = graph.All.Select(l => l.Path).Concat(stored.Renames.Select(r => r.PathOf(graph[r.Layer])));
        var files = await options.Storage.ObserveFilesAsync(paths, cancellation).ConfigureAwait(false);
        return [.. stored.Renames.Select(r => new WaitingRename(graph[r.Layer], r.Name, r.ReasonToWait(lent, files, hypervisor)))];
    }

    private Catalog WithoutStaleLoans() => stored.Without(new Lending(options, folder.Home).Stale(stored));

    private async Task<ImmutableDictionary<ShortId, MeasuredMerge>> MeasureAsync(
        Catalog catalog, ImmutableArray<UnnamedLayer> unnamed, CancellationToken cancellation)
    {
        var graph = LayerGraph.Of(catalog);
        var measured = await Task.WhenAll(unnamed.Where(u => u is { CanMerge: true, Upper: not null }).Select(
            async u => KeyValuePair.Create(u.Lower.Id, await MeasureAsync(graph, u.Lower, u.Upper!).ConfigureAwait(false)))).ConfigureAwait(false);
        return measured.ToImmutableDictionary();

        async Task<MeasuredMerge> MeasureAsync(LayerGraph graph, Layer lower, Layer upper)
        {
            try
            {
                if (!isForeseen)
                {
                    await options.Storage.CheckAsync(graph.Chain(upper.Id), cancellation).ConfigureAwait(false);
                }

                return new MeasuredMerge(await options.Storage.MeasureMergeAsync(lower, upper, cancellation).ConfigureAwait(false));
            }
            catch (CoppiceException e)
            {
                // Deleting goes on: what cannot be read is not merged.
                return new MeasuredMerge(null, e.Message);
            }
        }
    }

    /// <summary>
    /// Only an image that a user brought can be another domain's too, and what is on record already is kept from others. A domain
    /// that cannot be read may use any.
    /// </summary>
    private async Task<ImmutableHashSet<string>> UsedElsewhereAsync(
        Catalog catalog, ImmutableDictionary<string, FileObservation> files, CancellationToken cancellation)
    {
        var own = LayerGraph.Of(catalog).All.Where(l => l.Origin is LayerOrigin.User).Select(l => l.Path).ToArray();
        if (own.Length == 0)
        {
            return [];
        }

        string[] others;
        try
        {
            var finder = new DomainFinder(folder.Home);
            finder.RequireAllReadable();
            others = [.. finder.Others(folder).Select(ImageUse.Of).SelectMany(u => u.All)];
        }
        catch (CoppiceException)
        {
            others = own;
        }

        files = files.SetItems(await options.Storage.ObserveFilesAsync(others, cancellation).ConfigureAwait(false));
        return [.. others.Select(p => files.TryGetValue(p, out var file) ? file.Identity : p)];
    }
}
