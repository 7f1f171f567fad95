using System.Globalization;

namespace Coppice.Core;

/// <summary>Names and descriptions of new snapshots.</summary>
internal static class SnapshotNaming
{
    /// <summary>The name that was given, or one made of the time (R23).</summary>
    /// <exception cref="CoppiceException">The name or description is malformed or the name is taken.</exception>
    public static string Choose(CreateSnapshot request, Observed observed)
    {
        CheckDescription(request.Description, observed.Catalog);
        if (request.Name is null)
        {
            return Make(observed.Now, Taken(observed.Catalog));
        }

        Names.Check("snapshot", request.Name);
        return RequireFree(request.Name, observed.Catalog, except: null);
    }

    /// <summary>Refuses a name that is taken. A uuid addresses a snapshot as well (R39), so it counts as taken.</summary>
    /// <param name="name">The name.</param>
    /// <param name="catalog">The catalog it is to stand in.</param>
    /// <param name="except">The snapshot that is to have it; null for a new one.</param>
    /// <returns>The name.</returns>
    public static string RequireFree(string name, Catalog catalog, SnapshotId? except)
    {
        foreach (var other in catalog.Snapshots.Values.Where(s => s.Id != except))
        {
            var problem = other.Name == name ? "the name is taken" : IsOf(other.Id, name) ? $"it is the uuid of '{other.Name}'" : null;
            if (problem is not null)
            {
                throw new CoppiceException(
                    ErrorKind.AlreadyExists, $"snapshot '{name}' of domain '{catalog.Name}'", problem, "choose another name");
            }
        }

        return name;
    }

    /// <summary>Refuses a uuid under which another snapshot is found already, be it as a name.</summary>
    public static void CheckId(SnapshotId? id, string name, Catalog catalog)
    {
        if (catalog.Snapshots.Values.FirstOrDefault(s => s.Id == id || (id is { } given && IsOf(given, s.Name))) is { } other)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"snapshot '{name}' of domain '{catalog.Name}'",
                $"its uuid {id} leads to snapshot '{other.Name}'", "leave the uuid out to have one made");
        }
    }

    /// <summary>Refuses a description that XML cannot hold.</summary>
    public static string CheckDescription(string description, Catalog catalog) => SafeXml.CanHold(description)
        ? description
        : throw new CoppiceException(
            ErrorKind.InvalidInput, $"description of a snapshot of domain '{catalog.Name}'",
            "it contains a character that XML cannot hold", "leave the character out");

    private static bool IsOf(SnapshotId id, string name) =>
        string.Equals(id.ToString(), name, StringComparison.OrdinalIgnoreCase);

    private static HashSet<string> Taken(Catalog catalog) =>
        [.. catalog.Snapshots.Values.SelectMany<Snapshot, string>(s => [s.Name, s.Id.ToString()])];

    private static string Make(DateTimeOffset now, HashSet<string> taken)
    {
        var epoch = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var name = epoch;
        for (var suffix = 2; taken.Contains(name); suffix++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{epoch}-{suffix}");
        }

        return name;
    }
}
