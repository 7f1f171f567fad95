using System.Collections.Immutable;
using System.IO.Enumeration;
using System.Text.Json;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Probing;

/// <summary>UEFI firmware that is installed on the host, as its descriptor says (QEMU, docs/interop/firmware.json).</summary>
/// <param name="Code">The absolute path of its code.</param>
/// <param name="Template">The absolute path of what its variables are at first.</param>
/// <param name="Machines">The machine types that it runs on, as patterns with <c>*</c>.</param>
/// <param name="Features">What it can do.</param>
internal sealed record FirmwareDescriptor(
    string Code, string Template, ImmutableArray<string> Machines, ImmutableHashSet<string> Features)
{
    private const int MaximumBytes = 1 << 20;

    /// <summary>Whether it runs only on machines with system management mode.</summary>
    public bool NeedsManagementMode => Features.Contains("requires-smm");

    /// <summary>What is installed, in the order of preference: by file name, whatever the folder.</summary>
    public static ImmutableArray<FirmwareDescriptor> ReadAll(ImmutableArray<string> folders) =>
    [
        .. folders.Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*.json"))
            .DistinctBy(Path.GetFileName)
            .OrderBy(Path.GetFileName, StringComparer.Ordinal)
            .Select(Read).OfType<FirmwareDescriptor>(),
    ];

    /// <summary>What a domain wants, for a message.</summary>
    public static string Wanted(DomainDefinition definition, string machine)
    {
        var features = definition.Os.Firmware!.Features.Select(f => f.Enabled ? $"with {f.Name}" : $"without {f.Name}");
        return string.Join(", ", features.Prepend($"machine type {machine}"));
    }

    /// <summary>Whether a domain can have it.</summary>
    public bool Suits(DomainDefinition definition, string machine) =>
        Machines.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, machine, ignoreCase: false))
        && definition.Os.Firmware!.Features.All(f => Features.Contains(f.Name) == f.Enabled)
        && !(NeedsManagementMode && (definition.ManagementMode is false || definition.Os.Firmware.Secure is false))
        && (NeedsManagementMode || definition.Os.Firmware.Secure is not true);

    /// <summary>An empty file hides another; one that is not understood is for somebody else.</summary>
    private static FirmwareDescriptor? Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(DurableFile.ReadBounded(path, MaximumBytes));
            var root = document.RootElement;
            var mapping = root.GetProperty("mapping");
            var machines = root.GetProperty("targets").EnumerateArray()
                .Where(t => t.TextOrEmpty("architecture") == "x86_64")
                .SelectMany(t => Words(t, "machines")).ToImmutableArray();
            return Words(root, "interface-types").Contains("uefi") && mapping.TextOrEmpty("device") == "flash" && machines.Length > 0
                ? new FirmwareDescriptor(
                    RawImage(mapping, "executable"), RawImage(mapping, "nvram-template"), machines, [.. Words(root, "features")])
                : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or FileException)
        {
            return null;
        }
    }

    private static string RawImage(JsonElement mapping, string name)
    {
        var image = mapping.GetProperty(name);
        return image.TextOrEmpty("format") == "raw" ? image.TextOrEmpty("filename") : throw new FormatException("not a raw image");
    }

    private static IEnumerable<string> Words(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(w => w.GetString() ?? "");
}
