using System.Collections.Immutable;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

public sealed class DefinitionCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. DefinitionScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class PowerCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. PowerScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class DiskCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. DiskScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class SnapshotCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. CreateScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class RevertCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. RevertScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class DeleteCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. DeleteScenarios.All.Keys];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

public sealed class ForkCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    public static TheoryData<string> Scenarios => [.. ForkScenarios.All.Keys.Where(n => !n.StartsWith("try", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

/// <summary>The families that have no class above.</summary>
public sealed class OtherCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    private static readonly Dictionary<string, Scenario>[] s_covered =
    [
        DefinitionScenarios.All, PowerScenarios.All, DiskScenarios.All, CreateScenarios.All, RevertScenarios.All, DeleteScenarios.All,
        ForkScenarios.All,
    ];

    public static TheoryData<string> Scenarios => Scenario.That(n => !s_covered.Any(family => family.ContainsKey(n)));

    [Theory, MemberData(nameof(Scenarios))]
    public Task A_crash_anywhere_leaves_the_old_or_the_new_tree(string name) => TryEveryPointAsync(name);
}

/// <summary>
/// Every operation, interrupted at every point: afterwards, and after a second crash while the first is being recovered,
/// the domain is as if the operation had happened or as if it had not. Of second crashes, of torn lines and of how the home works
/// on, a sample is tried.
/// </summary>
public abstract class CrashTests(ITestOutputHelper output)
{
    /// <summary>The sample is one in so many.</summary>
    private const int Sample = 128;

    /// <summary>Of so many lengths to which a line is torn, one is tried.</summary>
    private const int Lengths = 3;

    protected async Task TryEveryPointAsync(string name)
    {
        var scenario = Scenario.All[name];
        using var world = new World();
        await scenario.SetUpAsync(world);
        var before = CrashPoints.Acknowledged(world);
        var old = Outcome.Of(world);
        var states = await CrashPoints.CollectAsync(world, before, e => RunAsync(world, scenario.RequestIn(world), e));
        var expected = new Expectation(scenario, old, Outcome.Of(world));
        var counts = new Counts(
            Sampling.OneIn(name, Sample), Sampling.OneIn($"after {name}", Sample), Sampling.OneIn($"torn {name}", Lengths));
        foreach (var state in states)
        {
            await CheckAsync(world, expected, state, counts, nested: false);
        }

        output.WriteLine($"{name}: {states.Count} points, {counts.Crashes} crashes, {counts.Nested} of them in recovery, {counts.Torn} torn");
    }

    private static async Task CheckAsync(World world, Expectation expected, CrashState state, Counts counts, bool nested)
    {
        foreach (var power in new[] { false, true })
        {
            await RecoverAsync(world, expected, state, power, counts, nested, state.Disk);
        }

        if (state.TornJournal is { } journal)
        {
            await TearAsync(world, expected, state, journal, counts);
        }
    }

    /// <summary>A loss of power may have written any part of the line. (That every part reads alike is tested with the journal.)</summary>
    private static async Task TearAsync(World world, Expectation expected, CrashState state, string journal, Counts counts)
    {
        var whole = state.Disk.Files[journal];
        var line = whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1;
        foreach (var length in new[] { (line + whole.Length) / 2, line, whole.Length - 1 }.Where(_ => counts.IsTorn()))
        {
            counts.Torn++;
            var torn = state.Disk with { Files = state.Disk.Files.SetItem(journal, whole[..length]) };
            await RecoverAsync(world, expected, state with { Flushed = torn }, power: true, counts, nested: true, state.Disk);
        }
    }

    private static async Task RecoverAsync(
        World world, Expectation expected, CrashState state, bool power, Counts counts, bool nested, DiskImage killed)
    {
        // A manager that was killed goes on to a second crash, for which it matters what was flushed.
        if (!counts.Seen.Add(nested || power ? $"{nested} {state.KeyAfter(power)}" : state.Key))
        {
            return;
        }

        var flushed = Restore(world, state, power, killed);
        counts.Crashes++;
        counts.Nested += nested ? 1 : 0;
        try
        {
            if (!nested)
            {
                var flushing = power ? new FlushedDisk(world.Path1, state.Flushed) : state.Flushing.With(flushed);
                var inner = await CrashPoints.CollectAsync(
                    world, state.Acknowledged, e => TouchAsync(world, e), flushing, counts.IsTriedTwice);
                expected.Check(world, state.Acknowledged, power);
                if (counts.GoesOn())
                {
                    await GoOnAsync(world);
                }

                foreach (var again in inner)
                {
                    await CheckAsync(world, expected, again with { TornJournal = null }, counts, nested: true);
                }
            }
            else
            {
                await TouchAsync(world, null);
                // Power that was lost once is not regained by a manager that is killed later.
                expected.Check(world, state.Acknowledged, power || state.Host.Processes.IsEmpty);
            }
        }
        catch (Exception e) when (e is not CrashFailure)
        {
            throw new CrashFailure($"after a crash at '{state.Label}', {(power ? "power loss" : "manager killed")}, nested: {nested}", e);
        }
    }

    /// <returns>The folders that guards have flushed.</returns>
    internal static ImmutableArray<string> Restore(World world, CrashState state, bool power, DiskImage killed)
    {
        ImmutableArray<string> flushed = [];
        (power ? state.Flushed : killed).WriteTo(world.Path1);
        world.Host.State = state.Host;
        if (power)
        {
            world.Host.LosePower();
        }
        else
        {
            flushed = world.Host.ManagerDies();
        }

        world.Host.Tick();
        return flushed;
    }

    internal static Task<OperationResult> RunAsync(World world, Request request, Action<OperationEvent>? onEvent) =>
        world.Open().RunAsync(request, new RunOptions { OnEvent = onEvent });

    /// <summary>A read, and a command that changes nothing but settles what it finds.</summary>
    internal static async Task TouchAsync(World world, Action<OperationEvent>? onEvent)
    {
        var list = await world.Open().ListAsync();
        Assert.Empty(list.Broken);
        world.ForgetRemoved();
        await world.SettleAsync(onEvent);
    }

    /// <summary>The home works on.</summary>
    private static async Task GoOnAsync(World world)
    {
        if (!world.Exists && world.All.Count > 0)
        {
            return; // Its images are a fork's now.
        }

        if (!world.Exists)
        {
            await world.DefineAsync();
        }

        await (world.Catalog.Mirrors.IsEmpty ? Task.CompletedTask : world.RunAsync(new CollectGarbage(World.Id)));
        foreach (var mirror in world.Catalog.Mirrors)
        {
            await world.RunAsync(new CancelJobs(World.Id, mirror.Id.Value));
        }

        await world.RunAsync(new CreateSnapshot(World.Id) { Name = "after", Disks = [.. Scenario.External("vda", "vdb")] });
        world.Host.Tick();
        await world.RunAsync(Scenario.Revert("after") with { Domain = World.Id });
        world.Host.Tick();
        Inspection.CheckAll(world);
    }

    private sealed class Counts(Func<bool> isTriedTwice, Func<bool> goesOn, Func<bool> isTorn)
    {
        /// <summary>Whether a second crash is tried at the next point.</summary>
        public Func<bool> IsTriedTwice { get; } = isTriedTwice;

        /// <summary>Whether it is tried how the home works on after the next crash.</summary>
        public Func<bool> GoesOn { get; } = goesOn;

        /// <summary>Whether the next length of a torn line is tried.</summary>
        public Func<bool> IsTorn { get; } = isTorn;

        /// <summary>Many ways lead to the same state: recovering from it once is enough.</summary>
        public HashSet<string> Seen { get; } = new(StringComparer.Ordinal);

        public int Crashes { get; set; }

        public int Nested { get; set; }

        public int Torn { get; set; }
    }
}

/// <summary>Says at which point.</summary>
internal sealed class CrashFailure(string message, Exception inner) : Exception($"{message}: {inner.Message}", inner);
