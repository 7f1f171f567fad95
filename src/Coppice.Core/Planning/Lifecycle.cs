namespace Coppice.Core;

/// <summary>Plans that start, stop, steer and rename a domain.</summary>
internal static class Lifecycle
{
    public static Plan Start(PlanContext context, StartDomain request)
    {
        if (context.LiveProcess is not null)
        {
            throw new CoppiceException(ErrorKind.WrongState, context.Subject, "is already running");
        }

        var taken = OutsideChanges.RequireUntouched(
            context, request.Force,
            $"if the disk was committed into it, go back to it as it is now: coppice snapshot revert {context.Catalog.Name} SNAPSHOT "
                + "--force; if it was only copied or restored, add --force to start from it");
        var process = context.Observed.Ids.NextShort();
        var chains = context.Chains(context.Head.Disks, []);
        var saved = request.Anew ? null : context.Head.Saved;
        var ram = request.SharesMemory
            ? GuestRam.Shared(context, saved?.Image)
            : GuestRam.Of(context, process, context.Observed.Definition, saved?.Image ?? MemoryImage.None);
        var runs = !request.Paused && saved?.State is not DomainState.Paused;
        var head = runs ? context.DirtyHead : context.Head;
        var change = context.NoChange with { Head = head with { Process = process, Saved = null }, Refrozen = taken };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        var letItRun = saved?.State is DomainState.Paused ? null : "leave --paused out";
        var clock = request.SyncTime && saved is not null
            ? GuestTime.Set(context, process, context.Observed.Definition, runs, letItRun)
            : null;
        return context.Plan(saved is null ? "boot" : $"saved memory ({saved.Image.Layout})") with
        {
            Prepare =
            [
                context.Hypervisor.Launch(new(process, context.Observed.Definition, chains, saved?.Image ?? MemoryImage.None)
                {
                    Ram = ram.Place,
                    Tpm = context.Head.Tpm,
                    Predecessor = context.Head.Process,
                    KeepsGeneration = saved is not null,
                }),
            ],
            Commit = reclaimed.Change,
            CleanUp =
            [
                .. EndRecorded(context, context.Observed.Definition),
                context.Hypervisor.TakeOver(process, context.Observed.Definition, runs),
                .. clock is null ? Array.Empty<Step>() : [clock],
                .. reclaimed.Removals,
            ],
            Warnings = [.. OutsideChanges.Warnings(context), .. ram.Warning is { } slow ? [slow] : Array.Empty<string>()],
        };
    }

    public static Plan Rename(PlanContext context, RenameDomain request) =>
        Names.Check("domain", request.Name) == context.Catalog.Name
            ? context.Plan("nothing to do")
            : context.Plan("change the name") with { Commit = context.NoChange with { Name = request.Name } };

    public static Plan Save(PlanContext context, SaveDomain request)
    {
        var process = context.RequireActive();
        context.RequireWhole();
        Persisting.RequireMayBeOff(context, "cannot be saved", "take a snapshot instead");
        if (context.State is not (DomainState.Running or DomainState.Paused or DomainState.IoError))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "has a guest that could not go on from there", "stop or kill it instead");
        }

        var after = request.Paused is { } paused ? paused ? DomainState.Paused : DomainState.Running : context.State;
        var memory = new SnapshotFiles(context.Observed, context.Graph).SavedMemory() with { WrittenBy = context.WriterOf(MemoryMode.External) };
        MemoryRoom.Require(context, memory, $"stop it: coppice stop {context.Catalog.Name}");
        return context.Plan($"memory ({memory.Layout}) to a file") with
        {
            // A guest whose memory was saved before has to run for an instant to be saved again.
            Mark = context.Dirtied,
            Switch = context.Hypervisor.Leave(new(
                process, context.State, memory, Successor: null, SuccessorRuns: false, context.Observed.Hypervisor.MemoryEstimate)
            {
                RamExtents = context.Observed.ClonableRam?.Extents ?? 0,
            }),
            Commit = context.NoChange with
            {
                Head = context.DirtyHead with { Process = null, Saved = new SavedMemory(memory, after) },
            },
            CleanUp = [context.Hypervisor.End(process)],
        };
    }

    /// <summary>The memory goes with its last reference: a snapshot or another domain may have it too.</summary>
    public static Plan DiscardSaved(PlanContext context)
    {
        if (context.Head.Saved is null || context.LiveProcess is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "has no saved memory", $"see what it is doing: coppice show {context.Catalog.Name}");
        }

        var change = context.NoChange with { Head = context.DirtyHead with { Saved = null } };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        return context.Plan("let saved memory go") with { Commit = reclaimed.Change, CleanUp = reclaimed.Removals };
    }

    public static Plan PressPowerButton(PlanContext context) => context.Plan(Persisting.Ending(context, "power button")) with
    {
        Mark = context.Dirtied,
        Prepare = [context.Hypervisor.Signal(context.RequireActive(), DomainSignal.PowerButton)],
    };

    public static Plan Kill(PlanContext context, KillDomain request)
    {
        if (!request.Means(context.Head.Process))
        {
            return context.Plan("nothing to do");
        }

        context.RequireActive();
        return Settle(context) with { Mechanism = Persisting.Ending(context, "end the process") };
    }

    /// <summary>Ends the recorded process, dead or alive, and takes it off the record.</summary>
    public static Plan Settle(PlanContext context) => context.Plan("remove what the process left") with
    {
        Commit = context.NoChange with { Head = context.Head with { Process = null } },
        CleanUp = [.. EndRecorded(context)],
    };

    public static Plan Pause(PlanContext context) =>
        Signal(context, DomainSignal.Pause, already: context.State is DomainState.Paused);

    public static Plan Resume(PlanContext context) =>
        Signal(context, DomainSignal.Resume, already: context.State is DomainState.Running);

    public static Plan Reboot(PlanContext context) => Signal(context, DomainSignal.Reboot, already: false);

    public static Plan Reset(PlanContext context) => Signal(context, DomainSignal.Reset, already: false);

    private static Plan Signal(PlanContext context, DomainSignal signal, bool already)
    {
        var process = context.RequireActive();
        var plan = already
            ? context.Plan("nothing to do")
            : context.Plan("monitor command") with { Prepare = [context.Hypervisor.Signal(process, signal)] };
        return signal is DomainSignal.Pause ? plan : plan with { Mark = context.Dirtied };
    }

    private static IEnumerable<Step> EndRecorded(PlanContext context, DomainDefinition? successor = null) =>
        context.Head.Process is { } recorded ? [context.Hypervisor.End(recorded, successor)] : [];
}
