using System.Collections.Immutable;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;
using Coppice.Tests.Engine;

namespace Coppice.Torture;

/// <summary>
/// One operation on a fake machine and one fault in it. The operation is carried out whole first, to learn where it leads and how
/// many points it has; then it is as if it had met the fault at one of them.
/// </summary>
internal sealed class FakeFault(World world, Scenario scenario, string operation, Random random)
{
    // What it is may depend on what there is, which is asked before anything changes.
    private readonly Request _request = scenario.RequestIn(world);

    private sealed record Beginning(DiskImage Disk, FakeHostState Host);

    public string Operation => operation;

    /// <returns>The fault; null if the operation was refused while it was planned.</returns>
    public async Task<string?> MeetAsync()
    {
        var (first, old) = (new Beginning(DiskImage.Read(world.Path1), world.Host.State), Outcome.Of(world));
        var points = 0;
        var ended = ImmutableArray.CreateBuilder<Outcome>();
        IReadOnlyList<CrashState> states;
        try
        {
            states = await CrashPoints.CollectAsync(
                world, CrashPoints.Acknowledged(world), e => CrashTests.RunAsync(world, _request, Watching(e, ended)),
                wanted: () => random.Next(++points) == 0);
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            return null;
        }

        var expected = new Expectation(scenario, old, Outcome.Of(world)) { Between = ended.ToImmutable() };
        KeepForgotten(expected);
        var point = random.Next(points);
        var (name, meet) = ((string, Func<Task>))(random.Next(9) switch
        {
            0 or 1 => ("manager killed", () => CrashAsync(expected, states[^1], power: false)),
            2 or 3 => ("power lost", () => CrashAsync(expected, states[^1], power: true)),
            4 => ("killed again while recovering", () => CrashTwiceAsync(expected, states[^1], power: random.Next(2) == 0)),
            5 => ("one act on a file failed", () => FailAsync(expected, first, n => n == point, FailFiles)),
            6 => ("all acts on files failed from a point on", () => FailAsync(expected, first, n => n >= point, FailFiles)),
            7 => ("machine refused", () => FailAsync(expected, first, n => n == point / 4, FailMachine)),
            _ => ("cancelled", () => CancelAsync(expected, first, point)),
        });
        await ToldAsync($"{operation} ({_request}), {name}, point {point} of {points} or '{states[^1].Label}'", meet);
        return name;
    }

    /// <summary>A snapshot that is only forgotten leaves its files.</summary>
    private void KeepForgotten(Expectation expected)
    {
        if (_request is DeleteSnapshot { Mode: DeleteMode.MetadataOnly })
        {
            foreach (var gone in expected.Old.Catalog!.Snapshots.Values.Where(s => !expected.New.Catalog!.Snapshots.ContainsKey(s.Id)))
            {
                world.MayKeep(gone);
            }
        }
    }

    private Action<OperationEvent> Watching(Action<OperationEvent> onEvent, ImmutableArray<Outcome>.Builder ended) => e =>
    {
        onEvent(e);
        if (e.Point is OperationPoint.Ended)
        {
            ended.Add(Outcome.Of(world));
        }
    };

    private static async Task ToldAsync(string what, Func<Task> check)
    {
        try
        {
            await check();
        }
        catch (Exception e)
        {
            throw new Violation(e is Violation v ? v.Harm : Harm.Other, $"{what}: {e.Message}", e);
        }
    }

    private async Task CrashAsync(Expectation expected, CrashState state, bool power)
    {
        CrashTests.Restore(world, state, power, state.Disk);
        await CrashTests.TouchAsync(world, null);
        Check(expected, state.Acknowledged, power);
    }

    private async Task CrashTwiceAsync(Expectation expected, CrashState state, bool power)
    {
        var flushed = CrashTests.Restore(world, state, power, state.Disk);
        var points = 0;
        var again = await CrashPoints.CollectAsync(
            world, state.Acknowledged, e => CrashTests.TouchAsync(world, e), power ? null : state.Flushing.With(flushed),
            () => random.Next(++points) == 0);
        var (second, powerLater) = (again[^1], random.Next(2) == 0);
        CrashTests.Restore(world, second, powerLater, second.Disk);
        await CrashTests.TouchAsync(world, null);

        // Power that was lost once is not regained by a manager that is killed later.
        Check(expected, state.Acknowledged, power || powerLater || second.Host.Processes.IsEmpty);
    }

    private void Check(Expectation expected, long acknowledged, bool power)
    {
        if (!IsMerging(expected))
        {
            expected.Check(world, acknowledged, power);
            return;
        }

        Inspection.CheckAll(world);
        if (!scenario.Discards && world.Exists)
        {
            Assert.True(Inspection.Kept(world) >= acknowledged, $"{Inspection.Kept(world)} is kept, {acknowledged} was acknowledged");
        }
    }

    /// <summary>
    /// A merge that is ready is finished first, or one that is begun is finished at once, as operations of their own: there are more
    /// ways to stop than before and after.
    /// </summary>
    private static bool IsMerging(Expectation expected) => HasJobs(expected.Old)
        || (expected.Between.Any(HasJobs) && !HasJobs(expected.New));

    private static bool HasJobs(Outcome outcome) => outcome.Catalog?.Jobs.IsEmpty == false;

    private Task FailAsync(Expectation expected, Beginning first, Func<int, bool> fails, Action<Func<int, bool>> arm) =>
        TryAgainAsync(expected, first, () => arm(fails), () => world.RunAsync(_request));

    private async Task CancelAsync(Expectation expected, Beginning first, int point)
    {
        using var source = new CancellationTokenSource();
        var count = 0;
        await TryAgainAsync(
            expected, first, () => world.Host.Acting = _ => Pass(),
            () => world.Open().RunAsync(_request, new RunOptions { OnEvent = _ => Pass() }, source.Token));

        void Pass()
        {
            if (count++ == point)
            {
                source.Cancel();
            }
        }
    }

    /// <summary>From the beginning again; nobody dies, and the next command tidies what the failed one could not.</summary>
    private async Task TryAgainAsync(Expectation expected, Beginning first, Action arm, Func<Task> run)
    {
        first.Disk.WriteTo(world.Path1);
        world.Host.State = first.Host;
        arm();
        try
        {
            await run();
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Storage or ErrorKind.Hypervisor or ErrorKind.Cancelled or ErrorKind.Busy)
        {
        }
        finally
        {
            (FileActs.Observer, world.Host.Acting) = (null, null);
        }

        await CrashTests.TouchAsync(world, null);
        if (IsMerging(expected))
        {
            Inspection.CheckAll(world);
        }
        else
        {
            expected.CheckShape(world);
        }
    }

    private static void FailFiles(Func<int, bool> fails)
    {
        var count = 0;
        FileActs.Observer = (_, path) =>
        {
            if (fails(count++))
            {
                throw FileException.Of(path, Errno.NoSpace);
            }
        };
    }

    private void FailMachine(Func<int, bool> fails)
    {
        var count = 0;
        world.Host.Acting = what =>
        {
            if (fails(count++))
            {
                throw new CoppiceException(ErrorKind.Hypervisor, what, "was refused");
            }
        };
    }
}
