using Coppice.Core;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>Plugs the cable of a network card in, or pulls it, while its guest is there.</summary>
internal sealed class CableStep(TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(CableArguments cable, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(cable, context, cancellation) ?? throw Standstill.Gone(cable.Process);
        await TapWiring.SetLinkAsync(machine, cable.Card, cable.IsUp, cancellation);
        return new StepReport { Mechanism = "set_link" };
    }

    public async Task UndoAsync(CableArguments cable, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(cable, context, cancellation);
        if (machine is not null)
        {
            await TapWiring.SetLinkAsync(machine, cable.Card, !cable.IsUp, cancellation);
        }
    }

    private Task<Machine?> ConnectAsync(CableArguments cable, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, cable.Process), time, cancellation);
}
