using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Replaces a network card of a process. Its backend outlives the old card and takes the new one, so what it is connected to
/// stays as it is.
/// </summary>
internal sealed class CardSteps(TimeProvider time)
{
    public const string UnplugKind = "qemu.unplug-card", PlugKind = "qemu.plug-card";

    private readonly Unplugging _unplugging = new(time);

    public static (Step Switch, Step CleanUp) Renew(ShortId process, DomainDefinition definition, int place)
    {
        var card = definition.Devices.OfType<NetworkDevice>().ElementAt(place);
        var device = DeviceArguments.Card(card, place, new Wiring(definition), turn: null).ToDevice();
        var unplug = new UnplugCardArguments(process, definition.Name, place);
        var plug = new PlugCardArguments(process, place, device.ToJsonString(), card.LinkIsUp ?? true);
        return (
            Step.Of(
                UnplugKind, $"let the guest let go of network card {place}", StepUndo.None, unplug, StepJson.Default.UnplugCardArguments),
            Step.Of(
                PlugKind, $"plug in network card {place} with the address {card.Mac}", StepUndo.None, plug,
                StepJson.Default.PlugCardArguments));
    }

    public StepKind TakeOut => new StepKind<UnplugCardArguments>(
        StepJson.Default.UnplugCardArguments, UnplugAsync, Undo: null,
        async (unplug, context, cancellation) =>
        {
            await using var machine = await ConnectAsync(unplug.Process, context, cancellation);
            return machine is null || !await HasAsync(machine, unplug.Card, cancellation) ? StepOutcome.Done : StepOutcome.NotDone;
        });

    public StepKind PlugIn => new StepKind<PlugCardArguments>(StepJson.Default.PlugCardArguments, PlugAsync, Undo: null, Probe: null);

    private async Task<StepReport> UnplugAsync(UnplugCardArguments unplug, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(unplug.Process, context, cancellation) ?? throw Standstill.Gone(unplug.Process);
        var name = $"net{unplug.Card}";
        await _unplugging.LetGoAsync(
            machine, DeviceArguments.NetworkCard(unplug.Card), () => HasAsync(machine, unplug.Card, cancellation),
            $"network card {name} of domain '{unplug.Domain}'", $"try again: coppice link {unplug.Domain} {name} new", cancellation);
        return new StepReport { Mechanism = "device_del" };
    }

    private async Task<StepReport> PlugAsync(PlugCardArguments plug, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(plug.Process, context, cancellation);
        if (machine is null)
        {
            // The next start has the card on its command line.
            return StepReport.Nothing;
        }

        if (!await HasAsync(machine, plug.Card, cancellation))
        {
            await machine.Qmp.ExecuteAsync("device_add", JsonNode.Parse(plug.Device)!.AsObject(), cancellation);
        }

        await TapWiring.SetLinkAsync(machine, DeviceArguments.NetworkCard(plug.Card), plug.IsUp, cancellation);
        return new StepReport { Mechanism = "device_add" };
    }

    private static Task<bool> HasAsync(Machine machine, int card, CancellationToken cancellation) =>
        Machine.HasDeviceAsync(machine.Qmp, DeviceArguments.NetworkCard(card), cancellation);

    private Task<Machine?> ConnectAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, process), time, cancellation);
}
