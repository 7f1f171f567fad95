namespace Coppice.Core;

/// <summary>A source of random numbers for the guest (libvirt formatdomain, <c>&lt;rng model='virtio'&gt;</c>).</summary>
public sealed record RandomDevice : Device
{
    /// <summary>The path of the host's device, e.g. <c>/dev/urandom</c>; null for the hypervisor's own generator.</summary>
    public string? Source { get; init; }

    /// <inheritdoc/>
    public override string Label => "rng";
}

/// <summary>
/// The memory balloon (libvirt formatdomain, <c>&lt;memballoon&gt;</c>). A definition without the element has none.
/// </summary>
public sealed record BalloonDevice : Device
{
    /// <summary>Whether there is one: model <c>virtio</c> rather than <c>none</c>.</summary>
    public required bool Present { get; init; }

    /// <inheritdoc/>
    public override string Label => "memballoon";
}

/// <summary>The sound card that the guest sees.</summary>
public enum SoundModel
{
    /// <summary>The high definition audio of the ICH6.</summary>
    Ich6,

    /// <summary>The high definition audio of the ICH9.</summary>
    Ich9,
}

/// <summary>
/// A sound card with one line in and one out (libvirt formatdomain, <c>&lt;sound&gt;</c>). Nobody hears what it plays.
/// </summary>
public sealed record SoundDevice : Device
{
    /// <summary>The card.</summary>
    public required SoundModel Model { get; init; }

    /// <inheritdoc/>
    public override string Label => "sound";
}

/// <summary>The watchdog that the guest sees.</summary>
public enum WatchdogModel
{
    /// <summary>Intel 6300ESB, PCI.</summary>
    I6300Esb,

    /// <summary>The one that is part of the machine q35.</summary>
    Itco,
}

/// <summary>What follows when a guest does not feed its watchdog.</summary>
public enum WatchdogAction
{
    /// <summary>It is reset.</summary>
    Reset,

    /// <summary>Its power button is pressed.</summary>
    Shutdown,

    /// <summary>It is off.</summary>
    PowerOff,

    /// <summary>It stands still.</summary>
    Pause,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>It gets a non-maskable interrupt.</summary>
    InjectNmi,
}

/// <summary>A watchdog (libvirt formatdomain, <c>&lt;watchdog&gt;</c>).</summary>
public sealed record WatchdogDevice : Device
{
    /// <summary>Which one it is.</summary>
    public required WatchdogModel Model { get; init; }

    /// <summary>What follows when it is not fed; the same for all watchdogs of a domain.</summary>
    public WatchdogAction Action { get; init; }

    /// <inheritdoc/>
    public override string Label => $"watchdog {DomainWords.WatchdogModels[Model]}";
}

/// <summary>The interface of a TPM.</summary>
public enum TpmModel
{
    /// <summary>Command response buffer, of TPM 2.0.</summary>
    Crb,

    /// <summary>TPM interface specification, FIFO.</summary>
    Tis,
}

/// <summary>
/// A TPM 2.0 that the host emulates (libvirt formatdomain, <c>&lt;tpm&gt;</c> with the backend <c>emulator</c>). What it keeps
/// belongs to the domain, and to each of its snapshots.
/// </summary>
public sealed record TpmDevice : Device
{
    /// <summary>How the guest talks to it.</summary>
    public required TpmModel Model { get; init; }

    /// <inheritdoc/>
    public override string Label => "tpm";
}

/// <summary>What a person holds.</summary>
public enum InputKind
{
    /// <summary>A pointer with absolute positions.</summary>
    Tablet,

    /// <summary>A pointer with relative positions.</summary>
    Mouse,

    /// <summary>A keyboard.</summary>
    Keyboard,
}

/// <summary>How an input device is attached.</summary>
public enum InputBus
{
    /// <summary>The keyboard and mouse that every machine has; declaring them changes nothing.</summary>
    Ps2,

    /// <summary>A USB controller.</summary>
    Usb,
}

/// <summary>A keyboard or pointer (libvirt formatdomain, <c>&lt;input&gt;</c>).</summary>
public sealed record InputDevice : Device
{
    /// <summary>What it is.</summary>
    public required InputKind Kind { get; init; }

    /// <summary>How it is attached.</summary>
    public required InputBus Bus { get; init; }

    /// <inheritdoc/>
    public override string Label => $"input {DomainWords.InputKinds[Kind]}";
}
