using Coppice.Contracts;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>
/// A plan after a crash at every point: it changes nothing, and is refused where it would have to guess. A sample of operations is
/// tried.
/// </summary>
public sealed class PlanAfterCrashTests
{
    public static TheoryData<string> Scenarios => [.. Sampling.Of(Scenario.All.Keys, 12)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task A_plan_touches_nothing_whatever_a_crash_left_and_guesses_nothing(string name)
    {
        Sampling.TellSeed();
        using var world = new World();
        await Scenario.All[name].SetUpAsync(world);
        var states = await CrashPoints.CollectAsync(world, 0, e => CrashTests.RunAsync(world, Scenario.All[name].RequestIn(world), e));
        var (planned, refused) = (0, 0);
        foreach (var state in states)
        {
            CrashTests.Restore(world, state, power: false, state.Disk);
            var (disk, host, old) = (DiskImage.Read(world.Path1).Text, world.Host.State, world.Exists ? world.Catalog : null);
            var doing = Inspection.StateOf(world);
            var isPlanned = await IsPlannedAsync(world);
            planned += isPlanned ? 1 : 0;
            refused += old is not null && !isPlanned ? 1 : 0;
            Assert.Equal(disk, DiskImage.Read(world.Path1).Text);
            Assert.Equal(host, world.Host.State);
            if (old is not null && isPlanned)
            {
                await world.SettleAsync();
                Assert.Equal(Inspection.Tree(old), Inspection.Tree(world.Catalog));
                Assert.Equal(doing, Inspection.StateOf(world));
            }
        }

        Assert.True(planned > 0, "none was planned");
        var isOfAnother = Scenario.All[name].Request is ImportDomain or AttachSnapshotDisk or (DomainRequest { Domain: not World.Name } and not ForkSnapshot);
        Assert.Equal(
            !isOfAnother && !name.StartsWith("define", StringComparison.Ordinal) && !name.StartsWith("undefine", StringComparison.Ordinal), refused > 0);
    }

    /// <summary>Plans what can be planned in any state, unless there is no domain or it is open what becomes of it.</summary>
    private static async Task<bool> IsPlannedAsync(World world)
    {
        try
        {
            var request = new CreateSnapshot(World.Id) { Disks = [.. Scenario.External("vda", "vdb")] };
            return !(await world.Open().RunAsync(request, new RunOptions { PlanOnly = true })).Executed;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.WrongState)
        {
            // What is being copied goes on, and no plan has to guess what becomes of it.
            var isCopied = e.NextStep.Contains("coppice job finish", StringComparison.Ordinal);
            Assert.Matches(isCopied ? "is being copied|is being committed" : "was interrupted|has yet to|has ended", e.Problem);
            Assert.True(isCopied || e.NextStep.Contains("without --plan", StringComparison.Ordinal), e.NextStep);
            return isCopied;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound && !world.Exists)
        {
            return false;
        }
    }
}
