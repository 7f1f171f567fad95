using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Gives the file of a merged layer the name that the user has chosen (R201). It has both names for a while: what builds on it
/// names the new one before the catalog does, and the old one goes afterwards.
/// </summary>
internal static class LayerRenaming
{
    /// <summary>
    /// Plans it; does nothing if it has to wait. A name that came along with a merge to a file that definitions name is dropped.
    /// </summary>
    public static Plan Plan(PlanContext context, RenameLayer request)
    {
        var catalog = context.Catalog;
        if (catalog.Renames.FirstOrDefault(r => r.Layer == request.Layer) is not { } rename)
        {
            return context.Plan("nothing to do");
        }

        var layer = context.Graph[rename.Layer];
        if (IsDefined(context, layer))
        {
            return context.Plan("let a merged layer keep its name") with
            {
                Commit = context.NoChange with { DropRenames = [rename.Layer] },
                Warnings = [$"{layer.Path} keeps its name, and is not called {rename.Name}: a definition names it"],
            };
        }

        if (rename.ReasonToWait(context.Observed.CatalogLent, context.Observed.Files, context.Observed.Hypervisor) is not null)
        {
            return context.Plan("nothing to do");
        }

        var renamed = layer with { Path = rename.PathOf(layer) };
        return context.Plan($"name the merged layer {rename.Name}") with
        {
            Prepare =
            [
                context.Storage.Link(layer.Path, renamed.Path),
                .. context.Graph.BuiltOn(layer.Id).Select(l => context.Storage.Relink(l, layer, renamed)),
            ],
            Commit = MergedCatalog.After(catalog, rename),
            CleanUp = [context.Storage.Remove(layer.Path, default)],
        };
    }

    /// <summary>The merges of a request, with the names that their files are to have.</summary>
    /// <exception cref="CoppiceException">
    /// A name cannot be given (<see cref="ErrorKind.InvalidInput"/>, <see cref="ErrorKind.WrongState"/>), or is taken
    /// (<see cref="ErrorKind.AlreadyExists"/>).
    /// </exception>
    public static ImmutableArray<MergeJob> Named(
        PlanContext context, Catalog next, ImmutableArray<MergeJob> jobs, ImmutableArray<FinalName> names)
    {
        foreach (var name in names)
        {
            if (LayerRename.ProblemOf(name.Name) is { } problem)
            {
                throw new CoppiceException(ErrorKind.InvalidInput, $"final name '{name.Name}'", problem, "give a plain file name");
            }

            var meant = jobs.Where(j => name.Disk is null || j.Disk == name.Disk).ToArray();
            var job = meant is [var one] ? one : throw NotOne(context, name, meant);
            RequireFree(context, next, job, name.Name);
            RequireOther(context, LayerGraph.Of(next), jobs, job, name.Name);
            jobs = jobs.Replace(job, job with { FinalName = name.Name });
        }

        return jobs;
    }

    /// <summary>Refuses a name that another one of the same request is in the way of.</summary>
    private static void RequireOther(PlanContext context, LayerGraph graph, ImmutableArray<MergeJob> jobs, MergeJob job, string name)
    {
        var subject = $"final name '{name}' of disk '{job.Disk}' of {context.Subject}";
        if (job.FinalName is { } first)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, $"the same file is to be called '{first}' too", "give one name for each file");
        }

        var path = PathOf(job, name);
        if (jobs.FirstOrDefault(j => j.FinalName is { } other && PathOf(j, other) == path) is { } same)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"the file of disk '{same.Disk}' is to be {path} too", "give another name");
        }

        string PathOf(MergeJob of, string called) => new LayerRename(of.Kept, called).PathOf(graph[of.Kept]);
    }

    /// <summary>A fork's definitions name layers that Coppice made.</summary>
    private static bool IsDefined(PlanContext context, Layer layer) =>
        context.Observed.Definitions.Values.SelectMany(d => d.DisksAndFlash).Any(d => d.Source == layer.Path);

    private static CoppiceException NotOne(PlanContext context, FinalName name, MergeJob[] meant)
    {
        var disk = name.Disk is null ? "" : $" of disk '{name.Disk}'";
        return new CoppiceException(
            ErrorKind.WrongState, $"final name '{name.Name}' for {context.Subject}",
            meant.Length == 0
                ? $"no layers{disk} are merged by this"
                : $"{meant.Length} merges{disk} come of this, and it names one file",
            meant.Length == 0 ? "leave --final-name out"
                : name.Disk is null ? "say which disk: --final-name DISK=NAME" : "delete one snapshot at a time");
    }

    private static void RequireFree(PlanContext context, Catalog next, MergeJob job, string name)
    {
        var graph = LayerGraph.Of(next);
        var (kept, gone) = (graph[job.Kept], graph[job.Gone]);
        var subject = $"final name '{name}' of disk '{job.Disk}' of {context.Subject}";
        if (kept.Origin is not LayerOrigin.Coppice || IsDefined(context, kept))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"the image that stays is {kept.Path}: it is yours, and definitions name it",
                "let it keep its name, or let the other one stay: --direction stream");
        }

        var path = new LayerRename(kept.Id, name).PathOf(kept);
        var isLeft = gone.Origin is LayerOrigin.Coppice && gone.Path == path;
        var isPlanned = next.Renames.Any(r => graph.Has(r.Layer) && r.PathOf(graph[r.Layer]) == path)
            || next.Jobs.Any(j => j.FinalName == name && Path.GetDirectoryName(graph[j.Kept].Path) == Path.GetDirectoryName(path));
        if (isPlanned || (context.Observed.Files.ContainsKey(path) && !isLeft))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, subject, $"{path} exists already", "give another name");
        }
    }
}
