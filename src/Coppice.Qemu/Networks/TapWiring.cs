using System.Text.Json.Nodes;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Networks;

/// <summary>Plugs tap devices into a QEMU that is there already, and pulls the cables of its cards.</summary>
internal static class TapWiring
{
    private const string NoSuchDevice = "DeviceNotFound";

    /// <summary>Whether something is in a plug.</summary>
    public static async Task<bool> IsPluggedAsync(Machine machine, TapPlug plug, CancellationToken cancellation)
    {
        try
        {
            // There is no query for backends. A plug's own link is up anyway; the card's is another.
            await SetLinkAsync(machine, plug.Port, up: true, cancellation);
            return true;
        }
        catch (QmpRefusalException e) when (e.ErrorClass == NoSuchDevice)
        {
            return false;
        }
    }

    /// <summary>Hands a tap device over and connects it to the hub of its card. QEMU keeps a file of its own.</summary>
    public static async Task PlugAsync(Machine machine, TapPlug plug, SafeFileHandle tap, CancellationToken cancellation)
    {
        await RemoveAsync(machine, plug.Wire, cancellation);
        await machine.Qmp.SendFileAsync(plug.Wire, tap, cancellation);

        // Not by vhost: it would go round the hub.
        var wire = new JsonObject { ["type"] = "tap", ["id"] = plug.Wire, ["fd"] = plug.Wire, ["vhost"] = false };
        var port = new JsonObject { ["type"] = "hubport", ["id"] = plug.Port, ["hubid"] = plug.Card, ["netdev"] = plug.Wire };
        await AddAsync(machine, wire, cancellation);
        await AddAsync(machine, port, cancellation);
    }

    /// <summary>Plugs the cable of a card in or pulls it.</summary>
    public static Task SetLinkAsync(Machine machine, string device, bool up, CancellationToken cancellation) =>
        machine.Qmp.ExecuteAsync("set_link", new JsonObject { ["name"] = device, ["up"] = up }, cancellation);

    private static async Task AddAsync(Machine machine, JsonObject backend, CancellationToken cancellation) =>
        await machine.Qmp.ExecuteAsync("netdev_add", backend, cancellation);

    /// <summary>What an attempt left that was interrupted between its two halves.</summary>
    private static async Task RemoveAsync(Machine machine, string backend, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync("netdev_del", new JsonObject { ["id"] = backend }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // There is nothing.
        }
    }
}
