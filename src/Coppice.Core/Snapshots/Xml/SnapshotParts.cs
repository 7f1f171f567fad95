using System.Collections.Immutable;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>Reads <c>&lt;memory&gt;</c> and <c>&lt;disks&gt;</c>.</summary>
internal static class SnapshotParts
{
    private const string KnownModes = "write snapshot='no', 'internal' or 'external'";

    private static readonly ImmutableArray<string> s_overlayFormats = ["cow", "qcow", "qcow2", "qed", "vmdk"];

    /// <summary>The memory; a file alone means external (R100).</summary>
    public static MemoryRequest ReadMemory(XElement memory)
    {
        var file = memory.Attribute("file")?.Value;
        var disk = memory.Attribute("disk")?.Value;
        var mode = memory.Attribute("snapshot")?.Value switch
        {
            "no" => MemoryMode.None,
            "internal" => MemoryMode.Internal,
            "external" => MemoryMode.External,
            null when file is not null => MemoryMode.External,
            null => throw Invalid("<memory>", "it says neither snapshot nor file", KnownModes),
            "manual" => throw Invalid("<memory snapshot=>", "memory cannot be snapshotted by hand", KnownModes),
            var other => throw Invalid("<memory snapshot=>", $"'{other}' is unknown", KnownModes),
        };
        if (file is not null && mode != MemoryMode.External)
        {
            throw Invalid("<memory file=>", "a file needs snapshot='external'", "change the mode or drop the file");
        }

        if (disk is not null && mode != MemoryMode.Internal)
        {
            throw Invalid("<memory disk=>", "a disk needs snapshot='internal'", "change the mode or drop the disk");
        }

        return new MemoryRequest(mode, file is null ? null : Absolute("<memory file=>", file), disk);
    }

    /// <summary>The disks, each once.</summary>
    public static ImmutableArray<DiskRequest> ReadDisks(XElement disks)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var read = ImmutableArray.CreateBuilder<DiskRequest>();
        foreach (var disk in disks.Elements("disk"))
        {
            var name = disk.Attribute("name")?.Value;
            if (string.IsNullOrEmpty(name))
            {
                throw Invalid("<disk>", "it has no name", "add the attribute name, the disk's target or the path of its image");
            }

            if (!names.Add(name))
            {
                throw Invalid($"<disk name='{name}'>", "stands twice", "keep one");
            }

            read.Add(ReadDisk(disk, name));
        }

        return read.ToImmutable();
    }

    private static DiskRequest ReadDisk(XElement disk, string name)
    {
        var subject = $"<disk name='{name}'>";
        if (name.Contains('/', StringComparison.Ordinal))
        {
            Absolute(subject, name);
        }

        var mode = ReadMode(disk, subject);
        var format = ReadFormat(disk, subject);
        var file = ReadSource(disk, subject);
        if (mode is not (null or DiskMode.External) && (file ?? format) is not null)
        {
            throw Invalid(subject, "a source or driver needs snapshot='external'", "change the mode or drop them");
        }

        return new DiskRequest(name, mode ?? ((file ?? format) is null ? null : DiskMode.External), file, format);
    }

    private static DiskMode? ReadMode(XElement disk, string subject) => disk.Attribute("snapshot")?.Value switch
    {
        null => null,
        "no" => DiskMode.None,
        "internal" => DiskMode.Internal,
        "external" => DiskMode.External,
        "manual" => DiskMode.Manual,
        var other => throw Invalid(subject, $"snapshot='{other}' is unknown", "write 'no', 'internal', 'external' or 'manual'"),
    };

    private static string? ReadFormat(XElement disk, string subject)
    {
        var format = SnapshotReader.Child(disk, "driver")?.Attribute("type")?.Value;
        return format is null || s_overlayFormats.Contains(format)
            ? format
            : throw Invalid(subject, $"<driver type='{format}'> is no format of overlays", "write type='qcow2'");
    }

    private static string? ReadSource(XElement disk, string subject)
    {
        var attribute = disk.Attribute("type")?.Value switch
        {
            null or "file" => "file",
            "block" => "dev",
            var other => throw Invalid(subject, $"type='{other}' is neither a file nor a block device", "write type='file'"),
        };
        return SnapshotReader.Child(disk, "source")?.Attribute(attribute)?.Value is { } path
            ? Absolute($"{subject}<source {attribute}=>", path)
            : null;
    }

    private static string Absolute(string subject, string path) => path.StartsWith('/')
        ? path
        : throw Invalid(subject, $"'{path}' is not an absolute path", "give the full path");

    private static CoppiceException Invalid(string subject, string problem, string nextStep) =>
        SnapshotReader.Invalid(subject, problem, nextStep);
}
