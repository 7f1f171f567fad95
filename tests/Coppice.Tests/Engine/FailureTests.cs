using Coppice.Contracts;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>
/// Every operation, with one thing that fails or a cancellation at some points, or at every one: it happens or it does not, the
/// same process goes on, and what it could not tidy the next command does.
/// </summary>
public sealed class FailureTests(Beginnings beginnings) : IClassFixture<Beginnings>
{
    /// <summary>A failure is tried at one point in so many.</summary>
    private const int Sample = 16;

    public static TheoryData<string> Scenarios => Scenario.That(_ => true);

    [Theory]
    [MemberData(nameof(Scenarios))]
    public Task A_file_that_cannot_be_written_leaves_the_old_or_the_new_tree(string name) => TryEachAsync(
        name,
        (world, at) =>
        {
            var count = 0;
            FileActs.Observer = (_, path) =>
            {
                if (count++ == at)
                {
                    throw FileException.Of(path, Errno.NoSpace);
                }
            };
            return () => count > at;
        });

    /// <summary>The operations in which a guest stands still.</summary>
    public static TheoryData<string> Standing => Scenario.That(
        name => Scenario.All[name].Request is SaveDomain or CreateSnapshot or RevertSnapshot or UndoRevert or RevertToTip);

    [Theory]
    [MemberData(nameof(Standing))]
    public Task Where_nothing_can_be_written_any_more_no_guest_waits_for_the_next_command(string name) => TryEachAsync(
        name,
        (world, at) =>
        {
            var count = 0;
            FileActs.Observer = (_, path) =>
            {
                if (count++ >= at)
                {
                    throw FileException.Of(path, Errno.NoSpace);
                }
            };
            return () => count > at;
        });

    [Theory]
    [MemberData(nameof(Scenarios))]
    public Task A_machine_that_refuses_leaves_the_old_or_the_new_tree(string name) => TryEachAsync(
        name,
        (world, at) =>
        {
            var count = 0;
            world.Host.Acting = what =>
            {
                if (count++ == at)
                {
                    throw new CoppiceException(ErrorKind.Hypervisor, what, "was refused");
                }
            };
            return () => count > at;
        });

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task Cancelling_at_any_point_leaves_the_old_or_the_new_tree(string name)
    {
        using var source = new Wrapper();
        await TryEachAsync(
            name,
            (world, at) =>
            {
                source.Renew();
                var count = 0;
                world.Host.Acting = _ => Pass();
                source.OnEvent = _ => Pass();
                return () => count > at;

                void Pass()
                {
                    if (count++ == at)
                    {
                        source.Current.Cancel();
                    }
                }
            },
            (world, request) => world.Open().RunAsync(
                request, new RunOptions { OnEvent = e => source.OnEvent(e) }, source.Current.Token));
    }

    /// <summary>Arms a failure at each point in turn, until an operation comes through without meeting it.</summary>
    private async Task TryEachAsync(
        string name, Func<World, int, Func<bool>> arm, Func<World, Request, Task<OperationResult>>? run = null)
    {
        var (world, disk, host, expected) = await beginnings.OfAsync(name);
        var isTried = Sampling.OneIn(name, Sample);
        for (var at = 0; ; at++)
        {
            if (!isTried())
            {
                continue;
            }

            disk.WriteTo(world.Path1);
            world.Host.State = host;
            var met = arm(world, at);
            var request = expected.Scenario.RequestIn(world);
            var failure = await AttemptAsync(() => run is null ? world.RunAsync(request) : run(world, request));
            var wasMet = met();
            (FileActs.Observer, world.Host.Acting) = (null, null);
            Assert.DoesNotContain(world.Host.State.Processes.Values, p => p.Guard is not null);
            Check(world, expected, failure, $"{name}, point {at}", await SettleAsync(world));
            if (!wasMet)
            {
                return;
            }
        }
    }

    private static void Check(World world, Expectation expected, CoppiceException? failure, string label, CoppiceException? second)
    {
        try
        {
            Assert.Null(second);
            expected.CheckShape(world);
            if (failure is not null)
            {
                Assert.Contains(failure.Kind, new[] { ErrorKind.Storage, ErrorKind.Hypervisor, ErrorKind.Cancelled });
            }
        }
        catch (Exception e)
        {
            throw new CrashFailure($"{label} ({failure?.Message ?? "no error"})", e);
        }
    }

    /// <summary>What the next command does first.</summary>
    private static Task<CoppiceException?> SettleAsync(World world) => AttemptAsync(async () =>
    {
        await world.Open().ListAsync();
        world.ForgetRemoved();
        if (world.Exists)
        {
            await world.SettleAsync();
        }
    });

    private static async Task<CoppiceException?> AttemptAsync(Func<Task> run)
    {
        try
        {
            await run();
            return null;
        }
        catch (CoppiceException e)
        {
            return e;
        }
    }

    private sealed class Wrapper : IDisposable
    {
        public CancellationTokenSource Current { get; private set; } = new();

        public Action<OperationEvent> OnEvent { get; set; } = _ => { };

        public void Renew()
        {
            Current.Dispose();
            Current = new CancellationTokenSource();
        }

        public void Dispose() => Current.Dispose();
    }
}

/// <summary>Worlds in which a scenario can begin, again and again: what leads there is done once for all tests of a class.</summary>
public sealed class Beginnings : IDisposable
{
    private readonly Dictionary<string, Beginning> _begun = new(StringComparer.Ordinal);

    public void Dispose()
    {
        foreach (var (world, _, _, _) in _begun.Values)
        {
            world.Dispose();
        }
    }

    internal async Task<Beginning> OfAsync(string name)
    {
        if (!_begun.TryGetValue(name, out var begun))
        {
            _begun[name] = begun = await BeginAsync(Scenario.All[name]);
        }

        return begun;
    }

    private static async Task<Beginning> BeginAsync(Scenario scenario)
    {
        var world = new World();
        await scenario.SetUpAsync(world);
        var (disk, host, old) = (DiskImage.Read(world.Path1), world.Host.State, Outcome.Of(world));
        await world.RunAsync(scenario.RequestIn(world));
        return new Beginning(world, disk, host, new Expectation(scenario, old, Outcome.Of(world)));
    }

    /// <param name="World">Where.</param>
    /// <param name="Disk">The files at the beginning.</param>
    /// <param name="Host">The machine at the beginning.</param>
    /// <param name="Expected">What may come out of the operation.</param>
    internal sealed record Beginning(World World, DiskImage Disk, FakeHostState Host, Expectation Expected);
}
