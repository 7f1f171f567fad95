namespace Coppice.Core;

/// <summary>The disks of a definition as they come and go one by one.</summary>
public static class DomainDisks
{
    private const int Letters = 26;

    /// <summary>A definition with one disk more, behind the others. It is not sealed: the disk has no address yet.</summary>
    /// <exception cref="CoppiceException">
    /// The target is taken (<see cref="ErrorKind.AlreadyExists"/>), or a value is not sound
    /// (<see cref="ErrorKind.InvalidInput"/>).
    /// </exception>
    public static DomainDefinition Added(DomainDefinition definition, AttachDisk request)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(request);
        var bus = BusOf(request);
        var disk = new DiskDevice
        {
            Target = TargetOf(definition, request),
            Bus = bus,
            Source = request.Image.Path,
            Type = request.Image.Type,
            Format = request.Image.Format,
            ReadOnly = request.ReadOnly,
            Serial = request.Serial,

            Snapshot = request.ReadOnly ? null : Usual(definition, request.Image.Format),
        };
        if (definition.DisksAndFlash.Any(d => d.Target == disk.Target))
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"disk '{disk.Target}' of domain '{definition.Name}'", "is there already",
                "choose another --target, or leave it out");
        }

        // Firmware boots from the first disk unless it is told otherwise. On microvm a device's place among the others is its
        // address.
        var devices = definition.Devices.ToList();
        devices.Insert(definition.Os.IsMicrovm ? devices.Count : devices.FindLastIndex(d => d is DiskDevice) + 1, disk);

        // One set of rules for what is sound, whether it came as XML or as options.
        return DomainXml.Parse(DomainXml.Format(definition with { Devices = [.. devices] }));
    }

    /// <summary>What a disk more is called: as is asked, or the first name of its bus that is free.</summary>
    public static string TargetOf(DomainDefinition definition, AttachDisk request)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(request);
        return request.Target ?? FreeTarget(definition, BusOf(request));
    }

    /// <summary>A definition without a disk. Its controller stays.</summary>
    /// <exception cref="CoppiceException">It has no such disk (<see cref="ErrorKind.NotFound"/>).</exception>
    public static DomainDefinition Removed(DomainDefinition definition, string target)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition.Disks.Any(d => d.Target == target)
            ? definition with { Devices = [.. definition.Devices.Where(d => d is not DiskDevice disk || disk.Target != target)] }
            : throw new CoppiceException(
                ErrorKind.NotFound, $"disk '{target}' of domain '{definition.Name}'", "is not there",
                $"name one of: {string.Join(", ", definition.Disks.Select(d => d.Target))}");
    }

    /// <summary>
    /// What all others say, if it suits: whoever made the domain has decided what a snapshot does of which no more is said
    /// (R144).
    /// </summary>
    private static DiskMode? Usual(DomainDefinition definition, ImageFormat format) =>
        definition.Disks.Where(d => d.IsWritten).Select(d => d.Snapshot).Distinct().ToArray() is [var mode]
            && (mode is DiskMode.External || (mode is DiskMode.Internal && format is ImageFormat.Qcow2))
            ? mode
            : null;

    private static DiskBus BusOf(AttachDisk request) =>
        request.Bus ?? (request.Target is [_, ..] target ? DomainXml.UsualBus(target) : DiskBus.Virtio);

    private static string FreeTarget(DomainDefinition definition, DiskBus bus)
    {
        var prefix = bus switch { DiskBus.Virtio => "vd", DiskBus.Ide => "hd", _ => "sd" };
        var taken = definition.Disks.Select(d => d.Target).ToHashSet(StringComparer.Ordinal);
        return Enumerable.Range(0, Letters).Select(i => $"{prefix}{(char)('a' + i)}").FirstOrDefault(t => !taken.Contains(t))
            ?? throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{definition.Name}'", $"has all the disks from {prefix}a to {prefix}z",
                $"name the next one: --target {prefix}aa");
    }
}
