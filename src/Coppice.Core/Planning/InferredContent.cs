using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What a snapshot kept, by a document without our cookie. The file of an external disk is the layer that took the writes; if
/// it is known, what it builds on was frozen. Nothing else in libvirt's format tells layers.
/// </summary>
internal static class InferredContent
{
    public static SnapshotContent Of(SnapshotDocument document, DomainDefinition definition, Catalog catalog, string subject)
    {
        var hasVariables = definition.DisksAndFlash.Length > definition.Disks.Length;
        if (definition.Tpm is not null || hasVariables || document.Memory?.Mode is MemoryMode.Internal)
        {
            throw Unsaid(subject, "what its TPM, its firmware or a disk kept inside");
        }

        var graph = LayerGraph.Of(catalog);
        var asked = document.Disks.ToDictionary(d => d.Target, StringComparer.Ordinal);
        if (asked.Keys.FirstOrDefault(name => definition.Disks.All(d => d.Target != name)) is { } strange)
        {
            throw Unsaid(subject, $"by its target which disk '{strange}' is");
        }

        return new SnapshotContent
        {
            State = SnapshotStates.DomainOf(document.State),
            CreatedAt = document.CreatedAt!.Value,
            Disks = [.. definition.Disks.Where(d => d.Source is not null).Select(Disk)],
        };

        DiskSnapshot Disk(DiskDevice device)
        {
            var request = asked.GetValueOrDefault(device.Target);

            // What a document does not list follows the domain, as when a snapshot is taken (R144).
            var mode = request?.Mode ?? (device.IsWritten ? device.Snapshot : DiskMode.None);
            var layer = mode switch
            {
                DiskMode.External => graph.All.FirstOrDefault(l => IsOverlay(l, device, request?.File))?.Parent,
                DiskMode.None => catalog.Head.Disks.FirstOrDefault(h => h.Target == device.Target)?.Layer,
                _ => null,
            };
            return new DiskSnapshot
            {
                Target = device.Target,
                Mode = mode ?? DiskMode.None,
                Layer = layer ?? throw Unsaid(subject, $"which layer of disk '{device.Target}' it kept"),
            };
        }
    }

    private static bool IsOverlay(Layer layer, DiskDevice device, string? file) =>
        layer.Inside is null && layer.Disk == device.Target && layer.Path == file;

    private static CoppiceException Unsaid(string subject, string what) => new(
        ErrorKind.InvalidInput, subject, $"the document does not say {what}",
        "take the document from 'snapshot dumpxml', whose <cookie> says it");
}
