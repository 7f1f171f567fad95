using System.Collections.Immutable;

namespace Coppice.Qemu;

/// <summary>Which QEMU is used and what is kept about it.</summary>
public sealed record QemuOptions
{
    /// <summary>The program: a path, or a name to look for in <c>PATH</c>.</summary>
    public string Binary { get; init; } = "qemu-system-x86_64";

    /// <summary>
    /// The folders with descriptions of the host's firmware, most important first (QEMU's firmware.json, "firmware descriptor").
    /// A file in one hides those of the same name in the folders behind it.
    /// </summary>
    public ImmutableArray<string> FirmwareFolders { get; init; } = ["/etc/qemu/firmware", "/usr/share/qemu/firmware"];

    /// <summary>
    /// The emulator of TPMs, swtpm: a path, or a name to look for in <c>PATH</c>. The program of that name with <c>_setup</c>
    /// makes new ones.
    /// </summary>
    public string TpmEmulator { get; init; } = "swtpm";

    /// <summary>Where QEMU's helper may be that puts tap devices on bridges for users other than root.</summary>
    public ImmutableArray<string> BridgeHelpers { get; init; } =
        ["/usr/lib/qemu/qemu-bridge-helper", "/usr/libexec/qemu-bridge-helper"];

    /// <summary>
    /// Where to keep what the program says about itself; null to ask it each time. Its folder is made if need be, but none
    /// above it.
    /// </summary>
    public string? CacheFile { get; init; }
}
