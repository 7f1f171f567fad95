namespace Coppice.Core;

/// <summary>Plans what becomes of a domain while nothing runs it, and refuses what a transient one cannot be (R166).</summary>
internal static class Persisting
{
    public static Plan Persist(PlanContext context) => context.Catalog.Persistence is Persistence.Transient or Persistence.Trial
        ? Set(context, Persistence.Persistent)
        : context.Plan("nothing to do");

    public static Plan Release(PlanContext context) => context.Catalog.Persistence is Persistence.Transient or Persistence.Trial
        ? context.Plan("nothing to do")
        : context.Observed.Hypervisor.IsAlive
            ? Set(context, Persistence.Transient)
            : throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is off: one that goes when it ends has to run",
                $"start it first (coppice start {context.Catalog.Name}), or undefine it: coppice undefine {context.Catalog.Name}");

    public static Plan Autostart(PlanContext context, SetAutostart request)
    {
        if (request.IsOn)
        {
            RequireMayBeOff(context, "cannot be started with the host", "");
        }

        return (request.IsOn, context.Catalog.Persistence) switch
        {
            (true, not Persistence.Autostart) => Set(context, Persistence.Autostart),
            (false, Persistence.Autostart) => Set(context, Persistence.Persistent),
            _ => context.Plan("nothing to do"),
        };
    }

    /// <summary>Refuses what would leave a transient domain off, or counts on that.</summary>
    /// <param name="context">What is planned.</param>
    /// <param name="problem">What cannot be.</param>
    /// <param name="otherwise">What to do instead, besides letting the domain stay; may be empty.</param>
    /// <exception cref="CoppiceException">The domain is transient (<see cref="ErrorKind.WrongState"/>).</exception>
    public static void RequireMayBeOff(PlanContext context, string problem, string otherwise)
    {
        if (context.Catalog.Persistence is Persistence.Transient)
        {
            var stay = $"let the domain stay first: coppice persist {context.Catalog.Name}";
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, $"is transient, exists only while it runs, and {problem}",
                otherwise.Length == 0 ? stay : $"{otherwise}, or {stay}");
        }
    }

    /// <summary>The way a domain is ended, and what that means for it.</summary>
    public static string Ending(PlanContext context, string mechanism) => context.Catalog.Persistence is Persistence.Transient
        ? $"{mechanism}; being transient, the domain goes too, unless something would be lost"
        : mechanism;

    private static Plan Set(PlanContext context, Persistence persistence) => context.Plan("change the catalog") with
    {
        Commit = context.NoChange with { Persistence = persistence },
    };
}
