using Coppice.Contracts;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>
/// Every operation, with one thing that fails or a cancellation at one point in two, or at every one: it happens or it does not, the same process
/// goes on, and what it could not tidy the next command does.
/// </summary>
public sealed class FailureTests
{
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
    private static async Task TryEachAsync(
        string name, Func<World, int, Func<bool>> arm, Func<World, Request, Task<OperationResult>>? run = null)
    {
        var scenario = Scenario.All[name];
        using var world = new World();
        await scenario.SetUpAsync(world);
        var (disk, host, old) = (DiskImage.Read(world.Path1), world.Host.State, Outcome.Of(world));
        await world.RunAsync(scenario.RequestIn(world));
        var expected = new Expectation(scenario, old, Outcome.Of(world));
        var isTried = Sampling.OneIn(name, 4);
        for (var at = 0; ; at++)
        {
            if (!isTried())
            {
                continue;
            }

            disk.WriteTo(world.Path1);
            world.Host.State = host;
            var met = arm(world, at);
            var failure = await AttemptAsync(() => run is null ? world.RunAsync(scenario.RequestIn(world)) : run(world, scenario.RequestIn(world)));
            var wasMet = met();
            (FileActs.Observer, world.Host.Acting) = (null, null);
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
