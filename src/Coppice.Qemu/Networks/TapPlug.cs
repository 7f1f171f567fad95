using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Qemu.Networks;

/// <summary>
/// Where a tap device is plugged in. QEMU gives a card its backend once, when it is made; so the backend of such a card is a hub,
/// and the tap device comes to another port of it when it can be had.
/// </summary>
/// <param name="Card">The number of the card, which its hub has too.</param>
/// <param name="Owner">What messages call it, e.g. <c>interface '52:54:00:12:34:56' of domain 'web'</c>.</param>
/// <param name="Tap">The tap device.</param>
internal sealed record TapPlug(int Card, string Owner, TapDevice Tap)
{
    /// <summary>What QEMU calls the tap device.</summary>
    [JsonIgnore]
    public string Wire => $"wire{Card}";

    /// <summary>What QEMU calls the hub's port for it.</summary>
    [JsonIgnore]
    public string Port => $"plug{Card}";

    /// <summary>What messages call the device of the host.</summary>
    [JsonIgnore]
    public string Device =>
        Tap.Name is { } name ? $"tap device '{name}'" : Tap.Bridge is { } bridge ? $"bridge '{bridge}'" : "tap device";

    /// <summary>What messages call the whole.</summary>
    [JsonIgnore]
    public string Subject => $"{Device} of {Owner}";

    /// <summary>The plugs of a definition.</summary>
    public static IEnumerable<TapPlug> Of(DomainDefinition definition) =>
        from card in definition.Devices.OfType<NetworkDevice>().Select((n, i) => (n.Tap, n.Label, Number: i))
        where card.Tap is not null
        select new TapPlug(card.Number, $"{card.Label} of domain '{definition.Name}'", card.Tap);
}
