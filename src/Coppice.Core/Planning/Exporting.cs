using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans an export: copies of what nobody writes, made in a folder beside the one that is asked for, which gets its name in the last
/// step. The catalog stays as it is.
/// </summary>
internal static class Exporting
{
    public static Plan Plan(PlanContext context, ExportDomain request)
    {
        var place = context.Observed.ExportPlace!;
        RequirePlace(place, request.Folder);
        OutsideChanges.RequireUntouched(context, force: false, "put the image back as it was, or name the snapshots that were taken since");
        var carried = ExportedPart.Of(context, request);
        RequireImportable(context, carried.Manifest);
        var plan = context.Plan(Mechanism(carried));
        var folder = new ExportFolder(ExportFolder.Partial(request.Folder, plan.Id));
        ImmutableArray<Step> copies =
            [.. Images(context, carried, folder), .. Memories(context, carried, folder), .. Tpms(context, carried, folder)];
        RequireRoom(place, request.Folder, copies);
        return plan with
        {
            Prepare =
            [
                context.Storage.MakeFolder(folder.Path),
                .. copies,
                .. Texts(context, carried.Manifest).Select(t => context.Storage.WriteFile(folder[t.Name], t.Content)),
                context.Storage.SealFolder(folder.Path),
            ],
            Switch = context.Storage.PublishFolder(folder.Path, request.Folder),
            Warnings = carried.Warnings,
        };
    }

    private static string Mechanism(ExportedPart carried)
    {
        var (snapshots, tips) = (carried.Manifest.Snapshots.Length, carried.Manifest.Tips.Length);
        return $"copy {snapshots} {(snapshots == 1 ? "snapshot" : "snapshots")}"
            + (tips == 0 ? "" : $", {tips} {(tips == 1 ? "tip" : "tips")}")
            + (carried.Manifest.Head is null ? "" : " and the domain as it is now");
    }

    private static void RequirePlace(PlaceObservation place, string folder)
    {
        if (place.IsTaken)
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, folder, "exists already", "name a folder that does not exist yet");
        }

        if (!place.HasParent)
        {
            throw new CoppiceException(ErrorKind.NotFound, Path.GetDirectoryName(folder)!, "is no folder that exists", "make it first");
        }
    }

    /// <summary>No folder is written that an import would refuse.</summary>
    private static void RequireImportable(PlanContext context, ExportManifest manifest)
    {
        try
        {
            ManifestRules.RequireWhole(manifest, context.Subject);
            ManifestRules.Require(manifest, context.Subject, context.Observed.Definitions);
        }
        catch (CoppiceException e)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, $"cannot be exported, since no import would take it: {e.Subject}: {e.Problem}",
                $"look what is wrong with it: coppice check {context.Catalog.Name}", e);
        }
    }

    /// <summary>Copies that can share their bytes may take nothing; then each copy asks again.</summary>
    private static void RequireRoom(PlaceObservation place, string folder, ImmutableArray<Step> copies)
    {
        var needed = new ByteCount(copies.SelectMany(s => s.Files).Sum(f => f.Bytes.Bytes));
        if (!place.TakesClones && needed.Bytes > place.Free.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Storage, folder, $"{needed} are copied there, and {place.Free} are free",
                "free some space, or name a folder on another file system");
        }
    }

    /// <summary>Each image after the one that it builds on.</summary>
    private static IEnumerable<Step> Images(PlanContext context, ExportedPart carried, ExportFolder folder)
    {
        var graph = LayerGraph.Of(carried.Manifest.Catalog);
        var images = graph.All.Where(l => l.Inside is null);
        foreach (var layer in images.OrderBy(l => graph.Chain(l.Id).Length).ThenBy(l => l.Id.Value, StringComparer.Ordinal))
        {
            var source = context.Graph[layer.Id];
            var size = source.Type is StorageType.File && context.Observed.Files.TryGetValue(source.Path, out var found)
                ? found.Allocated
                : layer.VirtualSize;
            var file = new FileToCopy(source.Path, folder[layer.Path], size);
            var chain = graph.Chain(layer.Id).Select(l => l with { Path = folder[l.Path] });
            yield return context.Storage.CopyImage(
                new ImageToCopy(file, source.Type, [.. chain]) { IsRelinked = layer.Parent is not null });
        }
    }

    private static IEnumerable<Step> Memories(PlanContext context, ExportedPart carried, ExportFolder folder) =>
        from memory in carried.Memories
        let size = context.Observed.Files.TryGetValue(memory.Key, out var file) ? file.Allocated : context.Observed.Definition.Memory
        select context.Storage.CopyFile(new FileToCopy(memory.Key, folder[memory.Value], size));

    private static IEnumerable<Step> Tpms(PlanContext context, ExportedPart carried, ExportFolder folder) =>
        from tpm in carried.Manifest.Catalog.Tpms
        select context.Storage.CopyFile(
            new FileToCopy(context.Hypervisor.TpmFile(context.Observed.Folder, tpm), folder[ExportFolder.Tpm(tpm)], default));

    private static IEnumerable<(string Name, string Content)> Texts(PlanContext context, ExportManifest manifest)
    {
        var catalog = manifest.Catalog;
        yield return (ExportFolder.Manifest, manifest.Format());
        foreach (var id in catalog.Definitions)
        {
            yield return (ExportFolder.Definition(id), DomainXml.Format(context.Observed.Definitions[id]));
        }

        foreach (var snapshot in manifest.Snapshots)
        {
            var definition = DomainXml.Format(context.Observed.Definitions[snapshot.Definition]);
            var document = SnapshotDocument.From(catalog, snapshot, definition, ImmutableDictionary<string, FileObservation>.Empty);
            yield return (ExportFolder.Document(snapshot.Id), SnapshotXml.Format(document));
        }
    }
}
