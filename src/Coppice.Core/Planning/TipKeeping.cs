using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Plans that tips go, and how long those to come are kept.</summary>
internal static class TipKeeping
{
    private const int TipsToWarnAt = 10;

    public static Plan Drop(PlanContext context, DropTips request)
    {
        ImmutableArray<Tip> gone =
        [
            .. request.Tips.Select(context.Catalog.FindTip).DistinctBy(t => t.Id),
            .. request.AllBut?.Expired(context.Catalog.Tips, context.Observed.Now) ?? [],
        ];
        if (gone.IsEmpty)
        {
            return context.Plan("nothing to do");
        }

        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage, context.NoChange with { DropTips = [.. gone.Select(t => t.Id)] });
        return context.Plan($"drop {Count(gone.Length)}") with { Commit = reclaimed.Change, CleanUp = reclaimed.Removals };
    }

    public static Plan Keep(PlanContext context, KeepTips request)
    {
        if (request.Retention == context.Catalog.TipRetention)
        {
            return context.Plan("nothing to do");
        }

        var expired = request.Retention.Expired(context.Catalog.Tips, context.Observed.Now);
        return context.Plan("change the catalog") with
        {
            Commit = context.NoChange with { TipRetention = request.Retention },
            Warnings = expired.IsEmpty ? [] : [$"{Count(expired.Length)} of those there are go with the next revert that leaves one"],
        };
    }

    /// <summary>The tips that go because another one is made.</summary>
    /// <param name="context">What is planned.</param>
    /// <param name="made">The new one; null if none is made, and nothing goes.</param>
    /// <param name="used">The one that the domain returns to; null if none.</param>
    /// <param name="discarded">Those that go anyway, and take no place of another.</param>
    public static ImmutableArray<Tip> Expired(PlanContext context, Tip? made, Tip? used, ImmutableArray<Tip> discarded)
    {
        if (made is null)
        {
            return [];
        }

        var left = context.Catalog.Tips.Where(t => t.Id != used?.Id).Except(discarded);
        return context.Catalog.TipRetention.Expired([.. left, made], context.Observed.Now).Remove(made);
    }

    /// <summary>What there is to be told of them, or of the many that never go.</summary>
    /// <param name="context">What is planned.</param>
    /// <param name="expired">Those that go because another one is made.</param>
    /// <param name="change">What becomes of all; it makes one, or none.</param>
    public static IEnumerable<string> Warnings(PlanContext context, ImmutableArray<Tip> expired, CatalogChange change)
    {
        foreach (var tip in expired)
        {
            yield return $"tip {tip.Id}, left at {tip.LeftAt:u}, goes: {context.Subject} keeps no more of them, or not for so long";
        }

        var count = change.ApplyTo(context.Catalog, context.Catalog.Last).Tips.Length;
        if (!change.PutTips.IsEmpty && context.Catalog.TipRetention == TipRetention.Forever && count >= TipsToWarnAt)
        {
            yield return $"{context.Subject} has {count} tips now and keeps each for ever; see: coppice tips list {context.Catalog.Name}, "
                + $"and say how many it is to keep: coppice tips keep {context.Catalog.Name} --last {TipsToWarnAt}";
        }
    }

    private static string Count(int tips) => tips == 1 ? "1 tip" : $"{tips} tips";
}
