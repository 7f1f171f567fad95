namespace Coppice.Core;

/// <summary>
/// Plans that the clock of a guest is set once it goes on from stored memory: until then it says when the memory was stored. A
/// guest that boots reads its clock anew, so that nothing is to be done.
/// </summary>
internal static class GuestTime
{
    private const string WithoutIt = "leave --sync-time out";

    /// <summary>The step that sets it, right behind the take-over.</summary>
    /// <param name="context">What is known.</param>
    /// <param name="process">The process that the guest is in afterwards; null for none.</param>
    /// <param name="definition">The domain's definition then.</param>
    /// <param name="runs">Whether the guest runs then.</param>
    /// <param name="letItRun">How the request would let it run, e.g. <c>use --running</c>; null if it cannot.</param>
    /// <exception cref="CoppiceException">
    /// The guest does not run afterwards (<see cref="ErrorKind.WrongState"/>), or there is no way to ask it
    /// (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    public static Step Set(PlanContext context, ShortId? process, DomainDefinition definition, bool runs, string? letItRun)
    {
        context.Observed.Capabilities.Require(Capability.GuestTime, context.Subject, WithoutIt);
        return process is { } id && runs
            ? context.Hypervisor.SetGuestTime(id, definition)
            : throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "would not run afterwards, so nothing in it could set its clock",
                letItRun is null ? WithoutIt : $"{WithoutIt}, or {letItRun}");
    }
}
