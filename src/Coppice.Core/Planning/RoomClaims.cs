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

        var started = Created(plan.Prepare, volume).FirstOrDefault(f => f.EndsWith(DomainFolder.RamSuffix, StringComparison.Ordinal));
        var cloned = context.Observed.Hypervisor.Ram is { } ram && plan.Switch is { } @switch && Created([@switch], volume).Any() ? ram : null;
        var replaced = context.Head.Process is { } other && cloned is null ? context.Observed.Folder.Ram(other) : null;
        RoomClaim[] claims =
        [
            .. started is null ? Array.Empty<RoomClaim>() : [new RoomClaim(started, RamOf(context, plan), IsClone: false, replaced)],

            // Of the process that is left and the one that is started only one goes on.
            .. cloned is null ? Array.Empty<RoomClaim>() : [new RoomClaim(cloned, MemoryRoom.DeviceState, IsClone: true, started)],
        ];
        return claims.Length == 0 ? plan : plan with
        {
            Prepare = [.. claims.Select(context.Storage.ClaimRoom), .. plan.Prepare],
            CleanUp = [.. plan.CleanUp, .. claims.Where(c => c.IsClone).Select(c => context.Storage.Remove(c.Mark, default))],
        };
    }

    private static IEnumerable<string> Created(IEnumerable<Step> steps, MemoryVolume volume) =>
        steps.SelectMany(s => s.Files).Where(f => f.Effect is FileEffect.Create && volume.Holds(f.Path)).Select(f => f.Path);

    private static ByteCount RamOf(PlanContext context, Plan plan) =>
        plan.Commit?.Head is { } head ? context.Observed.Definitions[head.Definition].Memory : context.Observed.Definition.Memory;
}
