using Coppice.Images;

namespace Coppice.Tests.Images;

/// <summary>
/// Memory inside internal snapshots. The disk takes one L1 entry of 32 KiB, the memory the one behind it; both entries name
/// the same L2 table.
/// </summary>
public sealed class SavedMemoryTests
{
    private const ulong Compressed = 1UL << 62, Zeros = 1;

    [Fact]
    public void It_is_read_from_beginning_to_end_and_what_was_never_written_is_zeros()
    {
        var bytes = WithMemory(1200);
        bytes.Entries(bytes.DataAt, 0, bytes.DataAt | Zeros);
        bytes.Content.AsSpan((int)bytes.DataAt, bytes.Cluster).Fill(7);
        using var image = Open(bytes);
        using var memory = image.OpenMemory(image.ReadSnapshots()[0]);
        using var read = new MemoryStream();
        memory.CopyTo(read);

        Assert.Equal(1200, memory.Length);
        Assert.Equal([.. Enumerable.Repeat((byte)7, 512), .. new byte[688]], read.ToArray());
    }

    [Fact]
    public void A_snapshot_without_memory_or_with_an_L1_table_that_is_too_short_for_it_is_refused()
    {
        foreach (var length in new[] { 0, 40_000 })
        {
            using var image = Open(WithMemory(length));
            var error = Assert.Throws<ImageException>(() => image.OpenMemory(image.ReadSnapshots()[0]));
            Assert.Equal(ImageFault.Malformed, error.Fault);
        }
    }

    [Theory]
    [InlineData(Compressed | 512, ImageFault.Unsupported)]
    [InlineData(1UL << 40, ImageFault.Malformed)]
    public void A_cluster_that_is_compressed_or_outside_the_file_is_refused_when_it_is_read(ulong entry, ImageFault fault)
    {
        var bytes = WithMemory(100);
        bytes.Entries(entry);
        using var image = Open(bytes);
        using var memory = image.OpenMemory(image.ReadSnapshots()[0]);
        var error = Assert.Throws<ImageException>(() => memory.CopyTo(Stream.Null));
        Assert.Equal(fault, error.Fault);
    }

    [Fact]
    public void An_L2_table_outside_the_file_is_refused_when_it_is_read()
    {
        var bytes = WithMemory(100);
        bytes.U64(bytes.L1At + 8, 1UL << 40);
        using var image = Open(bytes);
        using var memory = image.OpenMemory(image.ReadSnapshots()[0]);
        Assert.Equal(ImageFault.Malformed, Assert.Throws<ImageException>(() => memory.CopyTo(Stream.Null)).Fault);
    }

    private static Qcow2Bytes WithMemory(int length)
    {
        var bytes = new Qcow2Bytes().Snapshot("1", "s");
        bytes.U32(bytes.SnapshotsAt + 8, 2).U64(bytes.SnapshotsAt + 40, (ulong)length).Entries(0);
        return bytes.U64(bytes.L1At + 8, bytes.L2At | (1UL << 63));
    }

    private static Qcow2Image Open(Qcow2Bytes bytes) => Qcow2Image.Open(bytes.Stream(), "image");
}
