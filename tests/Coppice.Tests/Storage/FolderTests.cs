using Coppice.Core;
using Coppice.Files;
using Coppice.Storage;

namespace Coppice.Tests.Storage;

/// <summary>Folders that were made beside an image go with the last layer in them, and no others do.</summary>
public sealed class FolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("coppice-folders-").FullName;
    private readonly FileStorage _storage = new(TimeProvider.System);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Removing_the_last_layer_removes_the_folders_made_for_it()
    {
        var beside = $"{_root}/coppice-{Guid.NewGuid()}";
        var (first, second, other) = (NewFile($"{beside}/vda/1"), NewFile($"{beside}/vda/2"), NewFile($"{beside}/vdb/1"));
        await RemoveAsync(first);
        Assert.True(Directory.Exists($"{beside}/vda"));
        await RemoveAsync(second);
        Assert.False(Directory.Exists($"{beside}/vda"));
        await RemoveAsync(other);
        await RemoveAsync(other);
        Assert.False(Directory.Exists(beside));
        Assert.True(Directory.Exists(_root));
    }

    [Theory]
    [InlineData("images/vda")]
    [InlineData("coppice-mine/vda")]
    [InlineData("coppice-00000000-0000-0000-0000-000000000001")]
    public async Task A_folder_that_was_not_made_for_a_layer_stays(string folder)
    {
        await RemoveAsync(NewFile($"{_root}/{folder}/1"));
        Assert.True(Directory.Exists($"{_root}/{folder}"));
    }

    [Fact]
    public async Task Taking_back_a_layer_removes_the_folders_too()
    {
        var beside = $"{_root}/coppice-{Guid.NewGuid()}";
        Directory.CreateDirectory($"{beside}/vda");
        var layer = new Layer
        {
            Id = new ShortId("0000000a"), Disk = "vda", Path = $"{beside}/vda/1", Format = ImageFormat.Qcow2,
            VirtualSize = new ByteCount(1 << 20), Origin = LayerOrigin.Coppice,
        };
        await _storage.UndoAsync(_storage.CreateOverlay(layer, layer with { Path = $"{_root}/base" }), Context, default);
        Assert.False(Directory.Exists(beside));
    }

    [Theory]
    [InlineData(Errno.Access)]
    [InlineData(Errno.ReadOnly)]
    [InlineData(Errno.NotEmpty)]
    public async Task A_folder_that_may_not_be_removed_stays_and_the_layer_goes_all_the_same(int errno)
    {
        var layer = NewFile($"{_root}/coppice-{Guid.NewGuid()}/vda/1");
        FileActs.Observer = (act, path) =>
        {
            if (act is FileAct.Remove && path != layer)
            {
                throw FileException.Of(path, errno);
            }
        };
        await RemoveAsync(layer);
        Assert.False(File.Exists(layer));
        Assert.True(Directory.Exists(Path.GetDirectoryName(layer)));
    }

    [Theory]
    [InlineData(Errno.ReadOnly)]
    [InlineData(Errno.Io)]
    [InlineData(Errno.NotConnected)]
    [InlineData(Errno.Access)]
    public async Task What_was_made_elsewhere_and_cannot_be_removed_any_more_is_told_and_left(int errno)
    {
        var (left, stick) = (new List<string>(), $"{_root}/stick");
        var context = Context with { Leave = left.Add };
        NewFile($"{stick}/x/file");
        await File.WriteAllTextAsync($"{stick}/x/text", "text", TestContext.Current.CancellationToken);
        Step[] steps =
        [
            _storage.MakeFolder($"{stick}/x"), _storage.CopyFile(new FileToCopy($"{_root}/a", $"{stick}/x/file", default)),
            _storage.WriteFile($"{stick}/x/text", "text"),
        ];
        FileActs.Observer = (act, path) =>
        {
            if (act is FileAct.Remove)
            {
                throw FileException.Of(path, errno);
            }
        };
        foreach (var step in steps)
        {
            await _storage.UndoAsync(step, context, default);
        }

        Assert.Equal(3, left.Count);
        Assert.All(left, l => Assert.Contains("remove it yourself", l, StringComparison.Ordinal));

        // In the domain's own folder nothing is given up.
        var own = _storage.CopyFile(new FileToCopy($"{_root}/a", $"{context.Folder.Path}/file", default));
        await Assert.ThrowsAsync<FileException>(() => _storage.UndoAsync(own, context, default));
    }

    [Fact]
    public async Task A_place_that_was_pulled_out_holds_nothing_up()
    {
        var place = $"{_root}/stick/x";
        await _storage.UndoAsync(_storage.CopyFile(new FileToCopy($"{_root}/a", $"{place}/file", default)), Context, default);
        await _storage.UndoAsync(_storage.MakeFolder(place), Context, default);
        Assert.False(Directory.Exists($"{_root}/stick"));
    }

    private StepContext Context => new(
        new HomeFolder(_root).Domain(new DomainId(Guid.Empty)), new ShortId("0badcafe"), new Progress<StepProgress>());

    private Task<StepReport> RemoveAsync(string path) => _storage.ApplyAsync(_storage.Remove(path, default), Context, default);

    private static string NewFile(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
        return path;
    }
}
