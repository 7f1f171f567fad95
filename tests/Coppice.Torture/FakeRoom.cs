using Coppice.Tests.Engine;
using Coppice.Tests.Trees;

namespace Coppice.Torture;

/// <summary>
/// A machine that is not real, and the crash harness of the fast tests: every point of an operation can be met, in trees that
/// random operations have made, and of every scenario that the fast tests know.
/// </summary>
internal sealed class FakeRoom : Room
{
    private const int Operations = 12;

    public override string Name => "fakes";

    public override double Rest => 3;

    public override async Task RoundAsync(Random random, CancellationToken over)
    {
        if (random.Next(3) == 0)
        {
            await TryScenarioAsync(random);
        }
        else
        {
            await LiveAsync(random, over);
        }
    }

    /// <summary>One of the known scenarios, with several faults from the same beginning.</summary>
    private async Task TryScenarioAsync(Random random)
    {
        var (name, scenario) = Scenario.All.ElementAt(random.Next(Scenario.All.Count));
        using var world = new World();
        await scenario.SetUpAsync(world);
        var (disk, host) = (DiskImage.Read(world.Path1), world.Host.State);
        for (var i = 0; i < Operations; i++)
        {
            disk.WriteTo(world.Path1);
            world.Host.State = host;
            await MeetAsync(new FakeFault(world, scenario, name, random));
        }
    }

    /// <summary>
    /// Trees that grow, and after each fault from what was recovered. A fault meets one domain, and the others are compared.
    /// </summary>
    private async Task LiveAsync(Random random, CancellationToken over)
    {
        using var orchard = await FakeOrchard.PlantAsync(hasVolume: random.Next(2) == 0);
        for (var i = 0; i < Operations && !over.IsCancellationRequested; i++)
        {
            var before = await orchard.LookAsync();
            if (before.IsEmpty)
            {
                return;
            }

            var watched = before[random.Next(before.Length)];
            orchard.World.Watched = watched.Catalog.Domain;
            var scene = new Scene(orchard, before, watched);
            var deed = Deed.Pick(random, scene);
            var request = await deed.AskAsync(new Draw(random, scene));
            await MeetAsync(new FakeFault(orchard.World, new Scenario(request, null, deed.Discards), deed.Name, random));
            var after = await Violation.CheckAsync(Harm.Corrupt, orchard.LookAsync);
            Violation.Check(Harm.Lost, () => TreeRules.CheckKept(before, after, deed, request));
            Violation.Check(Harm.Orphan, () => orchard.CheckFiles(after, deed));
        }
    }

    private async Task MeetAsync(FakeFault fault)
    {
        if (await fault.MeetAsync() is { } met)
        {
            Tally.Operation(fault.Operation, met);
        }
        else
        {
            Tally.Refused();
        }
    }
}
