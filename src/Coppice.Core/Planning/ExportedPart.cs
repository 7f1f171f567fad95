using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>The part of a catalog that an export carries.</summary>
/// <param name="Manifest">The part, with names in the folder.</param>
/// <param name="Memories">The memory images, and what they are called in the folder.</param>
/// <param name="Warnings">What is left out.</param>
internal sealed record ExportedPart(
    ExportManifest Manifest, ImmutableSortedDictionary<string, string> Memories, ImmutableArray<string> Warnings)
{
    /// <summary>Decides what is carried.</summary>
    /// <exception cref="CoppiceException">
    /// There is nothing, or somebody writes what would be copied (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    public static ExportedPart Of(PlanContext context, ExportDomain request)
    {
        var snapshots = Snapshots(context, request);
        var isWhole = request.Snapshots.IsEmpty;
        var head = isWhole && context.LiveProcess is null ? context.Head with { Process = null } : null;
        RequireSome(context, snapshots, head);
        var part = context.Catalog with
        {
            Head = head ?? new Head { Definition = context.Head.Definition, Disks = [] },
            Snapshots = snapshots.ToImmutableDictionary(s => s.Id),
            Tips = isWhole ? [.. context.Catalog.Tips.Select(t => t with { Head = t.Head with { Process = null } })] : [],
        };
        var layers = Layers(context, part);
        RequireNobodyWrites(context, layers);
        var memories = part.Memories.Select(m => m.File).OfType<string>().Distinct(StringComparer.Ordinal)
            .Select((file, i) => (file, Name: ExportFolder.Memory(i + 1)))
            .ToImmutableSortedDictionary(m => m.file, m => m.Name, StringComparer.Ordinal);
        var begin = head is null ? Begin(context, part) : null;
        return new ExportedPart(
            Carried(context, part, head, begin, layers, memories), memories, [.. LeftOut(context, isWhole && head is null, begin)]);
    }

    /// <summary>Those that are asked for; whose parents are not, are children of the nearest one that is.</summary>
    private static ImmutableArray<Snapshot> Snapshots(PlanContext context, ExportDomain request)
    {
        var known = context.Catalog.Snapshots;
        var meant = (request.Snapshots.IsEmpty ? known.Values : request.Snapshots.Select(context.Find)).ToDictionary(s => s.Id);
        return [.. meant.Values.Select(s => s with { Parent = Nearest(s.Parent) })];

        SnapshotId? Nearest(SnapshotId? parent)
        {
            while (parent is { } id && !meant.ContainsKey(id))
            {
                parent = known[id].Parent;
            }

            return parent;
        }
    }

    private static void RequireSome(PlanContext context, ImmutableArray<Snapshot> snapshots, Head? head)
    {
        if (snapshots.IsEmpty && head is null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is active and has no snapshot: what a guest is writing cannot be copied",
                $"take a snapshot (coppice snapshot create {context.Catalog.Name}) and export that, or stop it first");
        }
    }

    /// <summary>
    /// Where an import begins that finds no head: on the current snapshot, else on the nearest ancestor of it, else on the newest, of
    /// those that have every disk.
    /// </summary>
    private static Snapshot Begin(PlanContext context, Catalog part)
    {
        var known = context.Catalog.Snapshots;
        var line = new List<SnapshotId>();
        for (var id = context.Catalog.Current; id is { } one; id = known[one].Parent)
        {
            line.Add(one);
        }

        return line.Where(part.Snapshots.ContainsKey).Select(id => part.Snapshots[id])
            .Concat(part.Snapshots.Values.OrderByDescending(s => s.CreatedAt).ThenBy(s => s.Id.Value))
            .FirstOrDefault(s => ImportedHead.Lacking(s, context.Graph, context.Observed.Definitions[s.Definition]) is null)
            ?? throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "would have nothing to begin on: none of these snapshots has every disk, and what "
                    + "the domain is now is not carried",
                $"stop it and export it whole, or take a snapshot of all its disks first: coppice snapshot create {context.Catalog.Name}");
    }

    /// <summary>What snapshots and heads have, with all that it builds on or is inside of; of what is only read, the images too.</summary>
    private static ImmutableArray<Layer> Layers(PlanContext context, Catalog part)
    {
        var kept = from snapshot in part.Snapshots.Values
                   from disk in snapshot.Disks
                   where disk.IsKept || (context.Graph.Has(disk.Layer) && IsOnlyRead(context, snapshot, disk))
                   select disk.Layer;
        var heads = part.Tips.Select(t => t.Head).Append(part.Head).SelectMany(h => h.Disks).Select(d => d.Layer);
        var reached = new HashSet<ShortId>();
        var open = new Stack<ShortId>([.. kept, .. heads, .. part.Memories.Select(m => m.Layer).OfType<ShortId>()]);
        while (open.TryPop(out var id))
        {
            if (reached.Add(id))
            {
                ShortId?[] below = [context.Graph[id].Parent, context.Graph[id].Inside?.Holder];
                Array.ForEach([.. below.OfType<ShortId>()], open.Push);
            }
        }

        return [.. context.Graph.All.Where(l => reached.Contains(l.Id)).OrderBy(l => l.Id.Value, StringComparer.Ordinal)];
    }

    private static bool IsOnlyRead(PlanContext context, Snapshot snapshot, DiskSnapshot disk) =>
        RevertChecks.IsReadOnly(context.Observed.Definitions[snapshot.Definition], disk.Target);

    /// <summary>Nothing is read while a guest or a merge writes it, nor of which something is inside.</summary>
    private static void RequireNobodyWrites(PlanContext context, ImmutableArray<Layer> layers)
    {
        Merging.RequireNoneOf(
            context, context.Graph, layers.Select(l => new DiskSnapshot { Target = l.Disk, Mode = DiskMode.External, Layer = l.Id }),
            "cannot be copied meanwhile");
        var written = context.LiveProcess is null ? [] : context.Head.Disks
            .Where(d => !RevertChecks.IsReadOnly(context.Observed.Definition, d.Target)).Select(d => context.Graph[d.Layer].Path).ToHashSet();
        if (layers.FirstOrDefault(l => written.Contains(l.Path)) is { } held)
        {
            var name = context.Catalog.Snapshots.Values
                .FirstOrDefault(s => s.Disks.Any(d => d.IsKept && context.Graph[d.Layer].Path == held.Path))?.Name;
            throw new CoppiceException(
                ErrorKind.WrongState, $"snapshot '{name}' of {context.Subject}", $"is inside the image {held.Path}, which the guest is writing",
                "stop the domain first, or take a snapshot with external disks, which freezes that image: "
                    + $"coppice snapshot create {context.Catalog.Name} --disk {held.Disk}=external");
        }
    }

    private static ExportManifest Carried(
        PlanContext context, Catalog part, Head? head, Snapshot? begin, ImmutableArray<Layer> layers,
        ImmutableSortedDictionary<string, string> memories)
    {
        var own = layers.ToDictionary(l => l.Id, l => Named(l.Inside is null ? context.Current(l.Id) : l));
        var snapshots = part.Snapshots.Values.OrderBy(s => s.CreatedAt).ToArray();
        var listed = snapshots.SelectMany(s => s.Layers).Select(l => l.Id).ToHashSet();
        return new ExportManifest
        {
            Version = ExportManifest.CurrentVersion,
            ExportedAt = context.Observed.Now,
            Domain = part.Domain,
            Name = part.Name,
            Current = begin?.Id ?? Known(part.Current),
            Head = head is null ? null : Renamed(head),
            Snapshots = [.. Sorted(snapshots).Select(s => s with
            {
                Memory = Memory(s.Memory), Layers = [.. s.Layers.Where(l => own.ContainsKey(l.Id)).Select(l => own[l.Id])],
            })],
            Tips = [.. part.Tips.Select(t => t with
            {
                Memory = Memory(t.Memory), Head = Renamed(t.Head), Current = Known(t.Current),
            })],
            Layers = [.. own.Values.Where(l => !listed.Contains(l.Id)).OrderBy(l => l.Id.Value, StringComparer.Ordinal)],
        };

        SnapshotId? Known(SnapshotId? snapshot) => snapshot is { } id && part.Snapshots.ContainsKey(id) ? id : null;

        Head Renamed(Head of) => of with
        {
            SameAs = Known(of.SameAs), Saved = of.Saved is { } saved ? saved with { Image = Memory(saved.Image) } : null,
        };

        MemoryImage Memory(MemoryImage image) =>
            image.File is { } file ? image with { File = memories[file], Origin = LayerOrigin.Coppice } : image;
    }

    /// <summary>A block device becomes a file.</summary>
    private static Layer Named(Layer layer) =>
        layer with { Path = ExportFolder.Image(layer), Origin = LayerOrigin.Coppice, Type = StorageType.File };

    private static IEnumerable<Snapshot> Sorted(Snapshot[] snapshots)
    {
        var byId = snapshots.ToDictionary(s => s.Id);
        return snapshots.OrderBy(Depth).ThenBy(s => s.CreatedAt).ThenBy(s => s.Id.Value);

        int Depth(Snapshot snapshot) => snapshot.Parent is { } parent ? Depth(byId[parent]) + 1 : 0;
    }

    private static IEnumerable<string> LeftOut(PlanContext context, bool leavesHead, Snapshot? begin)
    {
        if (leavesHead)
        {
            yield return $"{context.Subject} is active: what it is now is not in the folder, and an import begins on snapshot "
                + $"'{begin!.Name}'; to carry more, take a snapshot first";
        }

        if (begin is not null && begin.Id != context.Catalog.Current)
        {
            yield return $"an import begins on snapshot '{begin.Name}', not on the current one, which "
                + (context.Catalog.Current is { } id && ImportedHead.Lacking(
                    context.Catalog.Snapshots[id], context.Graph, context.Observed.Definitions[context.Catalog.Snapshots[id].Definition])
                    is { } disk ? $"lacks disk '{disk}'" : "is not carried");
        }
    }
}
