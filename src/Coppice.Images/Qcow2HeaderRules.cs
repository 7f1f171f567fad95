namespace Coppice.Images;

/// <summary>What must hold between the fields of a header, and between them and the file.</summary>
internal static class Qcow2HeaderRules
{
    public static void CheckGeometry(Qcow2Header header, ImageBytes bytes)
    {
        if (header.HasExtendedL2 && header.ClusterBits < Qcow2Limits.MinExtendedL2ClusterBits)
        {
            throw bytes.Malformed($"it has extended L2 entries with clusters of only {header.ClusterSizeBytes} bytes");
        }

        CheckL1(header, bytes, header.L1Offset, header.L1Entries, header.VirtualSizeBytes, "L1 table");
        if (header.SnapshotCount > 0)
        {
            CheckTable(header, bytes, header.SnapshotTableOffset, 0, "snapshot table");
        }
    }

    /// <summary>An L1 table, of the image or of a snapshot: aligned, in the file, and large enough for its disk.</summary>
    public static void CheckL1(Qcow2Header header, ImageBytes bytes, long offset, int entries, long diskSizeBytes, string what)
    {
        var needed = EntriesFor(header, diskSizeBytes);
        if (entries < needed)
        {
            throw bytes.Malformed($"its {what} has {entries} entries where the disk of {diskSizeBytes} bytes needs {needed}");
        }

        if (entries > 0)
        {
            CheckTable(header, bytes, offset, (long)entries * sizeof(ulong), what);
        }
    }

    /// <summary>A table starts behind the header's cluster, on a cluster boundary, and lies in the file.</summary>
    public static void CheckTable(Qcow2Header header, ImageBytes bytes, long offset, long count, string what)
    {
        if (offset < header.ClusterSizeBytes || offset % header.ClusterSizeBytes != 0)
        {
            throw bytes.Malformed($"its {what} starts at {offset}, which is not a cluster boundary behind the header");
        }

        bytes.RequireInside(offset, count, what);
    }

    /// <summary>The L1 entries that a disk needs.</summary>
    public static long EntriesFor(Qcow2Header header, long diskSizeBytes)
    {
        var covered = header.L1EntryCoversBytes;
        return (diskSizeBytes / covered) + (diskSizeBytes % covered == 0 ? 0 : 1);
    }

    /// <summary>Refuses an image whose tables may mean something else than this reader knows.</summary>
    public static void RequireReadableTables(Qcow2Header header, ImageBytes bytes)
    {
        if (header.UnknownIncompatible != 0)
        {
            var names = Qcow2FeatureNames.Describe(
                Qcow2FeatureField.Incompatible, (ulong)header.UnknownIncompatible, header.FeatureNames);
            throw bytes.Unsupported($"it uses unknown incompatible features: {string.Join(", ", names)}",
                "convert it to plain qcow2 with the program that wrote it");
        }

        if (header.IsCorrupt)
        {
            throw new ImageException(ImageFault.Malformed, bytes.Path, "it is marked corrupt",
                "repair a copy with \"qemu-img check -r all\", or restore it");
        }

        if (header.HasDataFile)
        {
            throw new ImageException(ImageFault.Forbidden, bytes.Path, "it keeps its data in an external file",
                "convert it with \"qemu-img convert -O qcow2\" if you trust it");
        }
    }
}
