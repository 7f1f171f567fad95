using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans what a document makes of the record of a snapshot (R27, R36, R137): of one that is known description and parent
/// change; one that was forgotten is put back, if all that it kept is there as it was. No file is written but a definition.
/// </summary>
internal static class SnapshotRedefining
{
    // <creationTime> leaves out the rest of its second.
    private static readonly TimeSpan s_wholeSecond = TimeSpan.FromSeconds(1);

    public static Plan Plan(PlanContext context, RedefineSnapshot request)
    {
        var document = request.Document;
        SnapshotNaming.CheckDescription(document.Description, context.Catalog);
        var observed = context.Observed;
        var plan = request.CopyOf is { } original ? Copy(context, document, original)
            : SnapshotRestoration.Of(document, context.Catalog, observed.Folder, observed.Definitions.Values) is { } restoration
            ? PutBack(context, restoration)
            : Change(context, document, SnapshotRedefinition.Known(document, context.Catalog)!);
        var put = plan.Commit!.Put[0].Id;
        return plan with
        {
            Commit = request.IsCurrent ? plan.Commit with { Current = put } : plan.Commit,
            Warnings = [.. plan.Warnings, .. Ignored(document)],
        };
    }

    private static Plan Change(PlanContext context, SnapshotDocument document, Snapshot known)
    {
        SnapshotRedefinition.CheckKeepsContent(document, known, context.Catalog, context.Observed.Definitions[known.Definition]);
        return context.Plan("change the reference") with
        {
            Commit = context.NoChange with
            {
                Put =
                [
                    known with
                    {
                        Description = document.Description, Parent = SnapshotRedefinition.Parent(document, context.Catalog),
                    },
                ],
            },
        };
    }

    /// <summary>A second reference to what a snapshot has: layers, memory and what a TPM kept are shared, as with a branch (R152).</summary>
    private static Plan Copy(PlanContext context, SnapshotDocument document, SnapshotId original)
    {
        var catalog = context.Catalog;
        var known = catalog.Find(original.ToString());
        (document with { Id = null }).CheckRedefines(catalog);
        SnapshotNaming.RequireFree(document.Name!, catalog, except: null);
        SnapshotRedefinition.CheckKeepsContent(document, known, catalog, context.Observed.Definitions[known.Definition]);
        var copy = known with
        {
            Id = context.Observed.Ids.NextSnapshot(),
            Name = document.Name!,
            Description = document.Description,
            Parent = SnapshotRedefinition.Parent(document, catalog),
            Layers = [],
        };
        return context.Plan($"a reference to what '{known.Name}' has") with { Commit = context.NoChange with { Put = [copy] } };
    }

    private static Plan PutBack(PlanContext context, SnapshotRestoration restoration)
    {
        var (document, catalog) = (restoration.Document, context.Catalog);
        SnapshotNaming.RequireFree(document.Name!, catalog, except: null);
        SnapshotNaming.CheckId(document.Id, document.Name!, catalog);
        RequirePast(context, restoration);
        RequireFiles(context, restoration);
        var (definition, written) = Definition(context, restoration);
        var id = document.Id ?? context.Observed.Ids.NextSnapshot();
        var snapshot = restoration.Record(catalog, context.Observed, id, definition);
        var own = snapshot.Layers.Select(l => l.Id).ToHashSet();
        var commit = context.NoChange with
        {
            Put = [snapshot],
            PutLayers = [.. restoration.Unknown.Where(l => !own.Contains(l.Id))],
            DropLayers = [.. own.Where(context.Graph.Has)],
        };
        var next = LayerGraph.Of(commit.ApplyTo(catalog, catalog.Last));
        Merging.RequireNoneOf(context, next, snapshot.Disks, $"snapshot '{snapshot.Name}' cannot be put back meanwhile");
        return context.Plan("put the reference back") with
        {
            Prepare = written,
            Commit = commit,
            Warnings = [.. restoration.Unknown.Where(l => l is { Origin: LayerOrigin.User, Inside: null }).Select(l =>
                $"{l.Path} lies in no folder of Coppice's own: it is yours, and stays when the snapshot is deleted")],
        };
    }

    /// <summary>A definition that is stored already is shared; another one is written, if it is one that was in force.</summary>
    private static (ShortId Id, ImmutableArray<Step> Written) Definition(PlanContext context, SnapshotRestoration restoration)
    {
        var xml = DomainXml.Format(restoration.Definition);
        foreach (var (id, stored) in context.Observed.Definitions)
        {
            if (DomainXml.Format(stored) == xml)
            {
                return (id, []);
            }
        }

        if (DomainXml.Format(DomainSeal.AssignAddresses(restoration.Definition)) != xml)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, SnapshotRedefinition.Subject(restoration.Document, context.Catalog),
                "its <domain> has devices without an address, so it is not the one it was taken with",
                "leave it as 'snapshot dumpxml' prints it");
        }

        RequireReadable(xml, SnapshotRedefinition.Subject(restoration.Document, context.Catalog));
        var fresh = context.Observed.Ids.NextShort();
        return (fresh, [context.Storage.WriteFile(context.Observed.Folder.Definition(fresh), xml)]);
    }

    /// <summary>A definition grows when it is indented; one that cannot be read again would make the domain unusable.</summary>
    private static void RequireReadable(string xml, string subject)
    {
        try
        {
            DomainXml.Parse(xml);
        }
        catch (CoppiceException e)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, $"its <domain> could not be read again once it is stored: {e.Subject} {e.Problem}",
                "leave it as 'snapshot dumpxml' prints it", e);
        }
    }

    private static void RequirePast(PlanContext context, SnapshotRestoration restoration)
    {
        if (restoration.CreatedAt > context.Observed.Now)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, SnapshotRedefinition.Subject(restoration.Document, context.Catalog),
                $"its <creationTime>, {restoration.CreatedAt:u}, has not come yet", "leave it as it was, or set the clock of this host");
        }
    }

    /// <summary>
    /// What was frozen must be as it was. That images are there and build on what they should was checked when they were
    /// observed.
    /// </summary>
    private static void RequireFiles(PlanContext context, SnapshotRestoration restoration)
    {
        var (observed, subject) = (context.Observed, SnapshotRedefinition.Subject(restoration.Document, context.Catalog));
        foreach (var (path, then) in restoration.Files)
        {
            var file = observed.Files.GetValueOrDefault(path) ?? throw Missing(path);
            if (then is null && restoration.NeedsTimes)
            {
                throw Changed($"its <cookie> does not say when {path} was last written");
            }

            if (then is null ? file.ModifiedAt > restoration.CreatedAt + s_wholeSecond : file.ModifiedAt != then)
            {
                throw Changed($"{path} was written since, so it is not what the snapshot kept");
            }
        }

        if (restoration.Tpm is { } tpm && !observed.Files.ContainsKey(observed.Folder.Tpm(tpm)))
        {
            throw Missing(observed.Folder.Tpm(tpm));
        }

        foreach (var layer in restoration.Unknown.Where(l => l.Inside is null))
        {
            if (observed.Layers.GetValueOrDefault(layer.Id)?.VirtualSize != layer.VirtualSize)
            {
                throw Changed($"{layer.Path} is no disk of {layer.VirtualSize.Bytes} bytes, as its <cookie> says");
            }
        }

        CoppiceException Missing(string path) => new(
            ErrorKind.NotFound, subject, $"{path} is missing", "put it back from a backup, or leave the snapshot");

        CoppiceException Changed(string problem) => new(
            ErrorKind.Damaged, subject, problem, "put the file back from a backup that keeps times, or leave the snapshot");
    }

    private static IEnumerable<string> Ignored(SnapshotDocument document)
    {
        (string Element, string? Text)[] foreign = [("inactiveDomain", document.InactiveDomain), ("cookie", document.Cookie)];
        return foreign.Where(f => f.Text is not null).Select(f => f.Element is "cookie"
            ? "what others wrote into <cookie> is not kept"
            : $"its <{f.Element}> is not kept: Coppice has no definition that waits for the next start");
    }
}
