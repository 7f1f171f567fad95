using System.Buffers.Binary;
using System.Globalization;

namespace Coppice.Images;

/// <summary>Decodes the fixed part of the header and checks it; the extensions have a parser of their own.</summary>
internal static class Qcow2HeaderParser
{
    private const uint Magic = 0x514649fb; // "QFI\xfb"
    private const int Version2Bytes = 72;
    private const int Version3Bytes = 104;
    private const int LongestKnownBytes = 112;

    public static Qcow2Header Parse(ImageBytes bytes)
    {
        Span<byte> raw = stackalloc byte[LongestKnownBytes];
        raw.Clear();
        var available = (int)Math.Min(bytes.Length, LongestKnownBytes);
        bytes.Read(0, raw[..Math.Max(available, Version2Bytes)], "header");
        HeaderFields fields = new(raw, bytes);

        if (fields.U32(0) != Magic)
        {
            throw bytes.Malformed("it does not start with the qcow2 magic");
        }

        var version = fields.U32(4);
        if (version is not (2 or 3))
        {
            throw bytes.Unsupported($"it is qcow2 version {version}", "convert it to version 3 with the program that wrote it");
        }

        var header = ReadCommon(fields, (int)version);
        if (version == 3)
        {
            bytes.RequireInside(0, Version3Bytes, "version 3 header");
            header = ReadVersion3(header, fields);
        }

        Qcow2HeaderRules.CheckGeometry(header, bytes);
        CheckRefcountTable(header, fields);
        return ReadNames(header, fields);
    }

    private static Qcow2Header ReadCommon(HeaderFields fields, int version) => new()
    {
        Version = version,
        ClusterBits = fields.Within(20, Qcow2Limits.MinClusterBits, Qcow2Limits.MaxClusterBits, "cluster_bits"),
        VirtualSizeBytes = fields.Int64(24, "virtual size"),
        Encryption = (Qcow2Encryption)fields.Within(32, 0, 2, "encryption method"),
        L1Entries = fields.Within(36, 0, Qcow2Limits.MaxL1Bytes / sizeof(ulong), "number of L1 entries"),
        L1Offset = fields.Int64(40, "L1 table offset"),
        SnapshotCount = fields.Within(60, 0, Qcow2Limits.MaxSnapshots, "number of internal snapshots"),
        SnapshotTableOffset = fields.Int64(64, "snapshot table offset"),
    };

    private static Qcow2Header ReadVersion3(Qcow2Header header, HeaderFields fields)
    {
        var length = fields.Within(100, Version3Bytes, header.ClusterSizeBytes, "header length");
        if (length % 8 != 0)
        {
            throw fields.Malformed($"its header length {length} is not a multiple of 8");
        }

        // Byte 104 exists only if the header is long enough; fields beyond it may be ignored.
        var compression = length > Version3Bytes ? fields.U8(104) : 0;
        var incompatible = (Qcow2IncompatibleFeatures)fields.U64(72);
        if (incompatible.HasFlag(Qcow2IncompatibleFeatures.CompressionType) != (compression != 0))
        {
            throw fields.Malformed($"its compression type {compression} contradicts its compression feature bit");
        }

        return header with
        {
            Incompatible = incompatible,
            Compatible = (Qcow2CompatibleFeatures)fields.U64(80),
            Autoclear = (Qcow2AutoclearFeatures)fields.U64(88),
            RefcountBits = 1 << fields.Within(96, 0, 6, "refcount_order"),
            HeaderLengthBytes = length,
            Compression = compression <= 1
                ? (Qcow2Compression)compression
                : throw fields.Unsupported("compression type", compression),
        };
    }

    private static void CheckRefcountTable(Qcow2Header header, HeaderFields fields)
    {
        const string what = "refcount table";
        const int mostBytes = Qcow2Limits.MaxRefcountTableBytes;
        var clusters = fields.Within(56, 1, mostBytes >> header.ClusterBits, "number of refcount table clusters");
        Qcow2HeaderRules.CheckTable(header, fields.Bytes, fields.Int64(48, what), (long)clusters << header.ClusterBits, what);
    }

    private static Qcow2Header ReadNames(Qcow2Header header, HeaderFields fields)
    {
        var backingOffset = fields.Int64(8, "backing file name offset");
        var end = (long)header.ClusterSizeBytes;
        if (backingOffset == 0)
        {
            return Qcow2ExtensionParser.Parse(header, fields.Bytes, end);
        }

        if (backingOffset < header.HeaderLengthBytes || backingOffset > end)
        {
            throw fields.Malformed(
                $"its backing file name (offset {backingOffset}) does not lie between header and first cluster's end");
        }

        var most = (int)Math.Min(Qcow2Limits.MaxBackingNameBytes, end - backingOffset);
        Span<byte> name = stackalloc byte[fields.Within(16, 0, most, "backing file name length")];
        fields.Bytes.Read(backingOffset, name, "backing file name");

        // QEMU takes an empty name for "no backing file".
        var text = name.IsEmpty ? null : ImageText.Decode(name, "backing file name", fields.Bytes);
        return Qcow2ExtensionParser.Parse(header with { BackingName = text }, fields.Bytes, backingOffset);
    }

    /// <summary>The first bytes of the file, read as big-endian fields by their offset in the specification.</summary>
    private readonly ref struct HeaderFields(ReadOnlySpan<byte> raw, ImageBytes bytes)
    {
        private readonly ReadOnlySpan<byte> _raw = raw;

        public ImageBytes Bytes => bytes;

        public byte U8(int at) => _raw[at];

        public uint U32(int at) => BinaryPrimitives.ReadUInt32BigEndian(_raw[at..]);

        public ulong U64(int at) => BinaryPrimitives.ReadUInt64BigEndian(_raw[at..]);

        /// <summary>A 64-bit field that must fit a signed number: a size or an offset.</summary>
        public long Int64(int at, string what)
        {
            var value = U64(at);
            return value <= long.MaxValue ? (long)value : throw Malformed($"its {what} {value} is impossible");
        }

        /// <summary>A 32-bit field in a range.</summary>
        public int Within(int at, int least, int most, string what)
        {
            var value = U32(at);
            if (value < least)
            {
                throw Malformed($"its {what} is {value}, less than {least}");
            }

            return value <= most ? (int)value : throw TooLarge(what, value, most);
        }

        public ImageException Malformed(string problem) => bytes.Malformed(problem);

        public ImageException Unsupported(string what, long value) =>
            bytes.Unsupported($"its {what} {value} is unknown", "convert it with \"qemu-img convert -O qcow2\"");

        private ImageException TooLarge(string what, uint value, int most) => bytes.Unsupported(
            string.Create(CultureInfo.InvariantCulture, $"its {what} is {value}, more than the {most} that are accepted"),
            "if you trust the image, convert it with \"qemu-img convert -O qcow2\"; otherwise do not use it");
    }
}
