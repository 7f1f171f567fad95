namespace Coppice.Core;

/// <summary>The network card that the guest sees.</summary>
public enum NetworkModel
{
    /// <summary>virtio-net.</summary>
    Virtio,

    /// <summary>Intel 82540EM, PCI.</summary>
    E1000,

    /// <summary>Intel 82574L, PCI Express.</summary>
    E1000e,
}

/// <summary>What a port forward carries.</summary>
public enum ForwardProtocol
{
    /// <summary>TCP.</summary>
    Tcp,

    /// <summary>UDP.</summary>
    Udp,
}

/// <summary>Ports of the host that lead to the guest.</summary>
/// <param name="Start">The first port of the host.</param>
/// <param name="End">The last port of the host, inclusive.</param>
/// <param name="To">The port of the guest that the first leads to; the others follow.</param>
public sealed record PortRange(int Start, int End, int To);

/// <summary>A way in from the host (libvirt formatdomain, <c>&lt;portForward&gt;</c>).</summary>
public sealed record PortForward
{
    /// <summary>What it carries.</summary>
    public ForwardProtocol Protocol { get; init; }

    /// <summary>The address of the host to listen on; null for all.</summary>
    public string? Address { get; init; }

    /// <summary>The ports; at least one range.</summary>
    public required ValueList<PortRange> Ranges { get; init; }
}

/// <summary>
/// A network card on user networking: the guest reaches out through the host, and is reached only by port forwards
/// (libvirt formatdomain, <c>&lt;interface type='user'&gt;</c>).
/// </summary>
public sealed record NetworkDevice : Device
{
    /// <summary>Six octets in lower case, e.g. <c>52:54:00:12:34:56</c>; null if the definition leaves it open.</summary>
    public string? Mac { get; init; }

    /// <summary>The card.</summary>
    public NetworkModel Model { get; init; }

    /// <summary>The ways in.</summary>
    public ValueList<PortForward> Forwards { get; init; } = [];

    /// <summary>Its turn when the firmware looks for something to boot, from 1.</summary>
    public int? BootOrder { get; init; }

    /// <inheritdoc/>
    public override string Label => Mac is null ? "interface" : $"interface '{Mac}'";
}
