using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Images of users into which a commit was begun. Alone such an image shows neither what it did nor what it is to: what it lacks
/// lies in the layer on it. So the merge is finished before that layer goes or anything else builds on the image, and is not
/// given up.
/// </summary>
public static class UsersImages
{
    /// <summary>The merges that may have written a part of one. What is missing anyway need not be kept whole.</summary>
    public static ImmutableHashSet<ShortId> Torn(Observed observed)
    {
        ArgumentNullException.ThrowIfNull(observed);
        var graph = LayerGraph.Of(observed.Catalog);
        return
        [
            .. from job in observed.Catalog.Jobs
               where Writes(graph, job)
               where observed.Files.ContainsKey(graph[job.Lower].Path) && observed.Files.ContainsKey(graph[job.Upper].Path)
               select job.Id,
        ];
    }

    /// <summary>Whether a merge may have written a part of one, so that it cannot be given up.</summary>
    public static bool Writes(LayerGraph graph, MergeJob job)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(job);
        return job is { HasBegun: true, Direction: MergeDirection.Commit } && graph[job.Lower].Origin is LayerOrigin.User;
    }

    /// <summary>The refusal to lose the layer on such an image; null if none of some merges is about one.</summary>
    /// <param name="observed">What was observed.</param>
    /// <param name="jobs">The merges that would not be finished.</param>
    public static CoppiceException? AgainstLeaving(Observed observed, IEnumerable<MergeJob> jobs)
    {
        ArgumentNullException.ThrowIfNull(observed);
        var torn = Torn(observed);
        if (jobs.FirstOrDefault(j => torn.Contains(j.Id)) is not { } job)
        {
            return null;
        }

        var name = observed.Catalog.Name;
        return new CoppiceException(
            ErrorKind.WrongState, $"merge {job.Id} of disk '{job.Disk}' of domain '{name}'",
            $"has begun to write {LayerGraph.Of(observed.Catalog)[job.Lower].Path}, which is yours and half written until it is done",
            $"wait for it: coppice job wait {name}");
    }
}
