using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Finds domains by what their folders hold. What a user gave as a name is compared, never made a path.</summary>
internal sealed class DomainFinder(HomeFolder home)
{
    private const int MaximumLooks = 100;

    /// <summary>The folders that are named like domains, also broken ones and those that a crash left.</summary>
    public IEnumerable<DomainFolder> Folders()
    {
        if (!Directory.Exists(home.Domains))
        {
            yield break;
        }

        foreach (var path in Directory.EnumerateDirectories(home.Domains).Order(StringComparer.Ordinal))
        {
            if (Guid.TryParseExact(Path.GetFileName(path), "D", out var id))
            {
                yield return home.Domain(new DomainId(id));
            }
        }
    }

    /// <summary>The folders in which all that domains had was kept when they were undefined.</summary>
    public IEnumerable<string> Undefined() => !Directory.Exists(home.Domains) ? [] :
        Directory.EnumerateDirectories(home.Domains, "*.undefined-*").Order(StringComparer.Ordinal);

    /// <summary>The names of the domains that can be read.</summary>
    public IEnumerable<string> Names() => Folders().Select(f => NameOf(f, out _)).OfType<string>();

    /// <summary>The catalogs of the domains that can be read.</summary>
    public IEnumerable<Catalog> Catalogs() => Folders().Select(f => TryRead(f, s => s.Read(), out _)).OfType<Catalog>();

    /// <summary>The domain of a name or uuid.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>).</exception>
    public DomainFolder Find(string nameOrId) => OfId(nameOrId) ?? Named(nameOrId) ?? throw NotFound(nameOrId);

    /// <summary>What is stored of the domain of a uuid, if this process knows that already; null otherwise.</summary>
    public Catalog? Known(string id) =>
        Guid.TryParseExact(id, "D", out var uuid) ? new CatalogStore(home.Domain(new DomainId(uuid))).Known : null;

    /// <summary>The domain of a name, or null. One whose root cannot be read has none.</summary>
    public DomainFolder? Named(string name) => Folders().FirstOrDefault(f => NameOf(f, out _) == name);

    /// <summary>Refuses a name that is another domain's, or its uuid.</summary>
    /// <param name="name">The name.</param>
    /// <param name="folder">The domain that wants it; null if there is none yet.</param>
    /// <param name="nextStep">What to do instead.</param>
    /// <exception cref="CoppiceException">It is (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public void RequireFree(string name, DomainFolder? folder, string nextStep)
    {
        if ((OfId(name) ?? Named(name)) is { } other && other != folder)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"domain '{name}'", $"exists already, with uuid {Path.GetFileName(other.Path)}", nextStep);
        }
    }

    /// <summary>
    /// Refuses while a domain cannot be read: its name and images are then unknown, and another domain might take them.
    /// </summary>
    /// <exception cref="CoppiceException">There is such a domain (<see cref="ErrorKind.Damaged"/>).</exception>
    public void RequireAllReadable()
    {
        foreach (var folder in Folders())
        {
            // A plan holds no lock: at any look the domain may be half made, or half gone. What is damaged stays so.
            Exception? problem = null;
            if (!Enumerable.Range(0, MaximumLooks).Any(_ => IsReadable(folder, out problem)))
            {
                throw new CoppiceException(
                    ErrorKind.Damaged, $"domain folder {folder.Path}",
                    $"cannot be read, so that its name and images are unknown: {problem?.Message ?? "it has no catalog"}",
                    "mend or move that folder", problem);
            }
        }
    }

    /// <summary>
    /// All domains but one, with the definitions in force; one of which an operation was interrupted also as it may yet become.
    /// One that vanishes meanwhile is none.
    /// </summary>
    /// <exception cref="CoppiceException">One cannot be read (<see cref="ErrorKind.Damaged"/>).</exception>
    public IEnumerable<(Catalog Catalog, DomainDefinition Definition)> Others(DomainFolder folder)
    {
        foreach (var other in Folders().Where(f => f != folder))
        {
            (Catalog Catalog, DomainDefinition Definition) found;
            try
            {
                if (new CatalogStore(other) is not { Exists: true } store)
                {
                    continue;
                }

                found = store.ReadWithDefinition();
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
            {
                continue;
            }

            yield return found;
            foreach (var commit in Recovery.Pending(other, found.Catalog))
            {
                yield return (commit.ApplyTo(found.Catalog, found.Catalog.Last), found.Definition);
            }
        }
    }

    private DomainFolder? OfId(string text) =>
        Guid.TryParseExact(text, "D", out var id) && home.Domain(new DomainId(id)) is var folder && new CatalogStore(folder).Exists
            ? folder
            : null;

    private static bool IsReadable(DomainFolder folder, out Exception? problem) =>
        TryRead(folder, s => s.Read(), out problem) is not null || Leftovers.Are(folder);

    /// <summary>If a root cannot be read, the domain may well be that one: then this is what has to be said.</summary>
    private CoppiceException NotFound(string nameOrId)
    {
        var folders = Folders().Select(f => (Folder: f, Name: NameOf(f, out var problem), Problem: problem)).ToArray();
        var missing = Lookup.NoDomain(nameOrId, folders.Select(f => f.Name).OfType<string>());
        var (broken, _, why) = folders.FirstOrDefault(f => f.Problem is not null);
        return why is null
            ? missing
            : new CoppiceException(
                ErrorKind.Damaged, missing.Subject,
                $"is not among the domains that can be read, and {broken.Path} cannot: {why.Message}",
                "mend or move that folder", why);
    }

    private static string? NameOf(DomainFolder folder, out Exception? problem) => TryRead(folder, s => s.ReadName(), out problem);

    private static T? TryRead<T>(DomainFolder folder, Func<CatalogStore, T> read, out Exception? problem)
        where T : class
    {
        problem = null;
        try
        {
            return new CatalogStore(folder) is { Exists: true } store ? read(store) : null;
        }
        catch (Exception e) when (e is CoppiceException { Kind: ErrorKind.Damaged or ErrorKind.NotFound } or FileException)
        {
            problem = e;
            return null;
        }
    }
}
