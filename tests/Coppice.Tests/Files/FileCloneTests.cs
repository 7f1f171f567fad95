using Coppice.Files;
using Coppice.Tests.Images;

namespace Coppice.Tests.Files;

/// <summary>Files that share bytes, where a file system can. One that can is mounted by the live tests.</summary>
public sealed class FileCloneTests : IDisposable
{
    private const int Block = 64 << 10;
    private readonly TempFolder _folder = new(), _memory = TempFolder.InMemory();

    public void Dispose()
    {
        _folder.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void A_file_system_that_cannot_clone_says_so_and_writes_nothing()
    {
        Assert.SkipWhen(!Directory.Exists("/dev/shm"), "there is no /dev/shm, of which it is known that it cannot clone");
        using var source = DurableFile.OpenAt(Write(_memory, "source", 2 * Block), 0);
        using var target = DurableFile.OpenNew(_memory.File("target"));
        Assert.False(FileClone.TryRange(source, target, _memory.File("target"), Block));
        Assert.Equal(0, new FileInfo(_memory.File("target")).Length);
    }

    [Fact]
    public void Files_on_two_file_systems_share_nothing()
    {
        Assert.SkipWhen(FileSystem.AreSame(_folder.Path, _memory.Path), "there is one file system only");
        using var source = DurableFile.OpenAt(Write(_memory, "source", Block), 0);
        using var target = DurableFile.OpenNew(_folder.File("target"));
        Assert.False(FileClone.TryRange(source, target, _folder.File("target"), Block));
    }

    [Fact]
    public void What_fails_for_another_reason_is_an_error_that_names_the_file()
    {
        using var source = DurableFile.OpenAt(Write(_folder, "source", Block), 0);
        var target = DurableFile.OpenAt(Write(_folder, "target", Block), 0);
        using (target)
        {
            var error = Record.Exception(() => FileClone.TryRange(source, target, _folder.File("target"), Block));
            Assert.SkipWhen(error is null, "this file system looks whether it can before it looks whether it may");
            Assert.Equal(_folder.File("target"), Assert.IsType<FileException>(error).Path);
        }
    }

    [Fact]
    public void The_beginning_of_a_file_is_copied_where_it_cannot_be_cloned_and_holes_stay_holes()
    {
        var path = Write(_memory, "source", 4 * Block);
        using (var file = File.OpenWrite(path))
        {
            file.SetLength(64L << 20);
            file.Position = 32L << 20;
            file.Write(new byte[Block].Select(_ => (byte)2).ToArray());
        }

        using var source = DurableFile.OpenAt(path, 0);
        using var target = DurableFile.OpenNew(_memory.File("target"));
        var copied = FileCopy.CopyBeginning(source, target, _memory.File("target"), 48L << 20, TestContext.Current.CancellationToken);
        Assert.Equal((false, 5L * Block), (copied.IsClone, copied.WrittenBytes));
        Assert.Equal(File.ReadAllBytes(path)[..(48 << 20)], File.ReadAllBytes(_memory.File("target")));
        Assert.InRange(FileSystem.Look(_memory.File("target"))!.AllocatedBytes, 5 * Block, 1 << 20);
    }

    [Fact]
    public void Extents_are_counted_and_holes_are_none()
    {
        var path = _folder.File("sparse");
        using (var file = File.OpenWrite(path))
        {
            foreach (var at in new[] { 0L, 16 << 20, 48 << 20 })
            {
                file.Position = at;
                file.Write(Enumerable.Repeat((byte)1, Block).ToArray());
            }

            file.SetLength(64L << 20);
        }

        DurableFile.Flush(path);
        var extents = FileExtents.Of(path);
        Assert.SkipWhen(extents is null, "this file system does not tell where files lie");
        Assert.InRange(extents.Count, 3, 3 * Block / 4096);
        Assert.Equal((3L * Block, 3L * Block), (extents.Bytes, extents.OwnBytes));
    }

    [Fact]
    public void More_extents_than_fit_into_one_answer_are_all_counted()
    {
        const int Pieces = 1200;
        var path = _folder.File("pieces");
        using (var file = File.OpenWrite(path))
        {
            for (var i = 0; i < Pieces; i++)
            {
                file.Position = 2L * i * 4096;
                file.Write(Enumerable.Repeat((byte)1, 4096).ToArray());
            }
        }

        DurableFile.Flush(path);
        var extents = FileExtents.Of(path);
        Assert.SkipWhen(extents is null, "this file system does not tell where files lie");
        Assert.SkipWhen(extents.Bytes > Pieces * 4096L, "this file system fills small holes");
        Assert.Equal((Pieces, Pieces * 4096L), (extents.Count, extents.Bytes));
    }

    [Fact]
    public void Where_nobody_tells_nothing_is_known_and_what_is_missing_is_named()
    {
        Assert.Equal(new FileExtents(0, 0, 0), FileExtents.Of(_folder.Write("empty", [])) ?? new FileExtents(0, 0, 0));
        Assert.SkipWhen(!Directory.Exists("/dev/shm"), "there is no /dev/shm, of which it is known that it does not tell");
        Assert.Null(FileExtents.Of(Write(_memory, "source", Block)));
        Assert.True(Assert.Throws<FileException>(() => FileExtents.Of(_folder.File("gone"))).IsMissing);
    }

    private static string Write(TempFolder folder, string name, int length) =>
        folder.Write(name, [.. Enumerable.Repeat((byte)1, length)]);
}
