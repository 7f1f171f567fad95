using System.Globalization;
using Coppice.Contracts;
using Coppice.Images;

namespace Coppice.Tests.Images;

/// <summary>Random writes to chains: the comparison finds the sectors in which what qemu-img makes of them differs, and no others.</summary>
public sealed class ComparisonTests : IDisposable
{
    private const int Size = 4 << 20, Sector = 512;

    private readonly TempFolder _folder = TempFolder.InMemory();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("compat=1.1")]
    [InlineData("compat=1.1,cluster_size=512")]
    [InlineData("compat=1.1,extended_l2=on,cluster_size=64k")]
    [InlineData("compat=0.10,cluster_size=4k")]
    public async Task Two_branches_differ_where_the_disks_that_qemu_img_makes_of_them_differ(string options)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var random = Sampling.Random();
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "raw", _folder.File("base.raw"), $"{Size}");
        await WriteAsync("base.raw", "raw", random, zeros: false);
        foreach (var (image, below) in new[] { ("trunk", "base.raw"), ("left", "trunk"), ("top", "left"), ("right", "trunk") })
        {
            var format = below == "base.raw" ? "raw" : "qcow2";
            await Tool.RunAsync(
                "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "-F", format, "-b", below, _folder.File(image));
            await WriteAsync(image, "qcow2", random, zeros: !options.Contains("0.10", StringComparison.Ordinal));
        }

        await CompareAsync(["top", "left", "trunk"], 2, ["right", "trunk"], 1);
        await CompareAsync(["top", "left", "trunk"], 2, ["trunk"], 0);
        await CompareAsync(["right", "trunk"], 2, ["right", "trunk"], 2);
        await CompareAsync(["right", "trunk"], 3, [], 1);
    }

    [Fact]
    public async Task An_internal_snapshot_differs_from_its_image_where_that_was_written_since()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var random = Sampling.Random();
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "raw", _folder.File("base.raw"), $"{Size}");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", _folder.File("image"));
        await WriteAsync("image", "qcow2", random, zeros: true);
        await Tool.RunAsync("qemu-img", "snapshot", "-c", "then", _folder.File("image"));
        await Tool.RunAsync("qemu-img", "convert", "-O", "raw", _folder.File("image"), _folder.File("then.raw"));
        await WriteAsync("image", "qcow2", random, zeros: true);
        await Tool.RunAsync("qemu-img", "convert", "-O", "raw", _folder.File("image"), _folder.File("now.raw"));

        using var then = GuestDisk.Open([Layer("image") with { Tag = "then" }, Layer("base.raw")]);
        using var now = GuestDisk.Open([Layer("image"), Layer("base.raw")]);
        Assert.Equal(Differing("then.raw", "now.raw"), Sectors(DiskComparison.Changes(then, 1, now, 1)));
        var missing = Assert.Throws<ImageException>(() => GuestDisk.Open([Layer("image") with { Tag = "never" }]));
        Assert.Equal(ImageFault.Missing, missing.Fault);
    }

    [Fact]
    public async Task Compressed_clusters_are_read_and_those_that_cannot_be_are_refused()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "raw", _folder.File("plain.raw"), $"{Size}");
        await WriteAsync("plain.raw", "raw", Sampling.Random(), zeros: false);
        await Tool.RunAsync("qemu-img", "convert", "-c", "-O", "qcow2", _folder.File("plain.raw"), _folder.File("zlib"));
        await Tool.RunAsync(
            "qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", _folder.File("plain.raw"), _folder.File("zstd"));
        using var plain = GuestDisk.Open([Layer("plain.raw")]);
        using var zlib = GuestDisk.Open([Layer("zlib")]);
        using var zstd = GuestDisk.Open([Layer("zstd")]);
        Assert.Empty(DiskComparison.Changes(plain, 1, zlib, 1));
        Assert.Equal(
            ImageFault.Unsupported, Assert.Throws<ImageException>(() => DiskComparison.Changes(plain, 1, zstd, 1).Count()).Fault);
    }

    [Fact]
    public async Task A_disk_that_grew_differs_behind_its_former_end_where_it_was_written()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", _folder.File("small"), "1M");
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", _folder.File("small"));
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "small", _folder.File("large"), "3M");
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write -P 8 2M 512", _folder.File("large"));
        using var small = GuestDisk.Open([Layer("small")]);
        using var large = GuestDisk.Open([Layer("large"), Layer("small")]);
        Assert.Equal([new GuestRange(2 << 20, 512)], DiskComparison.Changes(small, 0, large, 1));
        Assert.Equal([new GuestRange(2 << 20, 512)], DiskComparison.Changes(large, 1, small, 0));
    }

    [Fact]
    public async Task An_overlay_that_hid_the_end_of_what_it_builds_on_reads_as_zeros_there()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", _folder.File("base"), "2M");
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 1M", _folder.File("base"));
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base", _folder.File("shrunk"), "1M");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "shrunk", _folder.File("grown"), "2M");
        using var one = GuestDisk.Open([Layer("base")]);
        using var other = GuestDisk.Open([Layer("grown"), Layer("shrunk"), Layer("base")]);
        Assert.Equal([new GuestRange(1 << 20, 1 << 20)], DiskComparison.Changes(one, 0, other, 2));
    }

    [Fact]
    public async Task A_table_that_leads_out_of_the_file_is_refused()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", _folder.File("base"), "2M");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base", _folder.File("top"));
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 64k", _folder.File("top"));
        using (var file = File.OpenWrite(_folder.File("top")))
        {
            file.Position = 0x30000;
            file.Write([0x80, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0]);
        }

        using var one = GuestDisk.Open([Layer("base")]);
        using var other = GuestDisk.Open([Layer("top"), Layer("base")]);
        Assert.Equal(ImageFault.Malformed, Assert.Throws<ImageException>(() => DiskComparison.Changes(one, 0, other, 1).Count()).Fault);
    }

    /// <summary>Compares two chains above <c>base.raw</c>, and the disks that qemu-img makes of them.</summary>
    private async Task CompareAsync(string[] one, int oneAbove, string[] other, int otherAbove)
    {
        using var left = GuestDisk.Open([.. one.Append("base.raw").Select(Layer)]);
        using var right = GuestDisk.Open([.. other.Append("base.raw").Select(Layer)]);
        await FlattenAsync(one.Append("base.raw").First(), "one.raw");
        await FlattenAsync(other.Append("base.raw").First(), "other.raw");
        Assert.Equal(
            Differing("one.raw", "other.raw"),
            Sectors(DiskComparison.Changes(left, oneAbove, right, otherAbove, TestContext.Current.CancellationToken)));
    }

    private Task<string> FlattenAsync(string image, string path) => Tool.RunAsync(
        "qemu-img", "convert", "-f", Layer(image).Image.Format is ImageFormat.Raw ? "raw" : "qcow2", "-O", "raw", _folder.File(image), _folder.File(path));

    private GuestLayer Layer(string image) => new(
        new RecordedLayer(_folder.File(image), image.EndsWith(".raw", StringComparison.Ordinal) ? ImageFormat.Raw : ImageFormat.Qcow2), null);

    private async Task WriteAsync(string image, string format, Random random, bool zeros)
    {
        var commands = Enumerable.Range(0, 8).SelectMany(i =>
        {
            var at = random.Next(Size / Sector) * Sector;
            var length = Math.Min(Size - at, random.Next(1, 300) * Sector);
            var write = zeros && i % 4 == 3 ? "write -z" : $"write -P {random.Next(4)}";
            return (string[])["-c", string.Create(CultureInfo.InvariantCulture, $"{write} {at} {length}")];
        });
        await Tool.RunAsync("qemu-io", ["-f", format, .. commands, _folder.File(image)]);
    }

    private int[] Differing(string one, string other)
    {
        var (a, b) = (File.ReadAllBytes(_folder.File(one)), File.ReadAllBytes(_folder.File(other)));
        return [.. Enumerable.Range(0, Size / Sector).Where(s => !a.AsSpan(s * Sector, Sector).SequenceEqual(b.AsSpan(s * Sector, Sector)))];
    }

    private static int[] Sectors(IEnumerable<GuestRange> ranges)
    {
        var listed = ranges.ToArray();
        Assert.All(listed.Zip(listed.Skip(1)), p => Assert.True(p.First.OffsetBytes + p.First.LengthBytes < p.Second.OffsetBytes, "not merged"));
        return [.. listed.SelectMany(r => Enumerable.Range((int)(r.OffsetBytes / Sector), (int)(r.LengthBytes / Sector)))];
    }
}
