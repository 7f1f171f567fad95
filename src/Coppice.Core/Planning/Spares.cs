using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What becomes of the processes that wait for a revert when something else is done. They are a cache: one whose snapshot goes, or that has
/// something open that is about to be changed, ends first, and what ended by itself is tidied up.
/// </summary>
internal static class Spares
{
    /// <summary>Less than that, and its time may be over before it is taken.</summary>
    public static TimeSpan LeastTime { get; } = TimeSpan.FromSeconds(5);

    /// <summary>The spare that a revert to a snapshot takes; null if none waits, or images may not be what it has open.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="disks">The layers that it leads to: a disc may be another one by now.</param>
    public static Spare? For(PlanContext context, Snapshot snapshot, ImmutableArray<HeadDisk> disks) => !context.Observed.Rewritten.IsEmpty
        ? null
        : Of(context, snapshot).FirstOrDefault(s => s.Disks.All(d => s.Layers.Any(l => l.Id == d.Layer) || disks.Contains(d)));

    /// <summary>Those of a snapshot that wait, long enough yet for somebody to take them.</summary>
    public static ImmutableArray<Spare> Of(PlanContext context, Snapshot snapshot) =>
    [
        .. context.Catalog.Spares.Where(s => s.Snapshot == snapshot.Id && context.Observed.Waiting.Contains(s.Process)
            && s.Until - context.Observed.Now > LeastTime),
    ];

    /// <summary>Adds the end of spares that cannot stay to a plan.</summary>
    public static Plan Around(PlanContext context, Plan plan)
    {
        if (context.Catalog.Spares.IsEmpty || plan.MakesDomain)
        {
            return plan;
        }

        Spare[] left = [.. context.Catalog.Spares.Where(s => plan.Commit?.DropSpares.Contains(s.Process) is not true)];
        Spare[] over = [.. left.Where(s => IsOver(context, s))];
        Spare[] live = [.. left.Except(over).Where(s => context.Observed.Waiting.Contains(s.Process))];
        Spare[] gone = [.. live.Where(s => Touches(context, plan.Steps, s) || plan.Commit?.Drop.Contains(s.Snapshot) is true)];

        // What is changed before the commit waits for the end; what is changed after it comes behind it. Tidying up holds up nobody.
        Spare[] first = [.. gone.Where(s => plan.Commit is null || Touches(context, plan.Steps[..plan.StepsBeforeCommit], s))];
        var firstEnds = first.Select(s => context.Hypervisor.End(s.Process));
        if (plan.Commit is null)
        {
            return first.Length == 0 ? plan : plan with { Prepare = [.. firstEnds, .. plan.Prepare] };
        }

        Spare[] dropped = [.. gone, .. over];
        var at = plan.CleanUp.TakeWhile(step => !gone.Any(s => Touches(context, [step], s))).Count();
        return dropped.Length == 0 ? plan : plan with
        {
            Prepare = [.. firstEnds, .. plan.Prepare],
            Commit = plan.Commit with { DropSpares = [.. plan.Commit.DropSpares, .. dropped.Select(s => s.Process)] },
            CleanUp =
            [
                .. plan.CleanUp[..at], .. gone.SelectMany(s => Ended(context, s)), .. plan.CleanUp[at..],
                .. over.SelectMany(s => Ended(context, s)),
            ],
            Warnings = [.. plan.Warnings, .. Told(context, gone)],
        };
    }

    /// <summary>The clean-up of one that goes, with all that was made for it.</summary>
    public static IEnumerable<Step> Ended(PlanContext context, Spare spare) =>
        SnapshotProcess.Ended(context, spare.Process, spare.Layers, spare.Tpm);

    /// <summary>It is certain that it ended, or it should have. One that is only out of sight is left alone.</summary>
    private static bool IsOver(PlanContext context, Spare spare) => context.Observed.EndedSpares.Contains(spare.Process)
        || (context.Observed.Waiting.Contains(spare.Process) && context.Observed.Now >= spare.Until);

    private static bool Touches(PlanContext context, IEnumerable<Step> steps, Spare spare)
    {
        var open = spare.Layers.SelectMany(l => l.Parent is { } parent ? context.Graph.Chain(parent).Prepend(l) : [l])
            .Concat(spare.Disks.Where(d => context.Graph.Has(d.Layer)).SelectMany(d => context.Graph.Chain(d.Layer)))
            .Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        return steps.SelectMany(s => s.Files).Any(f => f.Effect is not FileEffect.Create && open.Contains(f.Path));
    }

    private static IEnumerable<string> Told(PlanContext context, Spare[] gone) =>
        from spare in gone
        group spare by spare.Snapshot into same
        select $"{same.Count()} spare(s) of snapshot '{context.Catalog.Snapshots[same.Key].Name}' end: what they have open changes";
}
