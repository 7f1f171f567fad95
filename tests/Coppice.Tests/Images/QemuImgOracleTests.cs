using System.Diagnostics;
using System.Text.Json;
using Coppice.Images;

namespace Coppice.Tests.Images;

/// <summary>The real qemu-img says the same as the reader.</summary>
public sealed class QemuImgOracleTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("compat=1.1")]
    [InlineData("compat=1.1,cluster_size=512")]
    [InlineData("compat=1.1,cluster_size=4k,refcount_bits=1")]
    [InlineData("compat=1.1,cluster_size=2M,refcount_bits=64,lazy_refcounts=on")]
    [InlineData("compat=1.1,extended_l2=on,cluster_size=128k")]
    [InlineData("compat=1.1,compression_type=zstd")]
    [InlineData("compat=1.1,preallocation=metadata")]
    public async Task Headers_agree(string options)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await CreateAsync("base.raw", "raw", "64M");
        var backing = options.Contains("preallocation", StringComparison.Ordinal) ? "" : ",backing_file=base.raw,backing_fmt=raw";
        var path = await CreateAsync("image.qcow2", "qcow2", "-o", $"{options}{backing}", "48M");

        var info = await Tool.JsonAsync("qemu-img", "info", "-f", "qcow2", "--output=json", path);
        using var image = Qcow2Image.Open(path);
        var header = image.Header;

        var data = info.GetProperty("format-specific").GetProperty("data");
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), header.VirtualSizeBytes);
        Assert.Equal(info.GetProperty("cluster-size").GetInt32(), header.ClusterSizeBytes);
        Assert.Equal(info.GetProperty("dirty-flag").GetBoolean(), header.IsDirty);
        Assert.Equal(Text(info, "backing-filename"), header.BackingName);
        Assert.Equal(Text(info, "backing-filename-format"), header.BackingFormatName);
        Assert.Equal(data.GetProperty("compat").GetString(), header.Version == 2 ? "0.10" : "1.1");
        Assert.Equal(data.GetProperty("refcount-bits").GetInt32(), header.RefcountBits);
        Assert.Equal(Text(data, "compression-type") ?? "zlib", header.Compression == Qcow2Compression.Zstd ? "zstd" : "zlib");
        Assert.Equal(Flag(data, "lazy-refcounts"), header.Compatible.HasFlag(Qcow2CompatibleFeatures.LazyRefcounts));
        Assert.Equal(Flag(data, "extended-l2"), header.HasExtendedL2);
        Assert.Equal(Flag(data, "corrupt"), header.IsCorrupt);
    }

    [Fact]
    public async Task The_largest_disk_of_the_default_cluster_size_is_accepted_and_the_next_larger_refused()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var largest = await CreateAsync("64T.qcow2", "qcow2", "64T");
        var larger = await CreateAsync("65T.qcow2", "qcow2", "65T");

        using var image = Qcow2Image.Open(largest);
        Assert.False(image.HasAllocatedData(TestContext.Current.CancellationToken));
        Assert.Equal(ImageFault.Unsupported, Assert.Throws<ImageException>(() => Qcow2Image.Open(larger)).Fault);
    }

    [Theory]
    [InlineData(512, null)]
    [InlineData(1000, "base.raw")]
    [InlineData(64 << 20, "base.raw")]
    [InlineData((512L << 20) + 512, "base.qcow2")]
    [InlineData(64L << 40, null)]
    public async Task An_empty_image_is_what_qemu_img_makes(long size, string? backing)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var format = backing?.EndsWith("raw", StringComparison.Ordinal) is true ? "raw" : "qcow2";
        await CreateAsync("base.raw", "raw", "1000");
        await CreateAsync("base.qcow2", "qcow2", "512M");
        string[] options = backing is null ? [] : ["-b", backing, "-F", format];
        var theirs = await CreateAsync("theirs.qcow2", "qcow2", [.. options, $"{size}"]);
        var ours = _folder.File("ours.qcow2");
        var image = new EmptyQcow2(size) { BackingName = backing, BackingFormat = format is "raw" ? ImageFormat.Raw : ImageFormat.Qcow2 };
        await File.WriteAllBytesAsync(ours, image.ToBytes(), TestContext.Current.CancellationToken);

        await Tool.RunAsync("qemu-img", "check", "-f", "qcow2", ours);
        await Tool.RunAsync("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", ours, theirs);
        using var read = Qcow2Image.Open(ours);
        using var made = Qcow2Image.Open(theirs);
        Assert.False(read.HasAllocatedData(TestContext.Current.CancellationToken));
        Assert.Equal(
            made.Header with { FeatureNames = read.Header.FeatureNames, BackingName = read.Header.BackingName, HeaderLengthBytes = read.Header.HeaderLengthBytes },
            read.Header);
        Assert.Equal(backing, read.Header.BackingName);
        Assert.Equal(new FileInfo(theirs).Length, new FileInfo(ours).Length);
        await WriteAsync(ours, "write -P 1 0 512");
        await Tool.RunAsync("qemu-img", "check", "-f", "qcow2", ours);
    }

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("compat=1.1")]
    public async Task Internal_snapshots_agree(string compat)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var path = await CreateAsync("image.qcow2", "qcow2", "-o", compat, "8M");
        await WriteAsync(path, "write -P 1 0 1M");
        foreach (var name in new[] { "one", "zwei Wörter", "1" })
        {
            await Tool.RunAsync("qemu-img", "snapshot", "-c", name, path);
        }

        var info = await Tool.JsonAsync("qemu-img", "info", "-f", "qcow2", "--output=json", path);
        using var image = Qcow2Image.Open(path);
        var snapshots = image.ReadSnapshots();

        Assert.Equal(3, image.Header.SnapshotCount);
        Assert.Equal(
            info.GetProperty("snapshots").EnumerateArray().Select(s => (
                s.GetProperty("id").GetString()!,
                s.GetProperty("name").GetString()!,
                s.GetProperty("vm-state-size").GetInt64(),
                (s.GetProperty("date-sec").GetInt64() * 1_000_000_000) + s.GetProperty("date-nsec").GetInt64(),
                (ulong)((s.GetProperty("vm-clock-sec").GetInt64() * 1_000_000_000) + s.GetProperty("vm-clock-nsec").GetInt64()))),
            snapshots.Select(s => (s.Id, s.Name, s.VmStateBytes, Nanoseconds(s.TakenAt), s.VmClockNanoseconds)),
            (qemu, ours) => qemu with { Item4 = qemu.Item4 / 100 * 100 } == ours);
        Assert.All(snapshots, s => Assert.Equal(8 << 20, s.DiskSizeBytes));
    }

    [Fact]
    public async Task Many_internal_snapshots_with_long_names_are_read()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var path = await CreateAsync("image.qcow2", "qcow2", "1M");
        for (var index = 0; index < 12; index++)
        {
            await Tool.RunAsync("qemu-img", "snapshot", "-c", $"{index} {new string('n', 200)}", path);
        }

        using var image = Qcow2Image.Open(path);
        Assert.Equal(Enumerable.Range(1, 12).Select(i => $"{i}"), image.ReadSnapshots().Select(s => s.Id));
    }

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("compat=1.1")]
    [InlineData("compat=1.1,cluster_size=512")]
    [InlineData("compat=1.1,cluster_size=2M")]
    [InlineData("compat=1.1,extended_l2=on,cluster_size=64k")]
    public async Task Allocation_agrees_with_qemu_img_map(string options)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await CreateAsync("base.raw", "raw", "24M");
        var path = await CreateAsync("overlay.qcow2", "qcow2", "-o", $"{options},backing_file=base.raw,backing_fmt=raw", "33M");
        Assert.False(HasData(path));

        await WriteAsync(path, "write -P 1 0 3k", "write -P 2 70k 200k", "write -z 5M 1M", "write -P 3 20M 8M", "write -P 4 32M 64k",
            "write -z 21M 100k", "discard 22M 1M", "write -c -P 5 6M 2M");

        Assert.True(HasData(path));
        Assert.Equal(await MapAsync(path), Ours(path));
    }

    [Fact]
    public async Task A_discovered_chain_is_the_one_that_qemu_img_sees()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await CreateAsync("base.raw", "raw", "1M");
        await CreateAsync("l1.qcow2", "qcow2", "-b", "base.raw", "-F", "raw");
        await CreateAsync("l2.qcow2", "qcow2", "-b", _folder.File("l1.qcow2"), "-F", "qcow2", "2M");
        var top = await CreateAsync("l3.qcow2", "qcow2", "-b", "l2.qcow2", "-F", "qcow2", "3M");

        var info = await Tool.JsonAsync("qemu-img", "info", "--backing-chain", "--output=json", top);
        var layers = ImageChain.Discover(new RecordedLayer(top, ImageFormat.Qcow2), new AllowedFolders(_folder.Path));

        Assert.Equal(
            info.EnumerateArray().Select(i => (Path.GetFullPath(Text(i, "filename")!), Text(i, "format"), i.GetProperty("virtual-size").GetInt64())),
            layers.Select(l => (l.RealPath, (string?)(l.Format == ImageFormat.Raw ? "raw" : "qcow2"), l.VirtualSizeBytes)));
    }

    [Fact]
    public async Task An_encrypted_image_and_a_data_file_that_qemu_img_made_are_refused()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        // AES, since LUKS spends seconds on its key.
        var secret = await CreateAsync("secret.qcow2", "qcow2", "--object", "secret,id=s,data=x",
            "-o", "encrypt.format=aes,encrypt.key-secret=s", "1M");
        var data = await CreateAsync("data.qcow2", "qcow2", "-o", $"data_file={_folder.File("data.raw")}", "1M");

        Assert.Equal(ImageFault.Unsupported, Refusal(secret));
        Assert.Equal(ImageFault.Forbidden, Refusal(data));
        using var image = Qcow2Image.Open(secret);
        Assert.Equal(Qcow2Encryption.Aes, image.Header.Encryption);
    }

    [Theory]
    [InlineData("write 0 4k")]
    [InlineData("write -z -u 0 64k")]
    public async Task That_an_image_was_written_shows_while_QEMU_still_keeps_its_tables_to_itself(string write)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        var path = await CreateAsync("image.qcow2", "qcow2", "64M");
        Assert.False(HasBeenWritten(path));
        ProcessStartInfo start = new("qemu-io", ["-f", "qcow2", path]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using var writer = Process.Start(start)!;
        await writer.StandardInput.WriteAsync($"{write}\nmap\n");
        await writer.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        while (await writer.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line
            && !line.Contains("bytes", StringComparison.Ordinal))
        {
        }

        Assert.True(HasBeenWritten(path));
        writer.StandardInput.Close();
        await writer.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await writer.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(HasBeenWritten(path));
    }

    private static bool HasBeenWritten(string path)
    {
        using var image = Qcow2Image.Open(path);
        return image.HasBeenWritten();
    }

    private async Task<string> CreateAsync(string name, string format, params string[] arguments)
    {
        // The file stands between the options and the size, if there is one.
        var path = _folder.File(name);
        var hasSize = arguments.Length > 0 && char.IsAsciiDigit(arguments[^1][0]);
        string[] all = ["create", "-q", "-f", format, .. hasSize ? arguments[..^1] : arguments, path, .. hasSize ? arguments[^1..] : []];
        await Tool.RunAsync("qemu-img", all);
        return path;
    }

    private static Task<string> WriteAsync(string path, params string[] commands) =>
        Tool.RunAsync("qemu-io", ["-f", "qcow2", .. commands.SelectMany(c => new[] { "-c", c }), path]);

    private static bool HasData(string path)
    {
        using var image = Qcow2Image.Open(path);
        return image.HasAllocatedData(TestContext.Current.CancellationToken);
    }

    /// <summary>What qemu-img map says of depth 0, in our words.</summary>
    private static async Task<IEnumerable<GuestExtent>> MapAsync(string path)
    {
        var map = await Tool.JsonAsync("qemu-img", "map", "-f", "qcow2", "--output=json", path);
        return Merge(map.EnumerateArray()
            .Where(e => e.GetProperty("depth").GetInt32() == 0 && e.GetProperty("present").GetBoolean())
            .Select(e => new GuestExtent(
                e.GetProperty("start").GetInt64(),
                e.GetProperty("length").GetInt64(),
                e.GetProperty("zero").GetBoolean() ? ExtentKind.Zero
                    : e.TryGetProperty("offset", out _) ? ExtentKind.Data : ExtentKind.Compressed)));
    }

    private static List<GuestExtent> Ours(string path)
    {
        using var image = Qcow2Image.Open(path);
        return Merge(image.Extents(TestContext.Current.CancellationToken));
    }

    private static List<GuestExtent> Merge(IEnumerable<GuestExtent> extents)
    {
        List<GuestExtent> merged = [];
        foreach (var extent in extents)
        {
            if (merged.Count > 0 && merged[^1] is var last && last.Kind == extent.Kind
                && last.OffsetBytes + last.LengthBytes == extent.OffsetBytes)
            {
                merged[^1] = last with { LengthBytes = last.LengthBytes + extent.LengthBytes };
            }
            else
            {
                merged.Add(extent);
            }
        }

        return merged;
    }

    private ImageFault Refusal(string path) => Assert.Throws<ImageException>(
        () => ImageChain.Discover(new RecordedLayer(path, ImageFormat.Qcow2), new AllowedFolders(_folder.Path))).Fault;

    private static long Nanoseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks * 100;

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static bool Flag(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.GetBoolean();
}
