using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Layers that domains use where another one has them. The loan is in the lender's catalog before the borrower's names the layer;
/// the borrower's catalog alone says whether it lasts.
/// </summary>
internal sealed class Lending(HomeOptions options, HomeFolder home)
{
    /// <summary>
    /// The loans of a catalog whose borrowers are gone, or no longer name what they had borrowed. Needs no lock.
    /// </summary>
    public ImmutableArray<Loan> Stale(Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        return [.. catalog.Loans.Where(loan => !IsUsed(graph[loan.Layer].Path, home.Domain(loan.Borrower)))];
    }

    /// <summary>Where a domain goes on from layers of another.</summary>
    public async Task<ImmutableDictionary<ShortId, SharedPlace>> FindPlacesAsync(
        DomainFolder folder, IEnumerable<Layer> layers, CancellationToken cancellation)
    {
        var all = layers.DistinctBy(l => l.Id).ToArray();
        var places = await Task.WhenAll(all.Select(l => options.Storage.FindPlaceAsync(folder, l, cancellation))).ConfigureAwait(false);
        return all.Zip(places).ToImmutableDictionary(p => p.First.Id, p => p.Second);
    }

    /// <summary>
    /// Records what a domain is going to borrow, with each domain that has it as its own: a fork of a fork
    /// borrows what that one has borrowed. Images whose owners are undefined by now are nobody's but the user's. Needs the lock
    /// of the home.
    /// </summary>
    /// <param name="call">The request.</param>
    /// <param name="finder">Finds the owners.</param>
    /// <param name="lender">The domain that has the snapshot, whose lock the caller holds.</param>
    /// <param name="borrower">The domain that borrows; nobody holds its lock who is not the caller.</param>
    /// <param name="layers">What it is going to have.</param>
    /// <returns>The owners, locked: until the borrower names what it has, a loan looks stale.</returns>
    public async Task<Owners> LendAsync(
        Call call, DomainFinder finder, (DomainSession Session, Catalog Catalog) lender, DomainId borrower, IEnumerable<Layer> layers)
    {
        var all = layers.ToArray();
        var borrowed = Borrowed(all);
        if (borrowed.Count > 0)
        {
            await LendAsync(call, lender.Session, lender.Catalog, borrowed, borrower).ConfigureAwait(false);
        }

        DomainFolder[] known = [home.Domain(borrower), home.Domain(lender.Catalog.Domain)];
        var owners = await OpenOwnersAsync(call, finder, f => !known.Contains(f), borrowed).ConfigureAwait(false);
        try
        {
            await LendAsync(call, owners, borrower, all).ConfigureAwait(false);
            return owners;
        }
        catch
        {
            owners.Dispose();
            throw;
        }
    }

    /// <summary>Records what a domain has borrowed with all who do not know. Needs the lock of the home and of the domain.</summary>
    public async Task RenewAsync(Call call, DomainFinder finder, DomainFolder borrower, Catalog catalog)
    {
        var layers = LayerGraph.Of(catalog).All;
        using var owners = await OpenOwnersAsync(call, finder, f => f != borrower, Borrowed(layers)).ConfigureAwait(false);
        await LendAsync(call, owners, catalog.Domain, layers).ConfigureAwait(false);
    }

    /// <summary>Records what a domain is going to borrow with owners that are open.</summary>
    public async Task LendAsync(Call call, Owners owners, DomainId borrower, IEnumerable<Layer> layers)
    {
        var borrowed = Borrowed(layers);
        foreach (var (folder, session) in owners)
        {
            await LendAsync(call, session, new CatalogStore(folder).Read(), borrowed, borrower).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Opens every domain that has one of some images as its own, or an interrupted operation about one: that may yet remove it.
    /// Needs the lock of the home.
    /// </summary>
    /// <param name="call">The request.</param>
    /// <param name="finder">Finds the domains.</param>
    /// <param name="which">Those that may be opened.</param>
    /// <param name="images">The images.</param>
    public static async Task<Owners> OpenOwnersAsync(
        Call call, DomainFinder finder, Func<DomainFolder, bool> which, IReadOnlySet<string> images)
    {
        var owners = new Owners();
        try
        {
            foreach (var folder in images.Count == 0 ? [] : finder.Folders().Where(which).ToArray())
            {
                // An operation has a journal from before its commit until it has cleaned up, so the catalog is asked first.
                if (new CatalogStore(folder) is { Exists: true } store
                    && (Owned(store.Read(), images).Any() || Recovery.Concerns(folder, images)))
                {
                    owners.Add((folder, await DomainSession.OpenAsync(call, folder).ConfigureAwait(false)));
                }
            }

            return owners;
        }
        catch
        {
            owners.Dispose();
            throw;
        }
    }

    private Task LendAsync(Call call, DomainSession session, Catalog catalog, IReadOnlySet<string> borrowed, DomainId borrower)
    {
        ImmutableArray<Loan> loans = [.. Owned(catalog, borrowed).Select(l => new Loan(l.Id, borrower)).Except(catalog.Loans)];
        return loans.IsEmpty ? Task.CompletedTask : session.ExecuteAsync(new Plan
        {
            Id = options.Ids.NextShort(),
            Operation = call.Request.Operation,
            Domain = catalog.Domain,
            Mechanism = "lend images",
            Commit = new CatalogChange { Head = catalog.Head, Current = catalog.Current, PutLoans = loans },
        });
    }

    private static HashSet<string> Borrowed(IEnumerable<Layer> layers) =>
        layers.Where(l => l.Origin is LayerOrigin.Borrowed).Select(l => l.Path).ToHashSet(StringComparer.Ordinal);

    /// <summary>The layers that a domain has as its own among some images.</summary>
    public static IEnumerable<Layer> Owned(Catalog catalog, IReadOnlySet<string> borrowed) =>
        LayerGraph.Of(catalog).All.Where(l => l is { Inside: null, Origin: not LayerOrigin.Borrowed } && borrowed.Contains(l.Path));

    /// <summary>One that cannot be read may use everything; an operation that was interrupted may yet be finished.</summary>
    private static bool IsUsed(string path, DomainFolder borrower)
    {
        try
        {
            if (new CatalogStore(borrower) is not { Exists: true } store)
            {
                return false;
            }

            var catalog = store.Read();
            return Recovery.Pending(borrower, catalog).Select(change => change.ApplyTo(catalog, catalog.Last)).Append(catalog)
                .Any(c => LayerGraph.Of(c).All.Any(l => l.Path == path));
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
            return false;
        }
        catch (CoppiceException)
        {
            return true;
        }
    }

    /// <summary>Domains that have images which another is going to borrow, while their locks are held.</summary>
    internal sealed class Owners : List<(DomainFolder Folder, DomainSession Session)>, IDisposable
    {
        /// <summary>What was settled when they were opened.</summary>
        public ImmutableArray<string> Warnings => [.. this.SelectMany(o => o.Session.Warnings)];

        /// <summary>Refuses while one of them merges one of some images.</summary>
        /// <exception cref="CoppiceException">One does (<see cref="ErrorKind.WrongState"/>).</exception>
        public void RequireNoMergeOf(IReadOnlySet<string> images, string problem) =>
            ForEach(o => Merging.RequireNoneOf(new CatalogStore(o.Folder).Read(), images, problem));

        public void Dispose() => ForEach(o => o.Session.Dispose());
    }
}
