using System.Text.Json.Nodes;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Networks;

/// <summary>Plugs tap devices into a QEMU that is there already, and pulls the cables of its cards.</summary>
internal static class TapWiring
{
    /// <summary>Whether something is in a plug.</summary>
    public static async Task<bool> IsPluggedAsync(Machine machine, TapPlug plug, CancellationToken cancellation)
    {
        try
        {
            // There is no query for backends. A plug's own link is up anyway; the card's is another.
            await SetLinkAsync(machine, plug.Port, up: true, cancellation);
            return true;
        }
        catch (QmpRefusalException e) when (e.ErrorClass is Machine.NoSuchDevice)
        {
            return false;
        }
    }

    /// <summary>
    /// Has QEMU let go of what an attempt left that was interrupted: it would hold a device that can be opened only once.
    /// </summary>
    public static async Task ClearAsync(Machine machine, TapPlug plug, CancellationToken cancellation)
    {
        await TryAsync(machine, "netdev_del", new JsonObject { ["id"] = plug.Wire }, cancellation);
        await TryAsync(machine, "closefd", new JsonObject { ["fdname"] = plug.Wire }, cancellation);
    }

    /// <summary>Hands a tap device over and connects it to the hub of its card. QEMU keeps a file of its own.</summary>
    /// <exception cref="QmpRefusalException">QEMU refused; then it has let go of the device.</exception>
    public static async Task PlugAsync(Machine machine, TapPlug plug, SafeFileHandle tap, CancellationToken cancellation)
    {
        try
        {
            await ConnectAsync(machine, plug, tap, cancellation);
        }
        catch (QmpRefusalException)
        {
            await ClearAsync(machine, plug, cancellation);
            throw;
        }
    }

    /// <summary>Plugs the cable of a card in or pulls it.</summary>
    public static Task SetLinkAsync(Machine machine, string device, bool up, CancellationToken cancellation) =>
        machine.Qmp.ExecuteAsync("set_link", new JsonObject { ["name"] = device, ["up"] = up }, cancellation);

    private static async Task ConnectAsync(Machine machine, TapPlug plug, SafeFileHandle tap, CancellationToken cancellation)
    {
        await machine.Qmp.SendFileAsync(plug.Wire, tap, cancellation);

        // Not by vhost: it would go round the hub.
        var wire = new JsonObject { ["type"] = "tap", ["id"] = plug.Wire, ["fd"] = plug.Wire, ["vhost"] = false };
        var port = new JsonObject { ["type"] = "hubport", ["id"] = plug.Port, ["hubid"] = plug.Card, ["netdev"] = plug.Wire };
        await AddAsync(machine, wire, cancellation);
        await AddAsync(machine, port, cancellation);
    }

    private static async Task AddAsync(Machine machine, JsonObject backend, CancellationToken cancellation) =>
        await machine.Qmp.ExecuteAsync("netdev_add", backend, cancellation);

    private static async Task TryAsync(Machine machine, string command, JsonObject arguments, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync(command, arguments, cancellation);
        }
        catch (QmpRefusalException)
        {
            // There is nothing.
        }
    }
}
