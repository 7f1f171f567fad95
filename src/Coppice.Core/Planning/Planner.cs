namespace Coppice.Core;

/// <summary>
/// Turns a request and what was observed into a plan. Pure: the same input gives the same plan, and nothing is touched.
/// </summary>
public static class Planner
{
    /// <summary>Plans a request about a domain that exists.</summary>
    /// <exception cref="CoppiceException">The request cannot be done; the message says what to change.</exception>
    public static Plan Plan(DomainRequest request, Observed observed, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(observed);
        var context = new PlanContext(request, observed, hypervisor, storage);
        if (request is SaveDomain or ResizeDisk or DetachDisk or CreateSnapshot or RevertSnapshot or UndoRevert
            or DeleteSnapshot { MetadataOnly: false })
        {
            OutsideChanges.RequireInPlace(context);
        }

        return request switch
        {
            RenameDomain rename => Lifecycle.Rename(context, rename),
            PersistDomain => Persisting.Persist(context),
            SetAutostart set => Persisting.Autostart(context, set),
            StartDomain start => Lifecycle.Start(context, start),
            SaveDomain => Lifecycle.Save(context),
            StopDomain => Lifecycle.PressPowerButton(context),
            KillDomain => Lifecycle.Kill(context),
            PauseDomain => Lifecycle.Pause(context),
            ResumeDomain => Lifecycle.Resume(context),
            RebootDomain => Lifecycle.Reboot(context),
            ResizeDisk resize => DiskResizing.Plan(context, resize),
            DetachDisk detach => DiskPlugging.Detach(context, detach),
            CreateSnapshot create => SnapshotCreation.Plan(context, create),
            RedefineSnapshot redefine => SnapshotRedefining.Plan(context, redefine),
            RevertSnapshot revert => Reverting.ToSnapshot(context, revert),
            UndoRevert undo => Reverting.ToNewestTip(context, undo),
            DeleteSnapshot delete => SnapshotRecords.Delete(context, delete),
            EditSnapshot edit => SnapshotRecords.Edit(context, edit),
            SetCurrentSnapshot set => SnapshotRecords.SetCurrent(context, set),
            _ => throw new CoppiceException(ErrorKind.Internal, request.GetType().Name, "nobody plans it"),
        };
    }

    /// <summary>Plans what is left of a request once the process has ended: it is taken off the record.</summary>
    public static Plan Settle(DomainRequest request, Observed observed, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(observed);
        return Lifecycle.Settle(new PlanContext(request, observed, hypervisor, storage));
    }
}
