using Coppice.Images;

namespace Coppice.Tests.Images;

/// <summary>
/// Images made to read, or wait for, something of the host. The canary is a FIFO outside the allowed folders: whoever
/// opens it hangs, and the test fails by time-out. A second canary is a file whose text must not appear anywhere.
/// </summary>
public sealed class HostileImageTests : IAsyncLifetime
{
    private const string Secret = "CANARY-7f3a";
    private readonly TempFolder _folder = TempFolder.InMemory();
    private string _images = "";
    private string _fifo = "";
    private string _secret = "";

    public async ValueTask InitializeAsync()
    {
        _images = _folder.Folder("images");
        _fifo = await _folder.FifoAsync("canary.fifo");
        _secret = _folder.Write("canary.txt", System.Text.Encoding.UTF8.GetBytes(Secret + new string(' ', 4096)));
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("nbd://127.0.0.1:10809/x")]
    [InlineData("nbd:unix:/run/nbd.sock")]
    [InlineData("json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"FIFO\"}}")]
    [InlineData("blkdebug::FIFO")]
    [InlineData("file:FIFO")]
    [InlineData("fat:rw:/etc")]
    [InlineData("host_device:/dev/null")]
    [InlineData("ssh://host/x")]
    [InlineData("x:y")]
    public async Task A_protocol_is_refused(string name)
    {
        var top = Write("top.qcow2", Qcow2Bytes.Overlay(name.Replace("FIFO", _fifo, StringComparison.Ordinal), "raw"));

        await RefusedAsync(ImageFault.Forbidden, top, "protocol");
    }

    [Fact]
    public async Task A_colon_behind_a_slash_is_only_a_name()
    {
        File.WriteAllBytes(Path.Combine(_images, "a:b.raw"), new byte[512]);
        var top = Write("top.qcow2", Qcow2Bytes.Overlay("./a:b.raw", "raw"));

        Assert.Equal(2, (await Tool.InTimeAsync(() => ImageChain.Discover(top, Allowed()))).Count);
    }

    [Theory]
    [InlineData("FIFO")]
    [InlineData("SECRET")]
    [InlineData("../canary.fifo")]
    [InlineData("../images/../canary.txt")]
    [InlineData("/etc/hostname")]
    [InlineData("/dev/null")]
    [InlineData("/does/not/exist")]
    [InlineData("link-to-secret")]
    public async Task A_file_outside_is_refused_the_same_way_whether_it_exists_or_not(string name)
    {
        File.CreateSymbolicLink(Path.Combine(_images, "link-to-secret"), _secret);
        name = name.Replace("FIFO", _fifo, StringComparison.Ordinal).Replace("SECRET", _secret, StringComparison.Ordinal);
        var top = Write("top.qcow2", Qcow2Bytes.Overlay(name, "raw"));

        await RefusedAsync(ImageFault.Forbidden, top, "outside the allowed folders");
    }

    [Fact]
    public async Task A_FIFO_as_backing_file_is_refused_without_hanging_even_inside()
    {
        await _folder.FifoAsync("images/inner.fifo");

        await RefusedAsync(ImageFault.Forbidden, Write("top.qcow2", Qcow2Bytes.Overlay("inner.fifo", "raw")), "a FIFO");
    }

    [Theory]
    [InlineData("/dev/zero", "a character device")]
    [InlineData("/tmp", "a folder")]
    [InlineData("FIFO", "a FIFO")]
    public async Task What_is_not_a_regular_file_is_not_opened(string path, string because)
    {
        path = path.Replace("FIFO", _fifo, StringComparison.Ordinal);
        var image = await Assert.ThrowsAsync<ImageException>(() => Tool.InTimeAsync(() => Qcow2Image.Open(path)));
        var raw = await Assert.ThrowsAsync<ImageException>(() => Tool.InTimeAsync(
            () => ImageChain.Discover(new RecordedLayer(path, ImageFormat.Raw), new AllowedFolders("/"))));

        Assert.Contains(because, image.Message, StringComparison.Ordinal);
        Assert.Contains(because, raw.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/dev/zero", "a character device, not a block device")]
    [InlineData("/tmp", "a folder, not a block device")]
    [InlineData("FIFO", "a FIFO, not a block device")]
    [InlineData("/dev/no-such-device", "does not exist")]
    public async Task What_the_records_call_a_block_device_and_is_none_is_not_opened(string path, string because)
    {
        var device = new RecordedLayer(path.Replace("FIFO", _fifo, StringComparison.Ordinal), ImageFormat.Raw) { IsBlockDevice = true };
        var folders = new AllowedFolders("/");
        foreach (var look in new Action[] { () => ImageChain.Discover(device, folders), () => ImageChain.Check([device], folders) })
        {
            var error = await Assert.ThrowsAsync<ImageException>(() => Tool.InTimeAsync(() => { look(); return 0; }));
            Assert.Contains(because, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_external_data_file_is_refused_with_and_without_its_feature_bit()
    {
        var bare = new Qcow2Bytes().U64(72, 1 << 2);
        var both = new Qcow2Bytes().U64(72, 1 << 2).Extension(104, 0x44415441, _fifo);
        var name = new Qcow2Bytes().Extension(104, 0x44415441, _fifo);

        foreach (var image in new[] { bare, both, name })
        {
            await RefusedAsync(ImageFault.Forbidden, Write("top.qcow2", image), "external file");
        }
    }

    [Fact]
    public async Task A_VMDK_descriptor_as_backing_file_is_refused_by_its_format()
    {
        File.WriteAllText(Path.Combine(_images, "flat.vmdk"), $"# Disk DescriptorFile\nRW 8 FLAT \"{_fifo}\" 0\n");

        await RefusedAsync(ImageFault.Unsupported, Write("top.qcow2", Qcow2Bytes.Overlay("flat.vmdk", "vmdk")), "\"vmdk\"");
    }

    [Fact]
    public async Task A_raw_disk_into_which_the_guest_wrote_a_qcow2_header_stays_raw()
    {
        var content = Qcow2Bytes.Overlay(_fifo, "raw").Content;
        var path = _folder.Write("images/guest.raw", content);

        var layers = await Tool.InTimeAsync(() => ImageChain.Discover(new RecordedLayer(path, ImageFormat.Raw), Allowed()));

        Assert.Equal(new ChainLayer(path, ImageFormat.Raw, content.Length, Header: null), Assert.Single(layers));
    }

    [Fact]
    public async Task Loops_are_found()
    {
        var self = Write("self.qcow2", Qcow2Bytes.Overlay("self.qcow2"));
        var first = Write("a.qcow2", Qcow2Bytes.Overlay("b.qcow2"));
        var second = Write("b.qcow2", Qcow2Bytes.Overlay("./../images/a.qcow2"));

        await RefusedAsync(ImageFault.Loop, self, "twice", self);
        await RefusedAsync(ImageFault.Loop, first, "twice", second, first);
    }

    [Fact]
    public async Task A_loop_through_a_hard_link_or_a_symbolic_link_is_found_at_the_second_visit()
    {
        var top = Write("a.qcow2", Qcow2Bytes.Overlay("b.qcow2"));
        Tool.HardLink(top.Path, Path.Combine(_images, "b.qcow2"));
        await RefusedAsync(ImageFault.Loop, top, "twice", top with { Path = Path.Combine(_images, "b.qcow2") });

        var link = Write("c.qcow2", Qcow2Bytes.Overlay("d.qcow2"));
        File.CreateSymbolicLink(Path.Combine(_images, "d.qcow2"), "c.qcow2");
        await RefusedAsync(ImageFault.Loop, link, "twice", link);
    }

    [Fact]
    public async Task A_link_to_another_folder_makes_a_relative_backing_name_ambiguous()
    {
        // QEMU, given images/top.qcow2, would open images/base.raw; by the real path it is other/base.raw.
        var other = _folder.Folder("images/other");
        _folder.Write("images/base.raw", new byte[512]);
        _folder.Write("images/other/base.raw", new byte[512]);
        _folder.Write("images/other/real.qcow2", Qcow2Bytes.Overlay("base.raw", "raw").Content);
        var top = Path.Combine(_images, "top.qcow2");
        File.CreateSymbolicLink(top, Path.Combine(other, "real.qcow2"));

        await RefusedAsync(ImageFault.Forbidden, new RecordedLayer(top, ImageFormat.Qcow2), "ambiguous");
    }

    [Fact]
    public async Task Corruption_encryption_and_unknown_features_are_refused()
    {
        await RefusedAsync(ImageFault.Malformed, Write("t.qcow2", new Qcow2Bytes().U64(72, 1 << 1)), "marked corrupt");
        await RefusedAsync(ImageFault.Unsupported, Write("t.qcow2", new Qcow2Bytes().U32(32, 1)), "encrypted (Aes)");
        await RefusedAsync(ImageFault.Unsupported, Write("t.qcow2", new Qcow2Bytes().U32(32, 2)), "encrypted (Luks)");
        await RefusedAsync(ImageFault.Unsupported, Write("t.qcow2", new Qcow2Bytes().U64(72, 1UL << 63)), "bit 63");
    }

    [Fact]
    public async Task Metadata_bombs_are_refused_by_their_count_alone()
    {
        // Sparse files: what QEMU 7.2 accepts and then spends seconds on.
        var l1 = Write("l1.qcow2", new Qcow2Bytes().U32(36, (32 << 20) / 8));
        var snapshots = Write("snapshots.qcow2", new Qcow2Bytes().U32(60, 65536).U64(64, 1536));
        foreach (var path in new[] { l1.Path, snapshots.Path })
        {
            using var file = File.OpenWrite(path);
            file.SetLength(1L << 40);
        }

        await RefusedAsync(ImageFault.Unsupported, l1, "number of L1 entries is 4194304");
        await RefusedAsync(ImageFault.Unsupported, snapshots, "number of internal snapshots is 65536");
    }

    [Fact]
    public async Task The_secret_is_never_read_even_when_it_is_named_as_an_image()
    {
        var error = await Assert.ThrowsAsync<ImageException>(() => Tool.InTimeAsync(() => Qcow2Image.Open(_secret)));

        Assert.DoesNotContain(Secret, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_redraws_the_terminal_is_escaped_in_the_message()
    {
        var top = Write("top.qcow2", Qcow2Bytes.Overlay("/x\u001b[2J\n2026-01-01 all is well\u202e", "raw"));

        var error = await RefusedAsync(ImageFault.Forbidden, top, "/x\\u001b[2J\\u000a2026");
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.DoesNotContain('\u202e', error.Message);
    }

    /// <summary>Both operations refuse; preflight with records that agree with the header as far as they can.</summary>
    private async Task<ImageException> RefusedAsync(
        ImageFault fault, RecordedLayer top, string because, params RecordedLayer[] recordedBelow)
    {
        var discovered = await Assert.ThrowsAsync<ImageException>(() => Tool.InTimeAsync(() => ImageChain.Discover(top, Allowed())));
        Assert.True(fault == discovered.Fault, discovered.Message);
        Assert.Contains(because, discovered.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, discovered.ToString(), StringComparison.Ordinal);

        var checkedOnly = await Assert.ThrowsAsync<ImageException>(
            () => Tool.InTimeAsync(() => ImageChain.Check([top, .. recordedBelow], Allowed())));
        Assert.Contains(checkedOnly.Fault, new[] { fault, ImageFault.Mismatch });
        return discovered;
    }

    private RecordedLayer Write(string name, Qcow2Bytes image) =>
        new(_folder.Write(Path.Combine("images", name), image.Content), ImageFormat.Qcow2);

    private AllowedFolders Allowed() => new(_images);
}
