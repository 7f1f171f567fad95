using System.Globalization;
using Coppice.Core;
using Coppice.Qemu.Agent;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Has the agent in a guest set the guest's clock. The time is read when the agent is known to listen, so a step that a later
/// command repeats does not set an old one. Whatever keeps it from coming about is a warning, for the guest has a hand in it;
/// only a guest that has yet to go on is worth another try, and whoever repeats the take-over repeats this too.
/// </summary>
internal sealed class GuestTimeStep(TimeProvider time)
{
    /// <summary>How long it may take in all: others wait for the domain meanwhile.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_tolerance = TimeSpan.FromSeconds(2);

    public async Task<StepReport> ApplyAsync(GuestTimeArguments step, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, step.Process);
        var hasGoneOn = File.Exists(folder.WentOn);
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await using var machine = await Machine.ConnectAsync(folder, time, either.Token);
            if (machine is null)
            {
                return StepReport.Nothing; // It ended after it had been committed, as any guest may.
            }

            // The note may be missing although it runs: a take-over that cannot write it goes on without.
            var runs = await machine.StatusAsync(either.Token) is "running";
            hasGoneOn |= runs;
            return runs
                ? await SetAsync(machine, folder, step, either.Token)
                : throw new CoppiceException(ErrorKind.WrongState, "the guest", "does not run");
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            return hasGoneOn ? new StepReport { Warning = Told(step, e) } : throw new CoppiceException(
                ErrorKind.WrongState, $"the guest of domain '{step.Agent.Domain}'", "has not gone on yet, so its clock cannot be set",
                cause: e);
        }
    }

    private static string Told(GuestTimeArguments step, Exception e)
    {
        var reason = e switch
        {
            AgentRefusalException => $"its agent refuses {e.Message}",
            OperationCanceledException => $"it took longer than {s_limit.TotalSeconds:0} s, as with an agent that hangs",
            _ => e.Message,
        };
        return $"the clock of the guest of '{step.Agent.Domain}' was not set ({reason}); set it in the guest, "
            + "from the host's time, which its hardware clock has: hwclock --hctosys";
    }

    private async Task<StepReport> SetAsync(
        Machine machine, RunFolder folder, GuestTimeArguments step, CancellationToken cancellation)
    {
        await using var agent = await step.Agent.OpenAsync(machine, folder, time, cancellation);
        var before = await agent.ReadTimeAsync(s_limit, cancellation);
        var off = before - time.GetUtcNow();
        try
        {
            await agent.SetTimeAsync(time.GetUtcNow(), s_limit, cancellation);
        }
        catch (AgentRefusalException)
        {
            // It refuses also if it has set the clock of the system but cannot set that of the hardware.
            var after = await agent.ReadTimeAsync(s_limit, cancellation);
            if ((after - time.GetUtcNow()).Duration() > s_tolerance)
            {
                throw;
            }
        }

        var seconds = off.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        return new StepReport { Mechanism = $"guest's clock set (it was {seconds} s off)" };
    }
}
