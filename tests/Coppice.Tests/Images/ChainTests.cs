using Coppice.Images;

namespace Coppice.Tests.Images;

public sealed class ChainTests : IDisposable
{
    private readonly TempFolder _folder = TempFolder.InMemory();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_chain_as_recorded_passes_and_reports_real_paths_and_sizes()
    {
        var records = Chain(3);
        File.CreateSymbolicLink(_folder.File("alias.qcow2"), "l0.qcow2");
        records[0] = Qcow2("alias.qcow2");

        var layers = ImageChain.Check(records, Allowed());

        Assert.Equal([_folder.File("l0.qcow2"), _folder.File("l1.qcow2"), _folder.File("base.raw")], layers.Select(l => l.RealPath));
        Assert.Equal([8192, 8192, 1000], layers.Select(l => l.VirtualSizeBytes));
        Assert.Equal([ImageFormat.Qcow2, ImageFormat.Qcow2, ImageFormat.Raw], layers.Select(l => l.Format));
    }

    [Fact]
    public void Discovery_finds_what_preflight_accepts()
    {
        var records = Chain(5);

        Assert.Equal(ImageChain.Check(records, Allowed()), ImageChain.Discover(records[0], Allowed()));
    }

    [Fact]
    public void A_header_that_names_another_file_than_recorded_is_a_mismatch()
    {
        var records = Chain(2);
        _folder.Write("other.raw", new byte[512]);
        _folder.Write("l0.qcow2", Qcow2Bytes.Overlay("other.raw", "raw").Content);

        Refused(ImageFault.Mismatch, () => ImageChain.Check(records, Allowed()), "is not the recorded");
    }

    [Fact]
    public void A_header_that_names_a_parent_where_none_is_recorded_is_a_mismatch_and_the_reverse_too()
    {
        var records = Chain(2);
        Refused(ImageFault.Mismatch, () => ImageChain.Check(records[..1], Allowed()), "names the backing file");

        _folder.Write("l0.qcow2", new Qcow2Bytes().Content);
        Refused(ImageFault.Mismatch, () => ImageChain.Check(records, Allowed()), "names no backing file");
    }

    [Fact]
    public void A_raw_layer_above_another_is_a_mismatch()
    {
        var records = Chain(2);
        RecordedLayer[] reversed = [records[1], records[0]];

        Refused(ImageFault.Mismatch, () => ImageChain.Check(reversed, Allowed()), "names no backing file");
    }

    [Fact]
    public void A_format_other_than_recorded_is_a_mismatch()
    {
        var records = Chain(2);
        _folder.Write("l0.qcow2", Qcow2Bytes.Overlay("base.raw", "qcow2").Content);

        Refused(ImageFault.Mismatch, () => ImageChain.Check(records, Allowed()), "recorded as raw");
    }

    [Fact]
    public void An_unstated_format_passes_only_if_it_was_declared()
    {
        var records = Chain(2);
        _folder.Write("l0.qcow2", Qcow2Bytes.Overlay("base.raw", format: null).Content);

        Refused(ImageFault.Unsupported, () => ImageChain.Check(records, Allowed()), "does not state the format");
        Refused(ImageFault.Unsupported, () => ImageChain.Discover(records[0], Allowed()), "does not state the format");

        Assert.Equal(2, ImageChain.Check([records[0] with { ParentFormatDeclared = true }, records[1]], Allowed()).Count);
        Assert.Equal(2, ImageChain.Discover(records[0], Allowed(), [records[1]]).Count);
    }

    [Fact]
    public void A_declared_format_does_not_overrule_the_header()
    {
        var records = Chain(2);
        RecordedLayer wrong = new(records[1].Path, ImageFormat.Qcow2);

        Refused(ImageFault.Mismatch, () => ImageChain.Discover(records[0], Allowed(), [wrong]), "recorded as qcow2");
    }

    [Fact]
    public void A_declared_file_is_allowed_wherever_it_lies()
    {
        using TempFolder elsewhere = new();
        var path = elsewhere.Write("base.raw", new byte[4096]);
        _folder.Write("top.qcow2", Qcow2Bytes.Overlay(path, "raw").Content);

        Refused(ImageFault.Forbidden, () => ImageChain.Discover(Qcow2("top.qcow2"), Allowed()), "outside the allowed folders");
        Assert.Equal(2, ImageChain.Discover(Qcow2("top.qcow2"), Allowed(), [new RecordedLayer(path, ImageFormat.Raw)]).Count);
    }

    [Fact]
    public void Sixty_four_layers_pass_and_sixty_five_are_refused_by_name()
    {
        var records = Chain(65);
        Assert.Equal(64, ImageChain.Check(records[1..], Allowed()).Count);
        Assert.Equal(64, ImageChain.Discover(records[1], Allowed()).Count);

        Refused(ImageFault.TooDeep, () => ImageChain.Check(records, Allowed()), "l0.qcow2");
        Refused(ImageFault.TooDeep, () => ImageChain.Discover(records[0], Allowed()), "l0.qcow2");
    }

    [Fact]
    public void A_missing_backing_file_is_named_together_with_the_image_that_needs_it()
    {
        var records = Chain(2);
        File.Delete(records[1].Path);

        var error = Refused(ImageFault.Missing, () => ImageChain.Discover(records[0], Allowed()), "base.raw");
        Assert.Equal(records[0].Path, error.Path);
    }

    [Fact]
    public void A_folder_whose_name_only_begins_like_an_allowed_one_is_outside()
    {
        var allowed = new AllowedFolders(_folder.Folder("images"));
        _folder.Folder("images-secret");
        var path = _folder.Write("images-secret/a.raw", new byte[512]);

        Refused(ImageFault.Forbidden, () => ImageChain.Check([new RecordedLayer(path, ImageFormat.Raw)], allowed), "outside");
    }

    [Fact]
    public void An_allowed_folder_given_by_a_link_allows_what_it_leads_to()
    {
        var records = Chain(2);
        using TempFolder elsewhere = new();
        Directory.CreateSymbolicLink(elsewhere.File("link"), _folder.Path);
        RecordedLayer throughLink = new(elsewhere.File("link/l0.qcow2"), ImageFormat.Qcow2);

        var layers = ImageChain.Discover(throughLink, new AllowedFolders(elsewhere.File("link")));

        Assert.Equal(records.Select(r => r.Path), layers.Select(l => l.RealPath));
    }

    [Fact]
    public void A_pinned_file_is_read_as_it_was_checked_whatever_its_name_is_swapped_for()
    {
        var path = _folder.Write("a", [1, 2, 3]);
        using var pinned = PinnedFile.Open(path);
        File.Move(path, _folder.File("moved"));
        _folder.Write("a", [9]);

        using var stream = pinned.OpenRead();

        Assert.Equal((3L, 1), (stream.Length, stream.ReadByte()));
    }

    [Fact]
    public void Hard_links_are_counted_since_a_shared_file_must_not_be_written()
    {
        var path = _folder.Write("a", [1, 2, 3]);
        using (var alone = PinnedFile.Open(path))
        {
            Assert.Equal((1, 3L), (alone.HardLinks, alone.LengthBytes));
        }

        Tool.HardLink(path, _folder.File("b"));
        using var first = PinnedFile.Open(path);
        using var second = PinnedFile.Open(_folder.File("b"));
        Assert.Equal(2, first.HardLinks);
        Assert.Equal(first.Identity, second.Identity);
    }

    private RecordedLayer[] Chain(int layers)
    {
        for (var index = 0; index < layers - 1; index++)
        {
            var last = index == layers - 2;
            var image = last ? Qcow2Bytes.Overlay("base.raw", "raw") : Qcow2Bytes.Overlay($"l{index + 1}.qcow2");
            _folder.Write($"l{index}.qcow2", image.Content);
        }

        RecordedLayer raw = new(_folder.Write("base.raw", new byte[1000]), ImageFormat.Raw);
        return [.. Enumerable.Range(0, layers - 1).Select(index => Qcow2($"l{index}.qcow2")), raw];
    }

    private RecordedLayer Qcow2(string name) => new(_folder.File(name), ImageFormat.Qcow2);

    private AllowedFolders Allowed() => new(_folder.Path);

    private static ImageException Refused(ImageFault fault, Action act, string because)
    {
        var error = Assert.Throws<ImageException>(act);
        Assert.True(fault == error.Fault, error.Message);
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        return error;
    }
}
