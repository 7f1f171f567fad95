using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Finds jobs by what a user calls them.</summary>
public static class Jobs
{
    /// <summary>The job of an id, or all.</summary>
    /// <exception cref="CoppiceException">There is none of that id (<see cref="ErrorKind.NotFound"/>).</exception>
    public static ImmutableArray<MergeJob> Named(Catalog catalog, string? id)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ImmutableArray<MergeJob> found = [.. catalog.Jobs.Where(j => id is null || j.Id.Value == id)];
        return id is null || !found.IsEmpty
            ? found
            : throw new CoppiceException(
                ErrorKind.NotFound, $"job '{id}' of domain '{catalog.Name}'", "is not there; it may be done",
                $"see which there are: coppice job list {catalog.Name}");
    }
}
