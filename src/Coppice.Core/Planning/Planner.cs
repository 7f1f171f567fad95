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
        Mirroring.RequireNone(context);
        if (request is SaveDomain or ResizeDisk or CopyDisk or CommitDisk or DetachDisk or CreateSnapshot or RevertSnapshot or UndoRevert or RevertToTip
            or DeleteSnapshot { Mode: not DeleteMode.MetadataOnly } or CollectGarbage or AdoptSnapshots or AdoptChain)
        {
            OutsideChanges.RequireInPlace(context);
        }

        var lowered = LowSpace.Warn(context, RoomClaims.Around(context, Lowered(context, request)));
        var plan = Spares.Around(context, Merging.LetsRun(request) ? lowered : Merging.Around(observed, hypervisor, lowered));
        return Whole(observed, plan);
    }

    /// <summary>A catalog that names what it does not have can be used no more: a plan that is wrong must not be carried out.</summary>
    /// <param name="observed">What it was planned from.</param>
    /// <param name="plan">The plan.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="CoppiceException">It would leave such a catalog (<see cref="ErrorKind.Internal"/>).</exception>
    public static Plan Whole(Observed observed, Plan plan)
    {
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(plan);
        var catalog = observed.Catalog;
        foreach (var change in plan.MakesDomain ? [] : new[] { plan.Commit, plan.RollForward }.OfType<CatalogChange>())
        {
            var missing = LayerGraph.Of(change.ApplyTo(catalog, catalog.Last)).Missing();
            if (!missing.IsEmpty && missing.Except(LayerGraph.Of(catalog).Missing()).ToArray() is { Length: > 0 } lost)
            {
                throw new CoppiceException(
                    ErrorKind.Internal, $"domain '{catalog.Name}'", $"would still name {string.Join(", ", lost)} among its layers, which would be there no more",
                    "nothing was changed; this is a defect of Coppice: report it, with what coppice check says");
            }
        }

        return plan;
    }

    private static Plan Lowered(PlanContext context, DomainRequest request)
    {
        return request switch
        {
            RenameDomain rename => Lifecycle.Rename(context, rename),
            RedefineRunning redefine => DomainEditing.Redefine(context, redefine),
            EditDomain edit => DomainEditing.Plan(context, edit),
            PersistDomain => Persisting.Persist(context),
            ReleaseDomain => Persisting.Release(context),
            SetAutostart set => Persisting.Autostart(context, set),
            StartDomain start => Lifecycle.Start(context, start),
            SaveDomain save => Lifecycle.Save(context, save),
            DiscardSavedMemory => Lifecycle.DiscardSaved(context),
            StopDomain => Lifecycle.PressPowerButton(context),
            KillDomain kill => Lifecycle.Kill(context, kill),
            PauseDomain => Lifecycle.Pause(context),
            ResumeDomain => Lifecycle.Resume(context),
            RebootDomain => Lifecycle.Reboot(context),
            ResetDomain => Lifecycle.Reset(context),
            SetLink link => Cabling.Plan(context, link),
            RenewCard renew => CardRenewal.Plan(context, renew),
            ResizeDisk resize => DiskResizing.Plan(context, resize),
            CopyDisk copy => Mirroring.Copy(context, copy),
            CommitDisk commit => Mirroring.Commit(context, commit),
            EndMirror end => Mirroring.End(context, end),
            DetachDisk detach => DiskPlugging.Detach(context, detach),
            CreateSnapshot { Branch: { } branch } create => Branching.Plan(context, create, branch),
            CreateSnapshot create => SnapshotCreation.Plan(context, create),
            RedefineSnapshot redefine => SnapshotRedefining.Plan(context, redefine),
            AdoptSnapshots adopt => SnapshotAdoption.Plan(context, adopt),
            AdoptChain adopt => ChainAdoption.Plan(context, adopt),
            RevertSnapshot revert => Reverting.ToSnapshot(context, revert),
            WarmSnapshot warm => Warming.Plan(context, warm),
            MapSnapshot map => MemoryMapping.Plan(context, map),
            UndoRevert undo => Reverting.ToNewestTip(context, undo),
            RevertToTip revert => Reverting.ToTip(context, revert),
            DropTips drop => TipKeeping.Drop(context, drop),
            KeepTips keep => TipKeeping.Keep(context, keep),
            DeleteSnapshot delete => SnapshotDeletion.Plan(context, delete),
            FinishJob finish => Merging.Finish(context, finish),
            RenameLayer rename => LayerRenaming.Plan(context, rename),
            WaitForJobs => Merging.Begin(context, context.Plan("begin what waits")),
            CancelJobs cancel => Merging.Cancel(context, cancel),
            CollectGarbage collect => GarbageCollection.Plan(context, collect),
            ForkSnapshot fork => Forking.Plan(context, fork),
            ExportDomain export => Exporting.Plan(context, export),
            EditSnapshot edit => SnapshotRecords.Edit(context, edit),
            SetCurrentSnapshot set => SnapshotRecords.SetCurrent(context, set),
            _ => throw new CoppiceException(ErrorKind.Internal, request.GetType().Name, "nobody plans it"),
        };
    }

    /// <summary>Plans a new domain of an exported one.</summary>
    /// <exception cref="CoppiceException">It cannot be done; the message says what to change.</exception>
    public static Plan Plan(ImportDomain request, ObservedExport observed, IHypervisor hypervisor, IStorage storage) =>
        Importing.Plan(request, observed, hypervisor, storage);

    /// <summary>Refuses a fork whose network cards cannot be shared or replaced, of a snapshot that is yet to be taken.</summary>
    /// <param name="fork">The fork.</param>
    /// <param name="observed">The domain as it is.</param>
    /// <param name="hypervisor">Plans cards.</param>
    /// <param name="storage">The storage.</param>
    /// <exception cref="CoppiceException">They cannot; the message says what to change.</exception>
    public static void RequireForkable(ForkSnapshot fork, Observed observed, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(fork);
        ArgumentNullException.ThrowIfNull(observed);
        var context = new PlanContext(fork, observed, hypervisor, storage);
        var hasMemory = context.LiveProcess is not null || context.Head.Saved is not null;
        var forked = ForkedDefinition.Of(observed.Definition, fork, observed.Ids, observed.Catalog.Domain, System.Collections.Immutable.ImmutableDictionary<string, Layer>.Empty, hasMemory);
        CardRenewal.RequireReplaceable(context, fork, forked.Definition, hasMemory);
    }

    /// <summary>Plans what is left of a request once the process has ended: it is taken off the record.</summary>
    public static Plan Settle(DomainRequest request, Observed observed, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(observed);
        return Lifecycle.Settle(new PlanContext(request, observed, hypervisor, storage));
    }
}
