using System.Diagnostics;
using Coppice.Files;

namespace Coppice.Tests.Files;

public sealed class FileSystemTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("coppice-fs-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_file_is_the_same_by_each_of_its_names()
    {
        var file = NewFile("disk", 1 << 16);
        var (hard, symbolic, folder) = ($"{_root}/hard", $"{_root}/symbolic", $"{_root}/folder");
        using (var ln = Process.Start("ln", [file, hard]))
        {
            ln.WaitForExit();
        }

        File.CreateSymbolicLink(symbolic, file);
        Directory.CreateSymbolicLink(folder, _root);
        var identity = FileSystem.Look(file)!.Identity;
        Assert.All([hard, symbolic, $"{folder}/disk", $"{_root}/./disk"], name => Assert.Equal(identity, FileSystem.Look(name)!.Identity));
        Assert.NotEqual(identity, FileSystem.Look(NewFile("other", 1 << 16))!.Identity);
    }

    [Fact]
    public void What_is_not_there_is_nothing()
    {
        File.CreateSymbolicLink($"{_root}/dangling", $"{_root}/gone");
        Assert.Null(FileSystem.Look($"{_root}/gone"));
        Assert.Null(FileSystem.Look($"{_root}/dangling"));
        Assert.Null(FileSystem.Look($"{NewFile("file", 1)}/below"));
    }

    [Fact]
    public void Holes_take_nothing()
    {
        var file = NewFile("sparse", 1 << 16);
        using (var stream = File.OpenWrite(file))
        {
            stream.SetLength(1L << 30);
        }

        Assert.InRange(FileSystem.Look(file)!.AllocatedBytes, 1 << 16, 1 << 20);
        Assert.Equal(1L << 30, FileSystem.Look(file)!.Length);
    }

    private string NewFile(string name, int length)
    {
        var path = $"{_root}/{name}";
        File.WriteAllBytes(path, [.. Enumerable.Repeat((byte)1, length)]);
        return path;
    }
}
