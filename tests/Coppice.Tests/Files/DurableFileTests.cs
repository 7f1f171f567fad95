using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Tests.Files;

public sealed class DurableFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("coppice-files-").FullName;

    private string File1 => Path.Combine(_folder, "file");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_file_is_replaced_wholly_and_is_its_owners_only()
    {
        await DurableFile.ReplaceAsync(File1, Encoding.UTF8.GetBytes("a long first text"));
        await DurableFile.ReplaceAsync(File1, "short"u8.ToArray());

        Assert.Equal("short", DurableFile.ReadTextBounded(File1, 100));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(File1));
        Assert.Equal([File1], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task A_file_that_exists_is_not_created_again()
    {
        await DurableFile.CreateAsync(File1, "first");
        var e = await Assert.ThrowsAsync<FileException>(() => DurableFile.CreateAsync(File1, "second"));

        Assert.True(e.IsTaken);
        Assert.Equal(File1, e.Path);
        Assert.Equal("first", File.ReadAllText(File1));
    }

    [Theory]
    [InlineData("Write")]
    [InlineData("Flush")]
    [InlineData("Rename")]
    public async Task A_failure_leaves_the_old_file_and_nothing_else(string act)
    {
        await DurableFile.ReplaceAsync(File1, "old"u8.ToArray());
        FileActs.Observer = (a, path) =>
        {
            if (a.ToString() == act)
            {
                throw FileException.Of(path, Errno.NoSpace);
            }
        };
        var e = await Assert.ThrowsAsync<FileException>(() => DurableFile.ReplaceAsync(File1, "new"u8.ToArray()));

        Assert.Equal("no space is left on the file system", e.Problem);
        Assert.Equal("old", File.ReadAllText(File1));
        Assert.Equal([File1], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task A_full_device_is_named()
    {
        var e = await Assert.ThrowsAsync<FileException>(() => DurableFile.ReplaceAsync("/proc/nothing", "x"u8.ToArray()));
        Assert.Equal("/proc/nothing.new", e.Path);
        var tooLong = await Assert.ThrowsAsync<FileException>(
            () => DurableFile.CreateAsync(Path.Combine(_folder, new string('x', 300)), "x"));
        Assert.Equal("the name is too long", tooLong.Problem);
    }

    [Fact]
    public async Task A_file_that_is_too_long_is_not_read()
    {
        await DurableFile.CreateAsync(File1, "12345");
        Assert.Equal(5, DurableFile.ReadBounded(File1, 5).Length);
        Assert.Throws<FileException>(() => DurableFile.ReadBounded(File1, 4));
        Assert.True(Assert.Throws<FileException>(() => DurableFile.ReadBounded(File1 + "-not", 4)).IsMissing);
    }

    [Fact]
    public async Task A_lock_is_waited_for_and_its_holder_is_known()
    {
        using var held = FileLock.TryAcquire(File1)!;
        held.Note("me");
        Assert.Null(FileLock.TryAcquire(File1));
        Assert.Equal("me", FileLock.ReadNote(File1));
        Assert.Null(await FileLock.AcquireAsync(File1, TimeSpan.FromMilliseconds(30), TimeProvider.System));

        var waiting = FileLock.AcquireAsync(File1, TimeSpan.FromSeconds(20), TimeProvider.System);
        held.Dispose();
        using var taken = await waiting;
        Assert.NotNull(taken);
    }

    [Fact]
    public void What_leads_to_a_device_is_not_removed()
    {
        File.CreateSymbolicLink(File1, "/dev/null");
        var error = Assert.Throws<FileException>(() => DurableFile.Remove(File1));
        Assert.Equal(File1, error.Path);
        Assert.Contains("devices are not removed", error.Problem, StringComparison.Ordinal);
        Assert.True(File.Exists(File1));
    }

    [Fact]
    public void A_lock_of_a_file_that_was_removed_keeps_nobody_out()
    {
        using var held = FileLock.TryAcquire(File1)!;
        File.Delete(File1);
        using var next = FileLock.TryAcquire(File1);
        Assert.NotNull(next);
    }

    /// <summary>Between fork and exec a child shares every open file, and with it the locks.</summary>
    [Fact]
    public void A_lock_that_was_let_go_is_free_though_a_forked_child_still_has_the_file()
    {
        var held = FileLock.TryAcquire(File1)!;
        var descriptor = Directory.EnumerateFileSystemEntries("/proc/self/fd").First(fd => new FileInfo(fd).LinkTarget == File1);
        var inherited = new SafeFileHandle(Duplicate(int.Parse(Path.GetFileName(descriptor), CultureInfo.InvariantCulture)), ownsHandle: true);
        held.Dispose();
        using (inherited)
        {
            using var next = FileLock.TryAcquire(File1);
            Assert.NotNull(next);
        }
    }

    [Fact]
    public void Folders_are_made_with_their_parents_for_their_owner_only()
    {
        var path = Path.Combine(_folder, "a/b");
        DurableFolder.Create(path);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        Assert.True(DurableFolder.FreeBytes(Path.Combine(path, "not/there")) > 0);
        DurableFolder.Remove(path);
        DurableFolder.Remove(path);
    }

    [Fact]
    public void What_a_crash_left_at_the_end_of_a_growing_file_is_cut_off()
    {
        using (var file = AppendFile.Create(File1))
        {
            file.Append("whole\nto"u8.ToArray());
            file.Flush();
        }

        using (var file = AppendFile.Continue(File1, 6))
        {
            file.Append("next\n"u8.ToArray());
        }

        Assert.Equal("whole\nnext\n", File.ReadAllText(File1));
    }

    [Fact]
    public void What_is_written_behind_a_position_leaves_a_hole_before_it_and_is_read_from_there()
    {
        using (var file = DurableFile.OpenNew(File1))
        {
            DurableFile.WriteAt(file, File1, "end"u8, 1 << 20);
        }

        Assert.Equal((1 << 20) + 3, new FileInfo(File1).Length);
        Assert.InRange(FileSystem.Look(File1)!.AllocatedBytes, 1, 1 << 16);
        using var end = DurableFile.OpenAt(File1, 1 << 20);
        Assert.Equal(1 << 20, Seek(end, 0, whence: 1));
        Assert.True(Assert.Throws<FileException>(() => DurableFile.OpenNew(File1)).IsTaken);
        Assert.True(Assert.Throws<FileException>(() => DurableFile.OpenAt(File1 + "-not", 0)).IsMissing);
    }

    [Fact]
    public void The_room_of_a_file_is_taken_at_once_or_not_at_all()
    {
        DurableFile.Allocate(File1, 4 << 20);
        Assert.Equal(4 << 20, new FileInfo(File1).Length);
        Assert.InRange(FileSystem.Look(File1)!.AllocatedBytes, 4 << 20, 5 << 20);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(File1));
        Assert.True(Assert.Throws<FileException>(() => DurableFile.Allocate(File1, 4096)).IsTaken);
        var full = Assert.Throws<FileException>(() => DurableFile.Allocate(File1 + "-large", 1L << 50));
        Assert.Equal((File1 + "-large", true), (full.Path, full.IsFull));
        Assert.False(File.Exists(File1 + "-large"));
    }

    [Fact]
    public void A_file_is_private_that_nobody_else_can_read_or_write()
    {
        Assert.False(FileSystem.IsPrivate(File1));
        DurableFile.Allocate(File1, 1);
        Assert.True(FileSystem.IsPrivate(File1));
        File.CreateSymbolicLink(File1 + "-link", File1);
        Assert.False(FileSystem.IsPrivate(File1 + "-link"));
        File.SetUnixFileMode(File1, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Assert.False(FileSystem.IsPrivate(File1));
        Assert.False(FileSystem.IsPrivate(_folder));
        Assert.True(Environment.UserName is "root" || !FileSystem.IsPrivate("/etc/shadow"));
    }

    [DllImport("libc", EntryPoint = "lseek")]
    private static extern long Seek(SafeFileHandle file, long offset, int whence);

    [DllImport("libc", EntryPoint = "dup")]
    private static extern int Duplicate(int descriptor);
}
