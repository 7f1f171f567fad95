using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans a fork (R8, R33, R228): a new domain that begins on a snapshot of another. Its first snapshot is that one, under the
/// same name, so that a revert leads back to its beginning. What is frozen is shared; what its guest writes is its own. With
/// memory it is saved: its first start goes on from there.
/// </summary>
internal static class Forking
{
    public static Plan Plan(PlanContext context, ForkSnapshot request)
    {
        if (context.Catalog.Persistence is Persistence.Trial)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is only tried out, and goes when that is over", "fork the domain that it was made of");
        }

        var snapshot = context.Find(request.Snapshot);
        if (request.SharesMemory)
        {
            GuestRam.Shared(context, snapshot.Memory);
        }

        OutsideChanges.RequireUntouched(context, force: false, "put the image back as it was, or fork a snapshot that was taken since");
        var fork = context.Observed.Fork!;
        ImmutableArray<ForkedDisk> disks = [.. snapshot.Disks.Select(d => ForkedDisk.Of(context, snapshot, d))];
        RequireOneNameEach(context, disks);
        Merging.RequireNoneOf(context, snapshot.Disks);
        var (memory, keepMemory) = Memory(context, snapshot);
        var hasMemory = memory.Mode is not MemoryMode.None;
        ImmutableArray<TpmCopy> tpms = snapshot.Tpm is { } kept ? [Copy(context, kept), Copy(context, kept)] : [];
        var definition = ForkedDefinition.Of(
            context.Observed.Definitions[snapshot.Definition], request, context.Observed.Ids, fork.Id,
            disks.ToImmutableDictionary(d => d.Kept.Target, d => d.Frozen[0]), hasMemory);
        CardRenewal.RequireReplaceable(context, request, definition.Definition, hasMemory);
        var id = context.Observed.Ids.NextShort();
        var begin = snapshot with
        {
            Id = context.Observed.Ids.NextSnapshot(),
            Parent = null,
            Definition = id,
            Memory = memory,
            Tpm = tpms.IsEmpty ? null : tpms[0].To,
            Disks = [.. disks.Select(d => d.Kept)],
            Layers = [.. disks.Where(d => d.Kept.IsKept).Select(d => d.Frozen[0])],
        };
        return context.Plan($"{Mechanism(disks, keepMemory)}{GuestGeneration.Untold(definition.Definition, hasMemory)}") with
        {
            Domain = fork.Id,
            MakesDomain = true,
            Prepare =
            [
                .. disks.SelectMany(d => d.Steps),
                .. keepMemory is null ? Array.Empty<Step>() : [keepMemory],
                .. tpms.Select(copy => context.Hypervisor.CopyTpm(fork.Folder, copy)),
                context.Storage.WriteFile(fork.Folder.Definition(id), DomainXml.Format(definition.Definition)),
            ],
            Commit = Made(request, begin, disks, tpms.IsEmpty ? null : tpms[1].To),
            Warnings = definition.Changes,
        };
    }

    /// <summary>The catalog of the fork.</summary>
    private static CatalogChange Made(ForkSnapshot request, Snapshot begin, ImmutableArray<ForkedDisk> disks, ShortId? tpm) => new()
    {
        Name = request.Name,
        Persistence = request.IsTrial ? Persistence.Trial : Persistence.Persistent,
        Head = new Head
        {
            Definition = begin.Definition,
            Disks = [.. disks.Select(d => d.Head)],
            Tpm = tpm,
            Saved = begin.Memory.Mode is MemoryMode.None ? null : new SavedMemory(begin.Memory, StateAfter(begin, request)),
        },
        Current = begin.Id,
        Put = [begin],
        PutLayers = [.. disks.SelectMany(Listed).DistinctBy(l => l.Id).ExceptBy(begin.Layers.Select(l => l.Id), l => l.Id)],
    };

    /// <summary>A layer below several disks is linked for all of them, or for none: their images name it by one path.</summary>
    private static void RequireOneNameEach(PlanContext context, ImmutableArray<ForkedDisk> disks)
    {
        if (disks.SelectMany(d => d.Frozen).Distinct().GroupBy(l => l.Id).FirstOrDefault(g => g.Count() > 1) is { } torn)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"image {context.Graph[torn.Key].Path} of {context.Subject}",
                "is below several disks, one of which can be linked into the fork and another one cannot",
                "detach one of them, and fork a snapshot that is taken then");
        }
    }

    /// <summary>The layers that no snapshot of the fork lists: its own, and those below.</summary>
    private static IEnumerable<Layer> Listed(ForkedDisk disk) =>
        [.. disk.Overlay is null ? Array.Empty<Layer>() : [disk.Overlay], .. disk.Kept.IsKept ? disk.Frozen[1..] : disk.Frozen];

    /// <summary>The memory as the fork has it, and what brings it there: a second name, or a copy in a file of its own.</summary>
    private static (MemoryImage Memory, Step? Made) Memory(PlanContext context, Snapshot snapshot)
    {
        var (memory, fork) = (snapshot.Memory, context.Observed.Fork!);
        if (memory.Mode is MemoryMode.None)
        {
            return (memory, null);
        }

        var links = memory.File is not null && fork.TakesMemoryLink;
        var name = links ? Path.GetFileName(memory.File!) : Path.GetFileName(fork.Folder.Memory(context.Observed.Ids.NextShort()));
        var file = $"{fork.Folder.MemoryFolderFor(memory.Format, context.Observed.Volume is not null)}/{name}";
        return SharedMemory.In(context, snapshot, file, links);
    }

    private static TpmCopy Copy(PlanContext context, ShortId kept) =>
        new(kept, context.Observed.Ids.NextShort()) { Of = context.Catalog.Domain };

    private static DomainState StateAfter(Snapshot snapshot, ForkSnapshot request) => request.State switch
    {
        ForkState.Running => DomainState.Running,
        ForkState.Paused => DomainState.Paused,
        _ => snapshot.State is DomainState.Paused ? DomainState.Paused : DomainState.Running,
    };

    private static string Mechanism(ImmutableArray<ForkedDisk> disks, Step? memory)
    {
        var borrowed = disks.SelectMany(d => d.Frozen).Count(l => l.Origin is LayerOrigin.Borrowed);
        return $"new domain on frozen layers{(memory is null ? "" : ", saved with the snapshot's memory")}"
            + (borrowed == 0 ? "" : $"; {borrowed} {(borrowed == 1 ? "image is" : "images are")} used where {(borrowed == 1 ? "it is" : "they are")}");
    }
}
