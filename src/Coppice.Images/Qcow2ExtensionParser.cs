using System.Buffers.Binary;

namespace Coppice.Images;

/// <summary>
/// Header extensions (qcow2 spec, "Header extensions"): type, length, data, padding to 8 bytes. Only the few that matter
/// are read; all others are skipped without being read.
/// </summary>
internal static class Qcow2ExtensionParser
{
    private const uint End = 0;
    private const uint BackingFormat = 0xe2792aca;
    private const uint FeatureNames = 0x6803f857;
    private const uint DataFile = 0x44415441;
    private const int PrefixBytes = 8;
    private const int FeatureNameBytes = 48;

    /// <summary>
    /// Reads the extensions from the header's end to <paramref name="end"/>: backing file name or cluster's end.
    /// </summary>
    public static Qcow2Header Parse(Qcow2Header header, ImageBytes bytes, long end)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        var offset = (long)header.HeaderLengthBytes;
        for (var count = 0; end - offset >= PrefixBytes; count++)
        {
            bytes.Read(offset, prefix, "header extension");
            var type = BinaryPrimitives.ReadUInt32BigEndian(prefix);
            var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[4..]);
            if (type == End)
            {
                break;
            }

            if (count == Qcow2Limits.MaxHeaderExtensions)
            {
                throw bytes.Unsupported($"it has more than {Qcow2Limits.MaxHeaderExtensions} header extensions", "do not use it");
            }

            offset += PrefixBytes;
            if (length > end - offset)
            {
                throw bytes.Malformed($"its header extension 0x{type:x8} of {length} bytes does not fit the header cluster");
            }

            header = Read(header, bytes, type, offset, (int)length);
            offset += (length + 7L) & ~7L;
        }

        return header;
    }

    private static Qcow2Header Read(Qcow2Header header, ImageBytes bytes, uint type, long offset, int length) => type switch
    {
        BackingFormat => header with
        {
            BackingFormatName = Text(
                header.BackingFormatName, bytes, offset, length, Qcow2Limits.MaxBackingFormatBytes, "backing format"),
        },
        DataFile => header with
        {
            DataFileName = Text(header.DataFileName, bytes, offset, length, Qcow2Limits.MaxBackingNameBytes, "data file name"),
        },
        FeatureNames => header with { FeatureNames = ReadFeatureNames(header, bytes, offset, length) },
        _ => header,
    };

    private static string Text(string? earlier, ImageBytes bytes, long offset, int length, int most, string what)
    {
        RequireFirst(earlier is null, bytes, what);
        RequireAtMost(length, most, bytes, what);
        Span<byte> raw = stackalloc byte[length];
        bytes.Read(offset, raw, what);
        return ImageText.Decode(raw, what, bytes);
    }

    private static List<Qcow2FeatureName> ReadFeatureNames(Qcow2Header header, ImageBytes bytes, long offset, int length)
    {
        const string what = "feature name table";
        RequireFirst(header.FeatureNames.Count == 0, bytes, what);
        RequireAtMost(length, Qcow2Limits.MaxFeatureTableBytes, bytes, what);
        var raw = new byte[length];
        bytes.Read(offset, raw, what);

        List<Qcow2FeatureName> names = [];
        for (var at = 0; raw.Length - at >= FeatureNameBytes; at += FeatureNameBytes)
        {
            if (raw[at] <= (int)Qcow2FeatureField.Autoclear && raw[at + 1] < 64)
            {
                var name = ImageText.DecodeLoosely(raw.AsSpan(at + 2, FeatureNameBytes - 2));
                names.Add(new Qcow2FeatureName((Qcow2FeatureField)raw[at], raw[at + 1], name));
            }
        }

        return names;
    }

    private static void RequireFirst(bool first, ImageBytes bytes, string what)
    {
        if (!first)
        {
            throw bytes.Malformed($"it has two header extensions for its {what}");
        }
    }

    private static void RequireAtMost(int length, int most, ImageBytes bytes, string what)
    {
        if (length > most)
        {
            throw bytes.Malformed($"its {what} has {length} bytes, more than {most}");
        }
    }
}
