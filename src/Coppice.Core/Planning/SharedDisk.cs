using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A disk of a snapshot as a disk of another domain, which runs or is off (R243). It has an empty layer of its own, also if it is
/// only read: QEMU gives a device no image that another one builds on, as a fork's own disk may.
/// </summary>
/// <param name="Chain">Its layers in the other domain, top first.</param>
/// <param name="Steps">Makes them, in order.</param>
public sealed record SharedDisk(ImmutableArray<Layer> Chain, ImmutableArray<Step> Steps)
{
    /// <summary>Plans what the other domain has of the disk.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="observed">The domain that has the snapshot.</param>
    /// <param name="borrower">The other domain. What it shares already under the same name is not linked again.</param>
    /// <param name="places">Where the other domain goes on from each layer.</param>
    /// <param name="target">What the disk is called there.</param>
    /// <param name="drivers">Lower the steps.</param>
    /// <exception cref="CoppiceException">
    /// There is no such snapshot or disk (<see cref="ErrorKind.NotFound"/>), the snapshot does not keep it
    /// (<see cref="ErrorKind.WrongState"/>), an image was written since it was frozen (<see cref="ErrorKind.WouldLose"/>), or the
    /// other domain has another file under a name that is needed (<see cref="ErrorKind.AlreadyExists"/>).
    /// </exception>
    public static SharedDisk Plan(
        AttachSnapshotDisk request, Observed observed, Observed borrower, ImmutableDictionary<ShortId, SharedPlace> places,
        string target, (IHypervisor Hypervisor, IStorage Storage) drivers)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(borrower);
        var context = new PlanContext(request, observed, drivers.Hypervisor, drivers.Storage);
        var snapshot = context.Find(request.Snapshot);
        OutsideChanges.RequireUntouched(context, force: false, "put the image back as it was, or use a snapshot that was taken since");
        var disk = Of(request, snapshot);
        Merging.RequireNoneOf(context, [disk]);
        var forked = ForkedDisk.Of(context, snapshot, disk, places, isRead: false);
        var chain = forked.Frozen.Insert(0, forked.Overlay!);

        // The other domain may know the same layers already, as one that was forked does: what is built on one it has, too.
        var known = Known(context, borrower, chain);
        ImmutableArray<Layer> made = [.. chain.TakeWhile(l => l.Path != known.FirstOrDefault()?.Path)];
        var ids = made.ToDictionary(l => l.Id, _ => observed.Ids.NextShort());
        var names = known.Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        return new SharedDisk(
            [
                .. made.Select(l => l with
                {
                    Id = ids[l.Id],
                    Disk = target,
                    Parent = l.Parent is not { } parent ? null : ids.TryGetValue(parent, out var id) ? id : known[0].Id,
                }),
                .. known,
            ],
            [.. forked.Steps.Where(s => !s.Files.Any(f => names.Contains(f.Path)))]);
    }

    /// <summary>The lower part of a chain that a domain has under the same names, top first.</summary>
    /// <exception cref="CoppiceException">A name leads to another file there (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    private static ImmutableArray<Layer> Known(PlanContext context, Observed borrower, ImmutableArray<Layer> chain)
    {
        var graph = LayerGraph.Of(borrower.Catalog);
        var pairs = from ours in chain
                    where context.Graph.Has(ours.Id)
                    let known = graph.All.FirstOrDefault(l => l.Inside is null && l.Path == ours.Path)
                    where known is not null
                    select (context.Graph[ours.Id].Path, known);
        if (pairs.FirstOrDefault() is not (var theirs, { } top))
        {
            return [];
        }

        return context.Observed.Files.TryGetValue(theirs, out var file) && borrower.Files.TryGetValue(top.Path, out var named)
            && file.Identity == named.Identity
            ? graph.Chain(top.Id)
            : throw NameTaken(borrower.Catalog, top.Path);
    }

    /// <summary>The refusal to give a shared file a name that another file has.</summary>
    public static CoppiceException NameTaken(Catalog borrower, string path)
    {
        ArgumentNullException.ThrowIfNull(borrower);
        return new CoppiceException(
            ErrorKind.AlreadyExists, path, $"exists already, and is not what domain '{borrower.Name}' would share",
            "move it away, or name another disk with --as");
    }

    /// <summary>The disk of a snapshot that is asked for.</summary>
    /// <exception cref="CoppiceException">There is none, or it is not kept.</exception>
    public static DiskSnapshot Of(AttachSnapshotDisk request, Snapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(snapshot);
        var subject = $"disk '{request.Disk}' of snapshot '{snapshot.Name}' of domain '{request.Domain}'";
        var kept = snapshot.Disks.Where(d => d.IsKept && d.Target != DiskDevice.FlashTarget).ToArray();
        var disk = snapshot.Disks.FirstOrDefault(d => d.Target == request.Disk) ?? throw new CoppiceException(
            ErrorKind.NotFound, subject, "is not there", $"name one of: {string.Join(", ", kept.Select(d => d.Target))}");
        return kept.Contains(disk) ? disk : throw new CoppiceException(
            ErrorKind.WrongState, subject, "is not kept by the snapshot as a disk",
            $"name one of: {string.Join(", ", kept.Select(d => d.Target))}");
    }
}
