using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans that internal snapshots become snapshots of the tree which somebody else made: savevm, virsh, qemu-img (R52, R56). Only
/// the catalog changes. An image says little about them; one of which something cannot be told for certain is left alone.
/// </summary>
internal static class SnapshotAdoption
{
    private const int MostNamed = 5;

    // What makes them on several disks does so on one after the other, and each image has the time of its own.
    private static readonly TimeSpan s_oneInstant = TimeSpan.FromSeconds(10);

    public static Plan Plan(PlanContext context, AdoptSnapshots request)
    {
        RequireNothingBeside(context);
        var documents = new ForeignDocuments(context.Catalog, request.Documents);
        var adopted = ImmutableArray.CreateBuilder<Snapshot>();
        List<string> left = [.. Borrowed(context)];
        var wanted = Found(context).Where(f => request.Only is null || f.Internal.Tag == request.Only);
        foreach (var found in wanted.GroupBy(f => f.Internal.Tag).OrderBy(g => g.Min(f => f.Internal.TakenAt)))
        {
            if (Problem(context, [.. found]) is { } problem)
            {
                left.Add($"internal snapshot '{found.Key}' is left alone: it {problem}");
            }
            else
            {
                adopted.Add(documents.Describe(Record(context, [.. found], adopted is [.., var last] ? last.Id : null), adopted));
            }
        }

        RequireSome(context, adopted, left);
        return context.Plan(Mechanism(adopted)) with
        {
            Commit = context.NoChange with
            {
                Put = adopted.ToImmutable(),

                // What the disks hold was written after the newest of them.
                Current = context.Catalog.Current ?? (request.Only is null ? documents.Current(adopted) ?? adopted[^1].Id : null),
            },
            Warnings =
            [
                .. left,
                .. documents.Others(adopted).Select(name => $"no image holds '{name}' as a whole: its document says nothing"),
                .. adopted.Where(s => s.Memory.Mode is not MemoryMode.None).Select(Foreign),
            ],
        };
    }

    /// <summary>The way, in words.</summary>
    public static string Mechanism(IReadOnlyCollection<Snapshot> adopted)
    {
        var more = adopted.Count > MostNamed ? $" and {adopted.Count - MostNamed} more" : "";
        return $"adopt {string.Join(", ", adopted.Take(MostNamed).Select(s => s.Name))}{more}";
    }

    /// <summary>The disks of a snapshot that keeps some layers; those of other disks took no part.</summary>
    public static ImmutableArray<DiskSnapshot> DisksOf(PlanContext context, IEnumerable<Layer> layers, DiskMode mode) =>
    [
        .. from disk in context.Head.Disks
           let kept = layers.FirstOrDefault(l => l.Disk == disk.Target)
           select new DiskSnapshot
           {
               Target = disk.Target,
               Mode = kept is null ? DiskMode.None : mode,
               Layer = kept?.Id ?? disk.Layer,
           },
    ];

    private static string Foreign(Snapshot snapshot) =>
        $"the memory of '{snapshot.Name}' was saved by something else: it can be loaded only if the domain's machine is as it was then";

    /// <summary>A TPM keeps its own, and no image says what it kept then.</summary>
    public static void RequireNothingBeside(PlanContext context)
    {
        if (context.Observed.Definition.Tpm is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "has a TPM, and what that kept is in no image",
                "define it without the TPM, or take what is in the images with: qemu-img convert -l snapshot.name=NAME");
        }
    }

    private static void RequireSome(PlanContext context, ImmutableArray<Snapshot>.Builder adopted, List<string> left)
    {
        if (adopted.Count == 0)
        {
            throw left.Count == 0
                ? new CoppiceException(
                    ErrorKind.NotFound, context.Subject, "has no image with an internal snapshot that Coppice does not know")
                : new CoppiceException(
                    ErrorKind.WrongState, context.Subject, string.Join("; ", left.Take(MostNamed)), "see: qemu-img snapshot -l IMAGE");
        }
    }

    /// <summary>Deleting such a snapshot here would take it from the image of the domain that has lent it.</summary>
    private static IEnumerable<string> Borrowed(PlanContext context) =>
        from layer in context.Head.Disks.SelectMany(d => context.Graph.Chain(d.Layer)).DistinctBy(l => l.Path)
        where layer is { Origin: LayerOrigin.Borrowed, Inside: null }
            && context.Observed.Layers.TryGetValue(layer.Id, out var seen) && !seen.Internals.IsEmpty
        select $"what is inside {layer.Path} is left alone: another domain has lent that image";

    /// <summary>
    /// What images hold that no snapshot of ours refers to, disk by disk, also where the disk has moved on since.
    /// </summary>
    private static IEnumerable<Find> Found(PlanContext context)
    {
        var ours = context.Graph.All.Select(l => l.Inside).OfType<InternalPlace>().Select(p => (p.Holder, p.Tag)).ToHashSet();
        return
            from disk in context.Head.Disks
            from layer in context.Graph.Chain(disk.Layer)
            where layer is { Inside: null, Format: ImageFormat.Qcow2, Origin: not LayerOrigin.Borrowed }
                && context.Observed.Layers.ContainsKey(layer.Id)
            from found in context.Observed.Layers[layer.Id].Internals
            where !ours.Contains((layer.Id, found.Tag))
            select new Find(disk.Target, layer, found);
    }

    /// <summary>Why something of one name cannot be one snapshot; null if it can.</summary>
    private static string? Problem(PlanContext context, ImmutableArray<Find> found)
    {
        var tag = found[0].Internal.Tag;
        if (found.GroupBy(f => f.Target).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            return $"is there more than once on disk '{twice.Key}'";
        }

        var times = found.Select(f => f.Internal.TakenAt).ToArray();
        return times.Max() - times.Min() > s_oneInstant
            ? $"was taken at different times on {string.Join(", ", found.Select(f => f.Target))}"
            : found.Count(f => f.Internal.HasMemory) > 1 ? "has memory on more than one disk"
            : found.Select(f => f.Internal.WasRunning).Distinct().Count() > 1 ? "was taken of a guest on one disk, and not on another"
            : NameProblem(context, tag);
    }

    /// <summary>Why a snapshot cannot have a name; null if it can.</summary>
    public static string? NameProblem(PlanContext context, string tag)
    {
        try
        {
            SnapshotNaming.RequireFree(Names.Check("snapshot", tag), context.Catalog, except: null);
            return null;
        }
        catch (CoppiceException e)
        {
            return $"cannot be called so ({e.Problem})";
        }
    }

    private static Snapshot Record(PlanContext context, ImmutableArray<Find> found, SnapshotId? parent)
    {
        Layer[] layers =
        [
            .. found.Select(f => f.Holder with
            {
                Id = context.Observed.Ids.NextShort(),
                VirtualSize = f.Internal.VirtualSize,
                Origin = LayerOrigin.Coppice,
                Inside = new InternalPlace(f.Holder.Id, f.Internal.Tag),
            }),
        ];
        var saved = found.FirstOrDefault(f => f.Internal.HasMemory);
        return new Snapshot
        {
            Id = context.Observed.Ids.NextSnapshot(),
            Name = found[0].Internal.Tag,
            CreatedAt = found.Min(f => f.Internal.TakenAt),
            State = found[0].Internal.WasRunning ? DomainState.Running : DomainState.Off,
            Parent = parent,
            Definition = context.Head.Definition,
            Memory = saved is null ? MemoryImage.None : new MemoryImage
            {
                Mode = MemoryMode.Internal, Disk = saved.Target, Layer = layers.First(l => l.Disk == saved.Target).Id,
            },
            Disks = DisksOf(context, layers, DiskMode.Internal),
            Layers = [.. layers],
        };
    }

    /// <summary>An internal snapshot where it was found.</summary>
    private sealed record Find(string Target, Layer Holder, FoundInternal Internal);
}
