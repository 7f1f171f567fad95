using Coppice.Images;

namespace Coppice.Tests.Images;

public sealed class AllocationTests : IDisposable
{
    private const ulong Copied = 1UL << 63;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_image_without_L2_tables_is_clean()
    {
        using var image = Open(new Qcow2Bytes());

        Assert.False(image.HasAllocatedData(TestContext.Current.CancellationToken));
        Assert.Equal(default, image.MeasureAllocation(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Data_zeros_and_compressed_clusters_are_told_apart_and_neighbours_merged()
    {
        Qcow2Bytes bytes = new();
        var data = bytes.DataAt | Copied;
        using var image = Open(bytes.Entries(data, data, 0, 1, 1 | data, (1UL << 62) | (bytes.DataAt + 3)));

        Assert.Equal(
            [
                new GuestExtent(0, 1024, ExtentKind.Data),
                new GuestExtent(1536, 1024, ExtentKind.Zero),
                new GuestExtent(2560, 512, ExtentKind.Compressed),
            ],
            image.Extents(TestContext.Current.CancellationToken));
        Assert.Equal(new GuestAllocation(1024, 512, 1024), image.MeasureAllocation(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Zeros_alone_make_an_overlay_unclean()
    {
        using var image = Open(new Qcow2Bytes().Entries(0, 1));

        Assert.True(image.HasAllocatedData(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void What_lies_behind_the_disk_is_saved_memory_and_does_not_count()
    {
        Qcow2Bytes bytes = new();
        bytes.U64(24, 700);
        var data = bytes.DataAt | Copied;
        using var image = Open(bytes.Entries(data, data, data));

        Assert.Equal([new GuestExtent(0, 700, ExtentKind.Data)], image.Extents(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Subclusters_count_one_by_one()
    {
        Qcow2Bytes bytes = new(clusterBits: 14);
        bytes.U64(72, 1 << 4);
        // Cluster 0: subclusters 0 and 1 stored, 3 zero. Cluster 1: allocated, but no subcluster of it.
        using var image = Open(bytes.Entries(bytes.DataAt, (1UL << 35) | 0b11, bytes.DataAt, 0));

        Assert.Equal(
            [new GuestExtent(0, 1024, ExtentKind.Data), new GuestExtent(1536, 512, ExtentKind.Zero)],
            image.Extents(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Broken_tables_are_refused_when_they_are_reached()
    {
        foreach (var (what, breakIt) in BrokenTables())
        {
            Qcow2Bytes bytes = new();
            breakIt(bytes);
            using var image = Open(bytes);
            var error = Assert.Throws<ImageException>(() => image.MeasureAllocation(TestContext.Current.CancellationToken));
            Assert.True(error.Fault == ImageFault.Malformed, $"{what}: {error.Message}");
        }
    }

    [Fact]
    public void Subclusters_both_stored_and_zero_are_malformed()
    {
        Qcow2Bytes bytes = new(clusterBits: 14);
        bytes.U64(72, 1 << 4);
        using var image = Open(bytes.Entries(bytes.DataAt, (1UL << 32) | 1));

        Assert.Throws<ImageException>(() => image.HasAllocatedData(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void An_image_with_unknown_features_is_described_but_its_tables_are_not_interpreted()
    {
        using var image = Open(new Qcow2Bytes().U64(72, 1UL << 20).Entries(1));

        Assert.Equal(["bit 20"], image.Header.DescribeFeatures());
        Assert.Equal(ImageFault.Unsupported,
            Assert.Throws<ImageException>(() => image.HasAllocatedData(TestContext.Current.CancellationToken)).Fault);
        Assert.Equal(ImageFault.Unsupported, Assert.Throws<ImageException>(image.ReadSnapshots).Fault);
    }

    [Fact]
    public async Task A_walk_over_a_huge_disk_can_be_cancelled()
    {
        using var image = Open(new Qcow2Bytes().Entries(1));
        using CancellationTokenSource cancel = new();
        await cancel.CancelAsync();

        Assert.Throws<OperationCanceledException>(() => image.MeasureAllocation(cancel.Token));
    }

    private static IEnumerable<(string What, Action<Qcow2Bytes> BreakIt)> BrokenTables() =>
    [
        ("an L2 table behind the file", b => b.U64(b.L1At, 1 << 20)),
        ("an L2 table across the file's end", b => b.U64(b.L1At, b.DataAt).Truncate((int)b.DataAt + 100)),
        ("a cluster behind the file", b => b.Entries(1 << 20)),
        ("a compressed cluster behind the file", b => b.Entries((1UL << 62) | (1 << 20))),
        ("a compressed cluster in the header", b => b.Entries((1UL << 62) | 8)),
        ("two L1 entries for one L2 table", b => b.U64(24, 40000).U32(36, 2).Entries().U64(b.L1At + 8, b.L2At)),
    ];

    private Qcow2Image Open(Qcow2Bytes bytes) => Qcow2Image.Open(_folder.Write("image.qcow2", bytes.Content));
}
