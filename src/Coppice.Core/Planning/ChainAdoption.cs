using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans that images become snapshots on which somebody else has put overlays: virsh, qemu-img (R52, R56). Only the catalog
/// changes. An image says what its disk held, and nothing of when, of memory or of other disks; documents do.
/// </summary>
internal static class ChainAdoption
{
    private const int MostNamed = 5;

    public static Plan Plan(PlanContext context, AdoptChain request)
    {
        SnapshotAdoption.RequireNothingBeside(context);
        var below = Below(context);
        if (below.IsEmpty)
        {
            throw new CoppiceException(
                ErrorKind.NotFound, context.Subject, "has no disk on an image that builds on one of yours which is no snapshot yet",
                "define it on the topmost image of its chain");
        }

        RequireUnmerged(context, below);
        var warnings = ImmutableArray.CreateBuilder<string>();
        var documents = new ForeignDocuments(context.Catalog, request.Documents);
        var adopted = request.Documents.IsEmpty ? ByFile(context, below, warnings) : ByDocument(context, below, documents, warnings);
        return context.Plan(SnapshotAdoption.Mechanism(adopted)) with
        {
            Commit = context.NoChange with
            {
                Put = adopted,
                Current = context.Catalog.Current ?? documents.Current(adopted) ?? adopted[^1].Id,
                DropLayers = [.. adopted.SelectMany(s => s.Layers).Select(l => l.Id)],
            },
            Warnings = warnings.ToImmutable(),
        };
    }

    /// <summary>The user's images below the disks of the head that are nobody's snapshot, the lowest of each disk first.</summary>
    private static ImmutableArray<Layer> Below(PlanContext context)
    {
        var named = context.Graph.Named();
        return
        [
            .. from disk in context.Head.Disks
               where disk.Target != DiskDevice.FlashTarget
               from layer in context.Graph.Chain(disk.Layer).Reverse()
               where layer is { Inside: null, Origin: LayerOrigin.User } && !named.Contains(layer.Id)
               select layer,
        ];
    }

    private static void RequireUnmerged(PlanContext context, ImmutableArray<Layer> below)
    {
        if (context.Catalog.Jobs.FirstOrDefault(j => below.Any(l => l.Id == j.Lower || l.Id == j.Upper)) is { } job)
        {
            throw new CoppiceException(
                ErrorKind.Busy, context.Subject, $"merges images of disk '{job.Disk}' with each other (job {job.Id})",
                $"wait for it: coppice job wait {context.Catalog.Name}");
        }
    }

    /// <summary>Without documents: of one disk each image is a snapshot that is called like the file.</summary>
    private static ImmutableArray<Snapshot> ByFile(PlanContext context, ImmutableArray<Layer> below, ImmutableArray<string>.Builder warnings)
    {
        if (below.Select(l => l.Disk).Distinct().ToArray() is { Length: > 1 } disks)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject,
                $"has chains below several disks ({string.Join(", ", disks)}), and no file says which images belong together",
                "give the documents of whoever made them with --xml (libvirt's: virsh snapshot-dumpxml)");
        }

        var adopted = ImmutableArray.CreateBuilder<Snapshot>();
        foreach (var layer in below)
        {
            var name = Path.GetFileName(layer.Path);
            if (adopted.Any(s => s.Name == name) || SnapshotAdoption.NameProblem(context, name) is not null)
            {
                warnings.Add($"{layer.Path} is left alone: no snapshot can be called '{name}'");
                continue;
            }

            adopted.Add(Record(context, name, [layer]) with
            {
                CreatedAt = context.Observed.Files.TryGetValue(layer.Path, out var file) ? file.ModifiedAt : context.Observed.Now,
                Parent = adopted is [.., var last] ? last.Id : null,
            });
        }

        return adopted.Count > 0 ? adopted.ToImmutable() : throw new CoppiceException(
            ErrorKind.WrongState, context.Subject, string.Join("; ", warnings.Take(MostNamed)), "give documents with --xml, which say other names");
    }

    /// <summary>A document names, disk by disk, the overlay that was made when it was written: what is below that is the snapshot.</summary>
    private static ImmutableArray<Snapshot> ByDocument(
        PlanContext context, ImmutableArray<Layer> below, ForeignDocuments documents, ImmutableArray<string>.Builder warnings)
    {
        var adopted = ImmutableArray.CreateBuilder<Snapshot>();
        foreach (var document in documents.ByTime)
        {
            var (name, subject) = (document.Name!, SnapshotRedefinition.Subject(document, context.Catalog));
            if (SnapshotAdoption.NameProblem(context, name) is { } problem)
            {
                throw ForeignDocuments.Refuse(subject, problem, "give that snapshot or its document another name");
            }

            ImmutableArray<Layer> frozen = [.. document.Disks.Where(d => d.Mode is not DiskMode.None).Select(d => Frozen(context, below, d, subject))];
            var taken = adopted.FirstOrDefault(s => s.Layers.Any(l => frozen.Any(f => f.Id == l.Id)));
            if (frozen.IsEmpty || taken is not null)
            {
                throw ForeignDocuments.Refuse(
                    subject, taken is null ? "it says no disk with snapshot='external'" : $"its images are those of '{taken.Name}' as well",
                    "give the documents as the other program wrote them");
            }

            if (document.State is { } said && !SnapshotStates.HasNoMemory(said))
            {
                warnings.Add($"the memory of '{name}' is left out: what another program saved cannot be loaded");
            }

            adopted.Add(Record(context, name, frozen) with
            {
                Description = document.Description,
                CreatedAt = document.CreatedAt ?? context.Observed.Now,
                State = SnapshotStates.DomainOf(document.State),
                Parent = documents.Parent(document, adopted, subject),
            });
        }

        warnings.AddRange(below.Where(l => !adopted.Any(s => s.Layers.Any(o => o.Id == l.Id))).Select(l => $"no document is about {l.Path}"));
        return adopted.ToImmutable();
    }

    /// <summary>What a document froze of a disk.</summary>
    private static Layer Frozen(PlanContext context, ImmutableArray<Layer> below, DiskRequest disk, string subject)
    {
        if (disk is not { Mode: DiskMode.External, File: { } file })
        {
            throw ForeignDocuments.Refuse(
                subject, $"it does not say which file disk '{disk.Target}' went on in", "take what is inside images with --from-image");
        }

        var head = context.Head.Disks.FirstOrDefault(d => d.Target == disk.Target);
        var overlay = head is null ? null : context.Graph.Chain(head.Layer).FirstOrDefault(l => l.Path == file);
        return below.FirstOrDefault(l => l.Id == overlay?.Parent) ?? throw ForeignDocuments.Refuse(
            subject,
            overlay is null
                ? $"disk '{disk.Target}' does not build on {file}: the domain is on another branch, or images were merged since"
                : $"what is below {file} on disk '{disk.Target}' is no image of yours, or a snapshot already",
            "leave this document out");
    }

    /// <summary>Nobody says whether a guest ran, so it may have.</summary>
    private static Snapshot Record(PlanContext context, string name, ImmutableArray<Layer> frozen) => new()
    {
        Id = context.Observed.Ids.NextSnapshot(),
        Name = name,
        CreatedAt = context.Observed.Now,
        State = DomainState.Running,
        Definition = context.Head.Definition,
        Memory = MemoryImage.None,
        Disks = SnapshotAdoption.DisksOf(context, frozen, DiskMode.External),
        Layers = frozen,
    };
}
