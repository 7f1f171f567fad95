using Coppice.Core;
using static Coppice.Tests.Engine.Before;

namespace Coppice.Tests.Engine;

/// <summary>Disks that are copied while their guest writes to them.</summary>
internal static class MirrorScenarios
{
    private const string Name = World.Name, Copied = "/images/copy.qcow2";

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["copy a disk"] = new(Copy(), WithSnapshots),
        ["copy a disk, shallow"] = new(Copy() with { Shallow = true }, WithSnapshots),
        ["copy a disk over an image"] = new(Copy() with { Path = "/images/more.qcow2", Reuse = true }, WithSnapshots),
        ["move a disk"] = new(Copy() with { End = MirrorEnd.Pivot }, async w => { await WithSnapshots(w); w.Host.MergesGoOnWhenAsked = true; }),
        ["commit a disk"] = new(new CommitDisk(Name, "vda"), Overlaid),
        ["go over to a copy"] = Ending(MirrorEnd.Pivot, w => CopyingAsync(w, Copy())),
        ["go over to a shallow copy"] = Ending(MirrorEnd.Pivot, w => CopyingAsync(w, Copy() with { Shallow = true })),
        ["keep a copy"] = Ending(MirrorEnd.Keep, w => CopyingAsync(w, Copy())),
        ["give a copy up"] = Ending(MirrorEnd.Discard, w => CopyingAsync(w, Copy())),
        ["go over to what is below"] = Ending(MirrorEnd.Pivot, CommittingAsync),
        ["give a commit up"] = Ending(MirrorEnd.Discard, CommittingAsync),
        ["job cancel of a copy"] = new(new CancelJobs(Name, null), w => CopyingAsync(w, Copy())),
        ["kill while a disk is copied"] = new(new KillDomain(Name), w => CopyingAsync(w, Copy())),
        ["start after a copy ended with the guest"] = new(
            new StartDomain(Name, Paused: false), async w => { await CopyingAsync(w, Copy()); await w.RunAsync(new KillDomain(Name)); }),
    };

    private static CopyDisk Copy() => new(Name, "vda", Copied);

    private static Scenario Ending(MirrorEnd end, Func<World, Task> prepare) =>
        new(new EndMirror(Name, "", end), prepare) { Asks = w => new EndMirror(World.Id, w.Catalog.Mirrors[0].Id.Value, end) };

    private static async Task CopyingAsync(World world, CopyDisk copy)
    {
        await WithSnapshots(world);
        await world.RunAsync(copy);
        Tick(world);
    }

    private static async Task CommittingAsync(World world)
    {
        await Overlaid(world);
        await world.RunAsync(new CommitDisk(Name, "vda"));
        Tick(world);
    }

    /// <summary>The guest writes to a layer on the user's image, and nothing but the domain has either.</summary>
    private static async Task Overlaid(World world)
    {
        await world.StartAsync();
        await world.RunAsync(new CreateSnapshot(Name) { Name = "none", DiskOnly = true, NoMetadata = true });
        world.Host.Tick();
    }

    private static void Tick(World world)
    {
        for (var tick = 0; tick < 5; tick++)
        {
            world.Host.Tick();
        }
    }
}
