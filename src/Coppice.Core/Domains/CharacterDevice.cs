namespace Coppice.Core;

/// <summary>What a character device is to the guest.</summary>
public enum CharacterRole
{
    /// <summary>A serial port, <c>ttyS0</c> and on.</summary>
    Serial,

    /// <summary>A console; with <see cref="CharacterTarget.Serial"/> it is another name for a serial port.</summary>
    Console,

    /// <summary>A named channel for an agent.</summary>
    Channel,
}

/// <summary>What the guest's driver talks to.</summary>
public enum CharacterTarget
{
    /// <summary>A 16550A on the ISA bus, for <see cref="CharacterRole.Serial"/>.</summary>
    IsaSerial,

    /// <summary>The serial port of the same number, for <see cref="CharacterRole.Console"/>.</summary>
    Serial,

    /// <summary>A port of a virtio-serial controller.</summary>
    Virtio,
}

/// <summary>The host's end of a character device.</summary>
public enum CharacterBackend
{
    /// <summary>A pseudo terminal.</summary>
    Pty,

    /// <summary>A listening unix socket, at <see cref="CharacterDevice.Path"/> or where the driver wants it.</summary>
    Unix,

    /// <summary>A file that takes what the guest writes.</summary>
    File,

    /// <summary>Nothing.</summary>
    Null,
}

/// <summary>
/// A serial port, console or channel (libvirt formatdomain, <c>&lt;serial&gt;</c>, <c>&lt;console&gt;</c>,
/// <c>&lt;channel&gt;</c>).
/// </summary>
public sealed record CharacterDevice : Device
{
    /// <summary>What it is to the guest.</summary>
    public required CharacterRole Role { get; init; }

    /// <summary>What the guest's driver talks to.</summary>
    public required CharacterTarget Target { get; init; }

    /// <summary>The host's end.</summary>
    public CharacterBackend Backend { get; init; }

    /// <summary>The absolute path of the socket or file; a file needs one.</summary>
    public string? Path { get; init; }

    /// <summary>The number of the serial port or console, from 0; null until sealed.</summary>
    public int? Port { get; init; }

    /// <summary>The name that the guest finds a channel by, e.g. <c>org.qemu.guest_agent.0</c>.</summary>
    public string? Name { get; init; }

    /// <inheritdoc/>
    public override string Label => Role switch
    {
        CharacterRole.Serial => $"serial {Port}".TrimEnd(),
        CharacterRole.Console => $"console {Port}".TrimEnd(),
        _ => Name is null ? "channel" : $"channel '{Name}'",
    };
}
