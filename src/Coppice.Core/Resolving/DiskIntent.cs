using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A disk of the domain with what was asked of it, checked against what it is.</summary>
/// <param name="Device">The disk.</param>
/// <param name="Head">The layer it writes to; null for one that cannot be written.</param>
/// <param name="Mode">How it shall take part; null if neither the request nor the definition says so (R144).</param>
/// <param name="File">The new layer's file, if one was given.</param>
internal sealed record DiskIntent(DiskDevice Device, Layer? Head, DiskMode? Mode, string? File)
{
    /// <summary>Whether the guest can write to it; only then can it take part.</summary>
    public bool IsWritable => Head is not null;

    /// <summary>
    /// Whether it is asked about. The firmware's variables belong to every snapshot, each time in a layer of their own.
    /// </summary>
    public bool IsChoice => IsWritable && Device.Kind is not DiskKind.Flash;

    /// <summary>Whether its image can hold a snapshot of its own.</summary>
    public bool CanBeInternal => IsChoice && Head!.Format == ImageFormat.Qcow2;

    /// <summary>How it takes part where nothing was said: a raw image has no room for an internal snapshot.</summary>
    public DiskMode ModeOr(DiskMode rest) => this switch
    {
        { IsWritable: false } => DiskMode.None,
        { Mode: { } asked } => asked,
        _ when rest == DiskMode.Internal && !CanBeInternal => DiskMode.External,
        _ => rest,
    };
}

/// <summary>What a request asks of the disks of a domain.</summary>
internal static class DiskIntents
{
    /// <summary>Every disk of the domain, in the definition's order.</summary>
    /// <exception cref="CoppiceException">
    /// The request names an unknown disk, one disk twice, or asks what a disk cannot do.
    /// </exception>
    public static ImmutableArray<DiskIntent> Read(CreateSnapshot request, Observed observed, LayerGraph graph)
    {
        var domain = observed.Catalog.Name;
        var heads = observed.Catalog.Head.Disks.ToDictionary(d => d.Target, d => graph[d.Layer], StringComparer.Ordinal);
        var asked = new Dictionary<string, DiskRequest>(StringComparer.Ordinal);
        foreach (var disk in request.Disks)
        {
            var target = Find(observed, heads, disk.Target).Target;
            if (!asked.TryAdd(target, disk))
            {
                throw Invalid(domain, target, "is named twice in the request", "name it once");
            }
        }

        return [.. observed.Definition.DisksAndFlash.Select(d => Intend(domain, d, asked.GetValueOrDefault(d.Target), heads))];
    }

    /// <summary>What was asked of the disks taken together that one can ask about.</summary>
    public static DiskAsks Summarize(ImmutableArray<DiskIntent> disks)
    {
        var modes = disks.Where(d => d.IsChoice).Select(d => d.Mode).ToHashSet();
        var isExternal = modes.Contains(DiskMode.External) || modes.Contains(DiskMode.Manual);
        return (modes.Contains(DiskMode.Internal), isExternal) switch
        {
            (true, true) => DiskAsks.Mixed,
            (true, false) => DiskAsks.Internal,
            (false, true) => DiskAsks.External,
            _ => modes.Contains(null) ? DiskAsks.Omitted : DiskAsks.None,
        };
    }

    /// <summary>The disks of a domain, to offer instead of an unknown one.</summary>
    public static string Known(IEnumerable<DiskDevice> disks)
    {
        var targets = string.Join(", ", disks.Select(d => d.Target));
        return targets.Length == 0 ? "it has none at all" : $"its disks are {targets}";
    }

    private static DiskDevice Find(Observed observed, Dictionary<string, Layer> heads, string name)
    {
        var disks = observed.Definition.Disks;
        DiskDevice[] found = [.. disks.Where(d => d.Target == name)];
        if (found.Length == 0)
        {
            found = [.. disks.Where(d => d.Source == name || heads.GetValueOrDefault(d.Target)?.Path == name)];
        }

        return found switch
        {
            [var disk] => disk,
            [] => throw new CoppiceException(
                ErrorKind.NotFound, Subject(observed.Catalog.Name, name), "the domain has no such disk", Known(disks)),
            _ => throw Invalid(observed.Catalog.Name, name, "is the image of several disks", "name the disk by its target"),
        };
    }

    private static DiskIntent Intend(string domain, DiskDevice device, DiskRequest? request, Dictionary<string, Layer> heads)
    {
        // A file or a format alone means external, as in libvirt's schema.
        var asked = request?.Mode ?? (request is { File: not null } or { Format: not null } ? DiskMode.External : null);
        CheckFileAndFormat(domain, device.Target, asked, request);
        if (!device.IsWritten)
        {
            return asked is null or DiskMode.None
                ? new DiskIntent(device, null, DiskMode.None, null)
                : throw Invalid(domain, device.Target, "cannot be written, so it takes no part in snapshots", "leave it out");
        }

        if (!heads.TryGetValue(device.Target, out var head))
        {
            throw new CoppiceException(
                ErrorKind.Damaged, Subject(domain, device.Target), "the catalog records no layer that it writes to",
                "restore the domain's catalog from a backup");
        }

        var usual = device.Kind is DiskKind.Flash ? DiskMode.External : device.Snapshot;
        var intent = new DiskIntent(device, head, asked ?? usual, request?.File);
        return intent.Mode == DiskMode.Internal && !intent.CanBeInternal
            ? throw Invalid(domain, device.Target, "its raw image cannot hold a snapshot", "ask for an external one")
            : intent;
    }

    private static void CheckFileAndFormat(string domain, string target, DiskMode? asked, DiskRequest? request)
    {
        if (asked != DiskMode.External && request is { File: not null } or { Format: not null })
        {
            throw Invalid(domain, target, "has a file or format but is not external", "drop them or ask for external");
        }

        if (request?.Format is { } format and not "qcow2")
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, Subject(domain, target),
                $"an overlay of format '{format}' needs the capability {Capability.OtherOverlayFormats}, which no driver has",
                "ask for qcow2");
        }
    }

    private static string Subject(string domain, string disk) => $"disk '{disk}' of domain '{domain}'";

    private static CoppiceException Invalid(string domain, string disk, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, Subject(domain, disk), problem, nextStep);
}
