namespace Coppice.Core;

/// <summary>
/// UEFI firmware (libvirt formatdomain, <c>&lt;os firmware='efi'&gt;</c>, <c>&lt;loader&gt;</c>, <c>&lt;nvram&gt;</c>).
/// </summary>
public sealed record FirmwareSettings
{
    /// <summary>
    /// The host's firmware is to be used (<c>firmware='efi'</c>): what the definition leaves open is chosen when it is sealed.
    /// </summary>
    public bool IsChosen { get; init; }

    /// <summary>What a firmware that is chosen must have, or must not, in document order.</summary>
    public ValueList<FirmwareFeature> Features { get; init; } = [];

    /// <summary>The absolute path of its code, which is only read; null until it was chosen.</summary>
    public string? Code { get; init; }

    /// <summary>
    /// Whether only code in system management mode may write the variables (<c>secure=</c>); null leaves it to the driver.
    /// </summary>
    public bool? Secure { get; init; }

    /// <summary>The absolute path of what the variables are at first; null if it is not known.</summary>
    public string? Template { get; init; }

    /// <summary>The absolute path of the variables; null until the domain is defined.</summary>
    public string? Variables { get; init; }

    /// <summary>The format of the variables.</summary>
    public ImageFormat VariablesFormat { get; init; }
}

/// <summary>What a firmware can do (libvirt formatdomain, <c>&lt;feature&gt;</c> in <c>&lt;firmware&gt;</c>).</summary>
/// <param name="Name">QEMU's name for it: <c>secure-boot</c>, <c>enrolled-keys</c> …</param>
/// <param name="Enabled">Whether the firmware must have it, or must not.</param>
public sealed record FirmwareFeature(string Name, bool Enabled);
