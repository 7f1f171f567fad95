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
/// A tap device of the host: what the guest sends comes out of it, and what goes into it the guest receives (libvirt
/// formatdomain, <c>&lt;interface type='bridge'&gt;</c> and <c>type='ethernet'</c>). One process at a time has a tap device
/// of that name.
/// </summary>
public sealed record TapDevice
{
    /// <summary>The longest name of a network device of Linux, in bytes.</summary>
    public const int MaximumNameBytes = 15;

    /// <summary>Its name; null if the kernel chooses one for each process.</summary>
    public string? Name { get; init; }

    /// <summary>The bridge that it becomes a port of; null if of none.</summary>
    public string? Bridge { get; init; }

    /// <summary>
    /// Somebody else made it, and it stays when the domain is off: it is used as it is. Else it is made for each process and
    /// goes with it.
    /// </summary>
    public bool Exists { get; init; }

    /// <summary>
    /// Whether Linux takes a text as the name of a network device, and everybody else takes it as nothing but a name.
    /// </summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length is > 0 and <= MaximumNameBytes && text is not ("." or "..") && text[0] != '-'
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '+');
    }
}

/// <summary>
/// A network card. On user networking the guest reaches out through the host and is reached by port forwards only; on a
/// tap device it is a machine of the host's networks like others (libvirt formatdomain, <c>&lt;interface&gt;</c>).
/// </summary>
public sealed record NetworkDevice : Device
{
    /// <summary>Six octets in lower case, e.g. <c>52:54:00:12:34:56</c>; null if the definition leaves it open.</summary>
    public string? Mac { get; init; }

    /// <summary>The card.</summary>
    public NetworkModel Model { get; init; }

    /// <summary>What it is connected to; null for user networking.</summary>
    public TapDevice? Tap { get; init; }

    /// <summary>Whether its cable is plugged in when the guest boots; null, which means yes, if that is left open.</summary>
    public bool? LinkIsUp { get; init; }

    /// <summary>The ways in, on user networking.</summary>
    public ValueList<PortForward> Forwards { get; init; } = [];

    /// <summary>Its turn when the firmware looks for something to boot, from 1.</summary>
    public int? BootOrder { get; init; }

    /// <inheritdoc/>
    public override string Label => Mac is null ? "interface" : $"interface '{Mac}'";
}
