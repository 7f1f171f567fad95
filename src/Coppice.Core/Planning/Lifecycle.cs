namespace Coppice.Core;

/// <summary>Plans that start, stop and steer a domain.</summary>
internal static class Lifecycle
{
    public static Plan Start(PlanContext context, StartDomain request)
    {
        if (context.LiveProcess is not null)
        {
            throw new CoppiceException(ErrorKind.WrongState, context.Subject, "is already running");
        }

        var process = context.Observed.Ids.NextShort();
        var chains = context.Chains(context.Head.Disks, []);
        return context.Plan("boot") with
        {
            Prepare = [context.Hypervisor.Launch(new(process, context.Observed.Definition, chains, MemoryImage.None))],
            Commit = context.NoChange with { Head = context.Head with { Process = process } },
            CleanUp =
            [
                .. EndRecorded(context, context.Observed.Definition),
                context.Hypervisor.TakeOver(process, context.Observed.Definition, run: !request.Paused),
            ],
        };
    }

    public static Plan PressPowerButton(PlanContext context) => context.Plan("power button") with
    {
        Prepare = [context.Hypervisor.Signal(context.RequireActive(), DomainSignal.PowerButton)],
    };

    public static Plan Kill(PlanContext context)
    {
        context.RequireActive();
        return Settle(context) with { Mechanism = "end the process" };
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

    private static Plan Signal(PlanContext context, DomainSignal signal, bool already)
    {
        var process = context.RequireActive();
        return already
            ? context.Plan("nothing to do")
            : context.Plan("monitor command") with { Prepare = [context.Hypervisor.Signal(process, signal)] };
    }

    private static IEnumerable<Step> EndRecorded(PlanContext context, DomainDefinition? successor = null) =>
        context.Head.Process is { } recorded ? [context.Hypervisor.End(recorded, successor)] : [];
}
