using Coppice.Images;

namespace Coppice.Tests.Images;

public sealed class HeaderTests
{
    // The first bytes of what qemu-img 7.2 wrote for: create -f qcow2 -b base.qcow2 -F qcow2 overlay.qcow2
    private const string Qemu72Overlay = """
        514649fb0000000300000000000002100000000a00000010000000028000000000000000000000140000000000030000
        000000000001000000000001000000000000000000000000000000000000000000000000000000000000000000000000
        00000004000000700000000000000000e2792aca0000000571636f77320000006803f857000001800000646972747920
        626974000000000000000000000000000000000000000000000000000000000000000000000000000001636f72727570
        74206269740000000000000000000000000000000000000000000000000000000000000000000000000265787465726e
        616c20646174612066696c65000000000000000000000000000000000000000000000000000000000003636f6d707265
        7373696f6e20747970650000000000000000000000000000000000000000000000000000000000000004657874656e64
        6564204c3220656e747269657300000000000000000000000000000000000000000000000000000001006c617a792072
        6566636f756e7473000000000000000000000000000000000000000000000000000000000000000002006269746d6170
        730000000000000000000000000000000000000000000000000000000000000000000000000000000201726177206578
        7465726e616c206461746100000000000000000000000000000000000000000000000000000000000000000000000000
        626173652e71636f7732000000000000
        """;

    [Fact]
    public void A_header_that_qemu_wrote_is_read_field_by_field()
    {
        var bytes = new byte[0x30000 + (20 * 8)];
        Convert.FromHexString(Qemu72Overlay.ReplaceLineEndings("")).CopyTo(bytes, 0);

        var header = Qcow2Header.Read(new MemoryStream(bytes), "overlay.qcow2");

        Assert.Equal(3, header.Version);
        Assert.Equal(10L << 30, header.VirtualSizeBytes);
        Assert.Equal(65536, header.ClusterSizeBytes);
        Assert.Equal("base.qcow2", header.BackingName);
        Assert.Equal("qcow2", header.BackingFormatName);
        Assert.Equal(20, header.L1Entries);
        Assert.Equal(0x30000, header.L1Offset);
        Assert.Equal(16, header.RefcountBits);
        Assert.Equal(112, header.HeaderLengthBytes);
        Assert.Equal(0, header.SnapshotCount);
        Assert.Equal(Qcow2Encryption.None, header.Encryption);
        Assert.False(header.IsDirty || header.IsCorrupt || header.HasDataFile || header.HasExtendedL2);
        Assert.Equal(8, header.FeatureNames.Count);
        Assert.Equal(new Qcow2FeatureName(Qcow2FeatureField.Incompatible, 4, "extended L2 entries"), header.FeatureNames[4]);
    }

    [Fact]
    public void A_version_2_header_ends_after_72_bytes_and_has_16_bit_refcounts()
    {
        // Bytes 72 and up are extensions here; read as version 3 they would be an unknown incompatible feature.
        Qcow2Bytes image = new(version: 2);
        image.Extension(72, 0xe2792aca, "raw").Backing("base.raw");

        var header = Qcow2Header.Read(image.Stream(), "v2");

        Assert.Equal((2, 72, 16), (header.Version, header.HeaderLengthBytes, header.RefcountBits));
        Assert.Equal(("base.raw", "raw"), (header.BackingName, header.BackingFormatName));
        Assert.Equal(Qcow2IncompatibleFeatures.None, header.Incompatible);
    }

    [Fact]
    public void Features_are_reported_by_name_and_unknown_ones_by_the_images_own_name()
    {
        Qcow2Bytes image = new();
        image.U64(72, 0b11 | (1UL << 40)).U64(80, 1).U64(88, 2);
        image.U32(104, 0x6803f857).U32(108, 48).Text(112, "\0\u0028frobnicate\u001b[2J");

        var header = Qcow2Header.Read(image.Stream(), "features");

        Assert.True(header.IsDirty && header.IsCorrupt);
        Assert.Equal((Qcow2IncompatibleFeatures)(1UL << 40), header.UnknownIncompatible);
        Assert.Equal(
            ["dirty bit", "corrupt bit", "bit 40 (\"frobnicate\\u001b[2J\")", "lazy refcounts", "raw external data"],
            header.DescribeFeatures());
    }

    [Theory]
    [InlineData(1, Qcow2Encryption.Aes)]
    [InlineData(2, Qcow2Encryption.Luks)]
    public void Encryption_is_reported(uint method, Qcow2Encryption expected) =>
        Assert.Equal(expected, Qcow2Header.Read(new Qcow2Bytes().U32(32, method).Stream(), "secret").Encryption);

    [Fact]
    public void A_data_file_is_reported_even_without_its_feature_bit()
    {
        var header = Qcow2Header.Read(new Qcow2Bytes().Extension(104, 0x44415441, "/etc/hostname").Stream(), "data");

        Assert.True(header.HasDataFile);
        Assert.Equal("/etc/hostname", header.DataFileName);
    }

    [Fact]
    public void Zstd_compression_is_read_from_byte_104()
    {
        Qcow2Bytes image = new();
        image.U64(72, 1 << 3).U32(100, 112).Content[104] = 1;

        Assert.Equal(Qcow2Compression.Zstd, Qcow2Header.Read(image.Stream(), "zstd").Compression);
    }

    public static TheoryData<string, int, int, ulong, ImageFault> BrokenFields => new()
    {
        { "the magic", 0, 4, 0x514649fc, ImageFault.Malformed },
        { "version 1", 4, 4, 1, ImageFault.Unsupported },
        { "version 4", 4, 4, 4, ImageFault.Unsupported },
        { "a backing name inside the header", 8, 8, 16, ImageFault.Malformed },
        { "a backing name behind the first cluster", 8, 8, 4096, ImageFault.Malformed },
        { "a backing name at a negative offset", 8, 8, ulong.MaxValue, ImageFault.Malformed },
        { "clusters of 256 bytes", 20, 4, 8, ImageFault.Malformed },
        { "clusters of 4 MiB", 20, 4, 22, ImageFault.Unsupported },
        { "clusters shifted round", 20, 4, 64 + 9, ImageFault.Unsupported },
        { "a negative disk size", 24, 8, 1UL << 63, ImageFault.Malformed },
        { "a disk larger than its L1 table", 24, 8, long.MaxValue, ImageFault.Malformed },
        { "an unknown encryption", 32, 4, 3, ImageFault.Unsupported },
        { "an L1 table over 1 MiB", 36, 4, 131073, ImageFault.Unsupported },
        { "an L1 table of 32 MiB", 36, 4, 4194304, ImageFault.Unsupported },
        { "an L1 table longer than the file", 36, 4, 131072, ImageFault.Malformed },
        { "an L1 table off a cluster boundary", 40, 8, 1025, ImageFault.Malformed },
        { "an L1 table in the header", 40, 8, 0, ImageFault.Malformed },
        { "an L1 table behind the file", 40, 8, 1UL << 62, ImageFault.Malformed },
        { "a refcount table off a cluster boundary", 48, 8, 513, ImageFault.Malformed },
        { "no refcount table", 56, 4, 0, ImageFault.Malformed },
        { "a refcount table of 4 GiB", 56, 4, 1 << 23, ImageFault.Unsupported },
        { "65536 snapshots", 60, 4, 65536, ImageFault.Unsupported },
        { "a snapshot table in the header", 60, 4, 1, ImageFault.Malformed },
        { "extended L2 entries in small clusters", 72, 8, 1 << 4, ImageFault.Malformed },
        { "a compression bit without a type", 72, 8, 1 << 3, ImageFault.Malformed },
        { "refcounts of 128 bits", 96, 4, 7, ImageFault.Unsupported },
        { "a header of 72 bytes in version 3", 100, 4, 72, ImageFault.Malformed },
        { "a header of 105 bytes", 100, 4, 105, ImageFault.Malformed },
        { "a header longer than its cluster", 100, 4, 1024, ImageFault.Unsupported },
        { "an extension longer than the cluster", 104, 8, (0x12345678UL << 32) | 0x7fffffff, ImageFault.Malformed },
        { "a backing format of 16 bytes", 104, 8, (0xe2792acaUL << 32) | 16, ImageFault.Malformed },
    };

    [Theory]
    [MemberData(nameof(BrokenFields))]
    public void A_broken_field_is_refused(string what, int at, int width, ulong value, ImageFault fault)
    {
        Qcow2Bytes image = new();
        _ = width == 4 ? image.U32(at, (uint)value) : image.U64(at, value);

        var error = Assert.Throws<ImageException>(() => Qcow2Header.Read(image.Stream(), "/images/broken.qcow2"));

        Assert.True(fault == error.Fault, $"{what}: {error.Message}");
        Assert.StartsWith("/images/broken.qcow2: ", error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(71)]
    [InlineData(72)]
    [InlineData(103)]
    [InlineData(104)]
    [InlineData(600)]
    [InlineData(1031)]
    public void A_truncated_image_is_malformed(int length) => Assert.Equal(ImageFault.Malformed,
        Assert.Throws<ImageException>(() => Qcow2Header.Read(new Qcow2Bytes().Truncate(length).Stream(), "short")).Fault);

    [Fact]
    public void A_name_with_a_NUL_is_refused_since_QEMU_would_read_only_its_beginning() => Assert.Equal(ImageFault.Malformed,
        Assert.Throws<ImageException>(() => Qcow2Header.Read(Qcow2Bytes.Overlay("a\0b").Stream(), "nul")).Fault);

    [Fact]
    public void Two_backing_formats_are_refused_since_readers_would_differ_in_which_they_take()
    {
        var image = Qcow2Bytes.Overlay("base", "raw").Extension(120, 0xe2792aca, "qcow2");

        Assert.Contains("two header extensions", Assert.Throws<ImageException>(() => Qcow2Header.Read(image.Stream(), "two")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Extensions_without_end_are_not_counted_for_ever()
    {
        Qcow2Bytes image = new(clusterBits: 16);
        for (var at = 104; at < image.Cluster; at += 8)
        {
            image.U32(at, 0x01020304);
        }

        Assert.Equal(ImageFault.Unsupported, Assert.Throws<ImageException>(() => Qcow2Header.Read(image.Stream(), "many")).Fault);
    }
}
