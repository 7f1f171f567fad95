using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What becomes of the processes that wait for a revert when something else is done. They are a cache: one whose snapshot goes, or that has
/// something open that is about to be changed, ends first, and what ended by itself is tidied up.
/// </summary>
internal static class Spares
{
    // Less than that, and its time may be over before it is taken.
    private static readonly TimeSpan s_leastTime = TimeSpan.FromSeconds(5);

    /// <summary>The spare that a revert to a snapshot takes; null if none waits, or images may not be what it has open.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="disks">The layers that it leads to: a disc may be another one by now.</param>
    public static Spare? For(PlanContext context, Snapshot snapshot, ImmutableArray<HeadDisk> disks) => !context.Observed.Rewritten.IsEmpty
        ? null
        : Of(context, snapshot).FirstOrDefault(s =>
            s.Until - context.Observed.Now > s_leastTime
            && s.Disks.All(d => s.Layers.Any(l => l.Id == d.Layer) || disks.Contains(d)));

    /// <summary>Those of a snapshot that go on waiting, whether or not anybody may still take them.</summary>
    public static ImmutableArray<Spare> Of(PlanContext context, Snapshot snapshot) =>
        [.. context.Catalog.Spares.Where(s => s.Snapshot == snapshot.Id && context.Observed.Waiting.Contains(s.Process))];

    /// <summary>Adds the end of spares that cannot stay to a plan.</summary>
    public static Plan Around(PlanContext context, Plan plan)
    {
        if (context.Catalog.Spares.IsEmpty || plan.MakesDomain)
        {
            return plan;
        }

        var gone = context.Catalog.Spares.Where(s => plan.Commit?.DropSpares.Contains(s.Process) is not true && MustGo(context, plan, s)).ToArray();
        return gone.Length == 0 ? plan
            : plan.Commit is null ? plan with { Prepare = [.. gone.Select(s => context.Hypervisor.End(s.Process)), .. plan.Prepare] }
            : plan with
            {
                Commit = plan.Commit with { DropSpares = [.. plan.Commit.DropSpares, .. gone.Select(s => s.Process)] },
                CleanUp = [.. gone.SelectMany(s => Ended(context, s)), .. plan.CleanUp],
                Warnings = [.. plan.Warnings, .. Told(context, gone)],
            };
    }

    /// <summary>The clean-up of one that goes, with all that was made for it.</summary>
    public static IEnumerable<Step> Ended(PlanContext context, Spare spare) =>
        SnapshotProcess.Ended(context, spare.Process, spare.Layers, spare.Tpm);

    private static bool MustGo(PlanContext context, Plan plan, Spare spare)
    {
        if (!context.Observed.Waiting.Contains(spare.Process))
        {
            return plan.Commit is not null;
        }

        var open = spare.Layers.SelectMany(l => l.Parent is { } parent ? context.Graph.Chain(parent).Prepend(l) : [l])
            .Concat(spare.Disks.Where(d => context.Graph.Has(d.Layer)).SelectMany(d => context.Graph.Chain(d.Layer)))
            .Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        return plan.Commit?.Drop.Contains(spare.Snapshot) is true
            || plan.Steps.SelectMany(s => s.Files).Any(f => f.Effect is not FileEffect.Create && open.Contains(f.Path));
    }

    private static IEnumerable<string> Told(PlanContext context, Spare[] gone) =>
        from spare in gone
        where context.Observed.Waiting.Contains(spare.Process)
        group spare by spare.Snapshot into same
        select $"{same.Count()} spare(s) of snapshot '{context.Catalog.Snapshots[same.Key].Name}' end: what they have open changes";
}
