using System.Numerics;

namespace Coppice.Images;

/// <summary>Incompatible features (qcow2 spec, header bytes 72–79): an unknown one forbids opening the image.</summary>
[Flags]
public enum Qcow2IncompatibleFeatures : ulong
{
    /// <summary>No bit.</summary>
    None = 0,

    /// <summary>Refcounts may be stale; QEMU repairs them when it opens the image for writing.</summary>
    Dirty = 1UL << 0,

    /// <summary>Any structure may be damaged; the image must not be written.</summary>
    Corrupt = 1UL << 1,

    /// <summary>The guest's data lies in another file.</summary>
    DataFile = 1UL << 2,

    /// <summary>Compressed clusters are not zlib (header byte 104).</summary>
    CompressionType = 1UL << 3,

    /// <summary>L2 entries of 128 bits with 32 subclusters.</summary>
    ExtendedL2 = 1UL << 4,
}

/// <summary>Compatible features (qcow2 spec, header bytes 80–87): an unknown one can be ignored.</summary>
[Flags]
public enum Qcow2CompatibleFeatures : ulong
{
    /// <summary>No bit.</summary>
    None = 0,

    /// <summary>Refcount updates may be postponed behind the dirty bit.</summary>
    LazyRefcounts = 1UL << 0,
}

/// <summary>Auto-clear features (qcow2 spec, header bytes 88–95): a writer that does not know one clears it.</summary>
[Flags]
public enum Qcow2AutoclearFeatures : ulong
{
    /// <summary>No bit.</summary>
    None = 0,

    /// <summary>The persistent bitmaps are consistent.</summary>
    Bitmaps = 1UL << 0,

    /// <summary>The external data file can be read as a raw image.</summary>
    RawExternalData = 1UL << 1,
}

/// <summary>Which of the three feature fields a name belongs to (qcow2 spec, feature name table, byte 0).</summary>
public enum Qcow2FeatureField
{
    /// <summary>Header bytes 72–79.</summary>
    Incompatible = 0,

    /// <summary>Header bytes 80–87.</summary>
    Compatible = 1,

    /// <summary>Header bytes 88–95.</summary>
    Autoclear = 2,
}

/// <summary>An entry of the image's own feature name table: what its writer calls a bit. For messages only.</summary>
/// <param name="Field">The feature field.</param>
/// <param name="Bit">The bit in it, 0–63.</param>
/// <param name="Name">At most 46 bytes of text.</param>
public sealed record Qcow2FeatureName(Qcow2FeatureField Field, int Bit, string Name);

internal static class Qcow2FeatureNames
{
    public const Qcow2IncompatibleFeatures KnownIncompatible = Qcow2IncompatibleFeatures.Dirty
        | Qcow2IncompatibleFeatures.Corrupt | Qcow2IncompatibleFeatures.DataFile
        | Qcow2IncompatibleFeatures.CompressionType | Qcow2IncompatibleFeatures.ExtendedL2;

    // Our own names come first: the table in the image is the word of whoever wrote it.
    private static readonly string[] Incompatible =
        ["dirty bit", "corrupt bit", "external data file", "compression type", "extended L2 entries"];

    private static readonly string[] Compatible = ["lazy refcounts"];
    private static readonly string[] Autoclear = ["bitmaps", "raw external data"];

    /// <summary>The names of the bits set in a field: QEMU's, else the image's own, else the number.</summary>
    public static IReadOnlyList<string> Describe(Qcow2FeatureField field, ulong bits, IEnumerable<Qcow2FeatureName> own)
    {
        List<string> names = [];
        for (var rest = bits; rest != 0; rest &= rest - 1)
        {
            var bit = BitOperations.TrailingZeroCount(rest);
            var known = Known(field);
            if (bit < known.Length)
            {
                names.Add(known[bit]);
                continue;
            }

            var named = own.FirstOrDefault(n => n.Field == field && n.Bit == bit);
            names.Add(named is null ? $"bit {bit}" : $"bit {bit} ({Quoted.Name(named.Name)})");
        }

        return names;
    }

    private static string[] Known(Qcow2FeatureField field) => field switch
    {
        Qcow2FeatureField.Incompatible => Incompatible,
        Qcow2FeatureField.Compatible => Compatible,
        _ => Autoclear,
    };
}
