using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;
using Coppice.Live.Tree;
using Coppice.Qemu.Qmp;
using Coppice.Victim;

namespace Coppice.Torture;

/// <summary>One operation on a guest that runs, and what goes wrong with it. Each gives the name of the fault, or null if it was not met.</summary>
internal sealed class LiveFault(LiveDomain domain, LiveOperation operation, string snapshot)
{
    // Without them nothing is done at all, or a guest that stands still cannot be helped.
    private static readonly string[] s_spared = ["qmp_capabilities", "cont"];

    private bool _met;

    /// <summary>Why it was not done.</summary>
    public Exception? Error { get; private set; }

    /// <summary>The point of the journal at which it was met; null if it is not about one.</summary>
    public int? Point { get; private set; }

    /// <summary>QEMU was killed, at some time.</summary>
    public bool KilledQemu { get; private set; }

    /// <summary>A manager of its own is killed, with QEMU or alone, at a point of its journal or some time into the step with the pause.</summary>
    public async Task<string?> KillManagerAsync(int? at, TimeSpan into, bool withQemu)
    {
        var moment = at is { } point
            ? string.Create(CultureInfo.InvariantCulture, $"event:{point}")
            : string.Create(CultureInfo.InvariantCulture, $"switch:{into.TotalMilliseconds:0.0}");
        using var victim = VictimRun.StartOn(domain, operation.Name, moment + (withQemu ? "+qemu" : ""), snapshot);
        var code = await victim.WaitAsync();
        if (code == 1)
        {
            Error = new InvalidOperationException(await victim.Errors);
        }

        KilledQemu = victim.Died && withQemu;
        Point = victim.Died ? at : null;
        var where = at is null ? victim.DiedStanding ? "in the pause" : "about the pause" : "at a point";
        return victim.Died ? $"manager{(withQemu ? " and QEMU" : "")} killed {where}" : null;
    }

    public Task<string?> KillQemuAtAsync(int at) => RunAsync("QEMU killed at a point", new RunOptions { OnEvent = At(at, KillQemu) }, default);

    public async Task<string?> KillQemuAfterAsync(TimeSpan after)
    {
        var running = RunAsync("", new RunOptions(), default);
        await Task.WhenAny(running, Task.Delay(after));
        KilledQemu = !running.IsCompleted;
        await (running.IsCompleted ? Task.CompletedTask : domain.KillQemuAsync());
        await running;
        return KilledQemu ? "QEMU killed at an instant" : null;
    }

    public async Task<string?> CancelAsync(int at)
    {
        using var source = new CancellationTokenSource();
        return await RunAsync("cancelled", new RunOptions { OnEvent = At(at, source.Cancel) }, source.Token);
    }

    public async Task<string?> FailFilesAsync(int from, bool once)
    {
        var count = 0;
        FileActs.Observer = (_, path) =>
        {
            if (count++ == from || (!once && count > from))
            {
                _met = true;
                throw FileException.Of(path, Errno.NoSpace);
            }
        };
        return await RunAsync(once ? "one act on a file failed" : "all acts on files failed from a point on", new RunOptions(), default);
    }

    public async Task<string?> RefuseCallAsync(int at)
    {
        var count = 0;
        QmpActs.Observer = command =>
        {
            if (!s_spared.Contains(command) && count++ == at)
            {
                _met = true;
                throw new QmpRefusalException(command, "GenericError", "refused by the torture");
            }
        };
        return await RunAsync("QEMU refused a call", new RunOptions(), default);
    }

    /// <summary>Somebody else takes the room for memory when the guest is about to stand still.</summary>
    public async Task<string?> FillAsync(DomainFolder folder, long left)
    {
        var filler = Path.Combine(folder.MemoryFolder, "filler");
        var met = await RunAsync("disk full", new RunOptions { OnEvent = Fill }, default);
        File.Delete(filler);
        return met;

        void Fill(OperationEvent passed)
        {
            if (passed is { Point: OperationPoint.StepIntended, Step.Kind: "qemu.checkpoint" or "qemu.leave" } && !_met)
            {
                _met = true;
                Filler.Make(filler, left);
            }
        }
    }

    private void KillQemu()
    {
        KilledQemu = true;
        domain.KillQemuAsync().GetAwaiter().GetResult();
    }

    private async Task<string?> RunAsync(string name, RunOptions options, CancellationToken cancellation)
    {
        try
        {
            await domain.Home.RunAsync(Operations.Of(operation.Name, LiveDomain.Name, snapshot), options, cancellation);
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            Error = e;
        }
        finally
        {
            (FileActs.Observer, QmpActs.Observer) = (null, null);
        }

        return _met ? name : null;
    }

    private Action<OperationEvent> At(int at, Action act)
    {
        var count = 0;
        return passed =>
        {
            if (passed.Point is not OperationPoint.StepProgressed && count++ == at)
            {
                (_met, Point) = (true, at);
                act();
            }
        };
    }
}
