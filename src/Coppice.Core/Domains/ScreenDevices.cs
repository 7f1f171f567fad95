namespace Coppice.Core;

/// <summary>A VNC server (libvirt formatdomain, <c>&lt;graphics type='vnc'&gt;</c>).</summary>
public sealed record GraphicsDevice : Device
{
    /// <summary>The TCP port; null to have a free one chosen.</summary>
    public int? Port { get; init; }

    /// <summary>The address to listen on; null for the loopback address.</summary>
    public string? Listen { get; init; }

    /// <summary>The absolute path of a unix socket to listen on instead.</summary>
    public string? Socket { get; init; }

    /// <inheritdoc/>
    public override string Label => "graphics";
}

/// <summary>The graphics card that the guest sees.</summary>
public enum VideoModel
{
    /// <summary>None.</summary>
    None,

    /// <summary>A standard VGA card.</summary>
    Vga,

    /// <summary>virtio-gpu with VGA compatibility.</summary>
    Virtio,

    /// <summary>Cirrus Logic GD5446.</summary>
    Cirrus,

    /// <summary>A VGA card without the old text modes.</summary>
    Bochs,
}

/// <summary>A graphics card (libvirt formatdomain, <c>&lt;video&gt;</c>).</summary>
public sealed record VideoDevice : Device
{
    /// <summary>The card.</summary>
    public required VideoModel Model { get; init; }

    /// <summary>Its memory; null leaves it to the driver.</summary>
    public ByteCount? Memory { get; init; }

    /// <inheritdoc/>
    public override string Label => "video";
}
