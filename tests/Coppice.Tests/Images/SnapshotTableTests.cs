using Coppice.Images;

namespace Coppice.Tests.Images;

public sealed class SnapshotTableTests : IDisposable
{
    private readonly TempFolder _folder = TempFolder.InMemory();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_entry_is_read_field_by_field()
    {
        var bytes = new Qcow2Bytes().Snapshot("7", "before upgrade");
        using var image = Open(bytes);

        var snapshot = Assert.Single(image.ReadSnapshots());

        Assert.Equal(
            new InternalSnapshot
            {
                Id = "7",
                Name = "before upgrade",
                TakenAt = new DateTimeOffset(2001, 9, 9, 1, 46, 40, 500, TimeSpan.Zero),
                VmClockNanoseconds = 123_456_789_012,
                VmStateBytes = 5_000_000_000,
                DiskSizeBytes = 4096,
                L1OffsetBytes = bytes.L1At,
                L1Entries = 1,
            },
            snapshot);
    }

    [Fact]
    public void Without_extra_data_the_32_bit_size_counts_and_the_disk_has_the_images_size()
    {
        Qcow2Bytes bytes = new(version: 2);
        bytes.Snapshot("1", "old").U32(bytes.SnapshotsAt + 36, 0).Text(bytes.SnapshotsAt + 40, "1old");
        using var image = Open(bytes);

        var snapshot = Assert.Single(image.ReadSnapshots());

        Assert.Equal(("1", "old", 77L, 8192L), (snapshot.Id, snapshot.Name, snapshot.VmStateBytes, snapshot.DiskSizeBytes));
    }

    [Fact]
    public void Broken_entries_are_refused()
    {
        foreach (var (what, at, value) in new (string, int, uint)[]
        {
            ("an id of 64 KiB", 12, 0xffff0001),
            ("a name of 64 KiB", 12, 0x0001ffff),
            ("extra data of 4 GiB", 36, uint.MaxValue),
            ("extra data beyond the file", 36, 1024),
            ("a negative memory size", 40, uint.MaxValue),
            ("a disk larger than its L1 table", 48, 1),
            ("an L1 table over 1 MiB", 8, 131073),
            ("an L1 table beyond the file", 8, 131072),
            ("an L1 table off a cluster boundary", 4, 1025),
            ("an L1 table in the header", 4, 0),
        })
        {
            Qcow2Bytes bytes = new();
            bytes.Snapshot("1", "s").U32(bytes.SnapshotsAt + at, value);
            bytes.Truncate((int)bytes.L2At);
            using var image = Open(bytes);
            var error = Record.Exception(image.ReadSnapshots);
            Assert.True(error is ImageException, $"{what}: {error}");
        }
    }

    [Fact]
    public void A_count_beyond_the_table_is_refused()
    {
        using var image = Open(new Qcow2Bytes().Snapshot("1", "s").U32(60, Qcow2Limits.MaxSnapshots));

        Assert.Equal(ImageFault.Malformed, Assert.Throws<ImageException>(image.ReadSnapshots).Fault);
    }

    private Qcow2Image Open(Qcow2Bytes bytes) => Qcow2Image.Open(_folder.Write("image.qcow2", bytes.Content));
}
