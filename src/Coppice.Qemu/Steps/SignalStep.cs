using Coppice.Core;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>A plain command to a guest.</summary>
internal sealed class SignalStep(GuardPost guards, TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(SignalArguments signal, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(signal, context, cancellation) ?? throw Standstill.Gone(signal.Process);
        await guards.WaitForOthersAsync(context, cancellation);
        switch (signal.Signal)
        {
            case DomainSignal.Pause:
                await machine.StopAsync(cancellation);
                break;
            case DomainSignal.Resume:
                await machine.ResumeAsync();
                break;
            default:
                await machine.Qmp.ExecuteAsync(CommandOf(signal.Signal), null, cancellation);
                break;
        }

        return new StepReport { Mechanism = CommandOf(signal.Signal) };
    }

    public async Task UndoAsync(SignalArguments signal, StepContext context, CancellationToken cancellation)
    {
        await guards.WaitForOthersAsync(context, cancellation);
        await using var machine = await ConnectAsync(signal, context, cancellation);
        if (machine is not null && signal.Signal is DomainSignal.Pause)
        {
            await machine.ResumeAsync();
        }
        else if (machine is not null && signal.Signal is DomainSignal.Resume)
        {
            await machine.StopAsync(cancellation);
        }
    }

    public async Task<StepOutcome> ProbeAsync(SignalArguments signal, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(signal, context, cancellation);
        var runs = machine is not null && await machine.StatusAsync(cancellation) is "running";
        return signal.Signal switch
        {
            DomainSignal.Pause when !runs => StepOutcome.Done,
            DomainSignal.Resume when runs => StepOutcome.Done,

            // A button that was pressed leaves no trace; to press it again does no harm.
            _ => StepOutcome.NotDone,
        };
    }

    /// <summary>QEMU's command for a signal.</summary>
    public static string CommandOf(DomainSignal signal) => signal switch
    {
        DomainSignal.Pause => "stop",
        DomainSignal.Resume => "cont",
        DomainSignal.PowerButton => "system_powerdown",
        _ => "system_reset",
    };

    private Task<Machine?> ConnectAsync(SignalArguments signal, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, signal.Process), time, cancellation);
}
