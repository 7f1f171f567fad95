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
