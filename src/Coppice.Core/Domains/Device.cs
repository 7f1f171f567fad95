namespace Coppice.Core;

/// <summary>A device of a domain (libvirt formatdomain, <c>&lt;devices&gt;</c>).</summary>
public abstract record Device
{
    /// <summary>Where it sits in the guest; null until the definition is sealed, and for devices that need none.</summary>
    public DeviceAddress? Address { get; init; }

    /// <summary>
    /// What its element says beyond the properties of the record: the element without what they tell, as XML. Kept and
    /// written back; <see cref="DomainDefinition.Obstacles"/> tells what of it prevents a start.
    /// </summary>
    public string? Remainder { get; init; }

    /// <summary>How messages call it, e.g. <c>disk 'vda'</c>.</summary>
    public abstract string Label { get; }
}

/// <summary>
/// A device that Coppice does not know: <see cref="Device.Remainder"/> is its whole element. It can be defined and
/// snapshotted while off, but a domain with one is not started.
/// </summary>
/// <param name="Element">The name of its element, e.g. <c>hostdev</c>.</param>
public sealed record OtherDevice(string Element) : Device
{
    /// <inheritdoc/>
    public override string Label => $"<{Element}>";
}
