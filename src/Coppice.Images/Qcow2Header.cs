namespace Coppice.Images;

/// <summary>How the guest's data is encrypted (qcow2 spec, header bytes 32–35).</summary>
public enum Qcow2Encryption
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>The deprecated AES-CBC scheme.</summary>
    Aes = 1,

    /// <summary>LUKS inside qcow2.</summary>
    Luks = 2,
}

/// <summary>How compressed clusters are compressed (qcow2 spec, header byte 104).</summary>
public enum Qcow2Compression
{
    /// <summary>zlib, the default.</summary>
    Zlib = 0,

    /// <summary>Zstandard.</summary>
    Zstd = 1,
}

/// <summary>
/// The header of a qcow2 image, checked: sizes are within <see cref="Qcow2Limits"/>, offsets are aligned to clusters and
/// tables lie in the file. It *reports* encryption, data files, corruption and unknown features; refusing them is the
/// business of <see cref="ImageChain"/> and of the table readers in <see cref="Qcow2Image"/>.
/// </summary>
public sealed record Qcow2Header
{
    private const int Subclusters = 32;

    /// <summary>2 or 3 (qcow2 spec, header bytes 4–7).</summary>
    public required int Version { get; init; }

    /// <summary>The size of the disk that the guest sees (qcow2 spec, header bytes 24–31).</summary>
    public required long VirtualSizeBytes { get; init; }

    /// <summary>Base-2 logarithm of the cluster size, 9–21 (qcow2 spec, header bytes 20–23).</summary>
    public required int ClusterBits { get; init; }

    /// <summary>The cluster size.</summary>
    public int ClusterSizeBytes => 1 << ClusterBits;

    /// <summary>
    /// The backing file name exactly as written, or null (qcow2 spec, header bytes 8–19). Hostile until checked.
    /// </summary>
    public string? BackingName { get; init; }

    /// <summary>The backing format as written, or null (qcow2 spec, header extension 0xe2792aca).</summary>
    public string? BackingFormatName { get; init; }

    /// <summary>Encryption (qcow2 spec, header bytes 32–35).</summary>
    public required Qcow2Encryption Encryption { get; init; }

    /// <summary>Compression of compressed clusters (qcow2 spec, header byte 104).</summary>
    public Qcow2Compression Compression { get; init; }

    /// <summary>Incompatible features, unknown bits included (qcow2 spec, header bytes 72–79).</summary>
    public Qcow2IncompatibleFeatures Incompatible { get; init; }

    /// <summary>Compatible features (qcow2 spec, header bytes 80–87).</summary>
    public Qcow2CompatibleFeatures Compatible { get; init; }

    /// <summary>Auto-clear features (qcow2 spec, header bytes 88–95).</summary>
    public Qcow2AutoclearFeatures Autoclear { get; init; }

    /// <summary>The image's own names of features (qcow2 spec, header extension 0x6803f857).</summary>
    public IReadOnlyList<Qcow2FeatureName> FeatureNames { get; init; } = [];

    /// <summary>The name in the external data file extension (0x44415441), or null. Never followed.</summary>
    public string? DataFileName { get; init; }

    /// <summary>The width of a reference count (qcow2 spec, header bytes 96–99; 16 in version 2).</summary>
    public int RefcountBits { get; init; } = 16;

    /// <summary>The header's own length (qcow2 spec, header bytes 100–103; 72 in version 2).</summary>
    public int HeaderLengthBytes { get; init; } = 72;

    /// <summary>Entries of the active L1 table (qcow2 spec, header bytes 36–39).</summary>
    public required int L1Entries { get; init; }

    /// <summary>Where the active L1 table starts (qcow2 spec, header bytes 40–47).</summary>
    public required long L1Offset { get; init; }

    /// <summary>The number of internal snapshots (qcow2 spec, header bytes 60–63).</summary>
    public required int SnapshotCount { get; init; }

    /// <summary>Where the snapshot table starts (qcow2 spec, header bytes 64–71).</summary>
    public required long SnapshotTableOffset { get; init; }

    /// <summary>Refcounts may be stale: the image was not closed, or is in use.</summary>
    public bool IsDirty => Incompatible.HasFlag(Qcow2IncompatibleFeatures.Dirty);

    /// <summary>QEMU found the image damaged.</summary>
    public bool IsCorrupt => Incompatible.HasFlag(Qcow2IncompatibleFeatures.Corrupt);

    /// <summary>The guest's data lies in another file, or the header names one.</summary>
    public bool HasDataFile => Incompatible.HasFlag(Qcow2IncompatibleFeatures.DataFile) || DataFileName is not null;

    /// <summary>L2 entries have 128 bits and 32 subclusters.</summary>
    public bool HasExtendedL2 => Incompatible.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2);

    /// <summary>Incompatible bits that this reader does not know.</summary>
    public Qcow2IncompatibleFeatures UnknownIncompatible => Incompatible & ~Qcow2FeatureNames.KnownIncompatible;

    /// <summary>The features by name, for a person.</summary>
    public IReadOnlyList<string> DescribeFeatures() =>
    [
        .. Qcow2FeatureNames.Describe(Qcow2FeatureField.Incompatible, (ulong)Incompatible, FeatureNames),
        .. Qcow2FeatureNames.Describe(Qcow2FeatureField.Compatible, (ulong)Compatible, FeatureNames),
        .. Qcow2FeatureNames.Describe(Qcow2FeatureField.Autoclear, (ulong)Autoclear, FeatureNames),
    ];

    /// <summary>The least that is allocated at once: a part of a cluster if L2 entries are extended.</summary>
    internal int SubclusterSizeBytes => HasExtendedL2 ? ClusterSizeBytes / Subclusters : ClusterSizeBytes;

    /// <summary>Bytes of one L2 entry.</summary>
    internal int L2EntryBytes => HasExtendedL2 ? 16 : 8;

    /// <summary>Entries of an L2 table, which is always one cluster.</summary>
    internal int L2Entries => ClusterSizeBytes / L2EntryBytes;

    /// <summary>Guest bytes that one L1 entry stands for.</summary>
    internal long L1EntryCoversBytes => (long)L2Entries * ClusterSizeBytes;

    /// <summary>Reads and checks the header of a seekable stream. Reads no more than the header and its extensions.</summary>
    /// <param name="image">The image; its position is not kept.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="ImageException">Malformed, unsupported or unreadable.</exception>
    public static Qcow2Header Read(Stream image, string path)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(path);
        return Qcow2HeaderParser.Parse(new ImageBytes(image, path));
    }
}
