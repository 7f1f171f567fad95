namespace Coppice.Core;

/// <summary>
/// Claims room on the memory volume before anything else is done. A plan was made with what was promised then; commands for other domains
/// may have been planned at the same moment, and whoever comes second must hear of the first.
/// </summary>
internal static class RoomClaims
{
    /// <summary>Adds the claims of what a plan puts on the volume: RAM of a process that it starts, and a clone of RAM that is there.</summary>
    public static Plan Around(PlanContext context, Plan plan)
    {
        if (context.Observed.Volume is not { } volume)
        {
            return plan;
        }

        string[] started = [.. Created(plan.Prepare, volume).Where(f => f.EndsWith(DomainFolder.RamSuffix, StringComparison.Ordinal))];
        var cloned = context.Observed.Hypervisor.Ram is { } ram && plan.Switch is { } @switch && Created([@switch], volume).Any() ? ram : null;

        // Of the process that is left and its successor only one goes on. A spare replaces none before it is taken.
        var folder = context.Observed.Folder;
        var successor = plan.Commit?.Head.Process is { } next && next != context.Head.Process ? folder.Ram(next) : null;
        var left = context.Head.Process is { } other && successor is not null && cloned is null ? folder.Ram(other) : null;
        RoomClaim[] claims =
        [
            .. started.Select(file => new RoomClaim(file, RamOf(context, plan), IsClone: false, left)),
            .. cloned is null ? Array.Empty<RoomClaim>() : [new RoomClaim(cloned, MemoryVolume.DeviceState, IsClone: true, successor)],
        ];
        return claims.Length == 0 ? plan : plan with
        {
            Prepare = [.. claims.Select(context.Storage.ClaimRoom), .. plan.Prepare],
            CleanUp = [.. plan.CleanUp, .. claims.Where(c => c.IsClone).Select(c => context.Storage.Remove(c.Mark, default))],
        };
    }

    private static IEnumerable<string> Created(IEnumerable<Step> steps, MemoryVolume volume) =>
        steps.SelectMany(s => s.Files).Where(f => f.Effect is FileEffect.Create && volume.Holds(f.Path)).Select(f => f.Path);

    /// <summary>The RAM of what a plan starts: the domain's next process, or one beside it.</summary>
    private static ByteCount RamOf(PlanContext context, Plan plan)
    {
        var beside = context.Request switch
        {
            WarmSnapshot warm => warm.Snapshot,
            MapSnapshot map => map.Snapshot,
            _ => null,
        };
        var definition = beside is null ? plan.Commit?.Head.Definition ?? context.Head.Definition : context.Find(beside).Definition;
        return context.Observed.Definitions[definition].Memory;
    }
}
