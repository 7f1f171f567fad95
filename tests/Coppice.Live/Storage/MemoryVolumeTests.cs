using Coppice.Core;
using Coppice.Files;
using Coppice.Storage;

namespace Coppice.Live.Storage;

/// <summary>Memory volumes on real file systems. It takes root to mount one.</summary>
public sealed class MemoryVolumeTests : IAsyncDisposable
{
    private const long Smallest = 300L << 20, Block = 64 << 10;
    private static readonly Guid s_domain = new(1, 0, 0, new byte[8]);
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly VolumeHost _host = new();
    private readonly FileStorage _storage = new(TimeProvider.System);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task All_of_its_room_is_taken_when_it_is_made_and_it_is_its_owners_only()
    {
        var home = _host.NewHome();
        Assert.Null(await _storage.ObserveVolumeAsync(home, Cancellation));
        await MakeAsync(home);
        Assert.InRange(FileSystem.Look(home.VolumeFile)!.AllocatedBytes, Smallest, Smallest + (1 << 20));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(home.VolumeFile));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(home.Volume));
        Assert.False(FileSystem.AreSame(home.Path, home.Volume));
        var volume = (await _storage.ObserveVolumeAsync(home, Cancellation))!;
        Assert.Equal((home.Volume, false), (volume.Folder, volume.IsVolatile));
        Assert.InRange(volume.Capacity.Bytes, Smallest / 2, Smallest);
        Assert.InRange(volume.Free.Bytes, volume.Capacity.Bytes / 2, volume.Capacity.Bytes);
        Assert.Empty(volume.Rams);
    }

    [Fact]
    public async Task One_that_is_too_small_is_refused_and_so_is_a_second_one()
    {
        var home = _host.NewHome();
        var small = await FailAsync(() => _storage.MakeVolumeAsync(home, new NewMemoryVolume(new ByteCount(Smallest - 1)), Cancellation));
        Assert.Equal(ErrorKind.InvalidInput, small.Kind);
        Assert.Contains("300 MiB", small.NextStep, StringComparison.Ordinal);
        Assert.False(File.Exists(home.VolumeFile));
        await MakeAsync(home);
        var second = await FailAsync(() => MakeAsync(home));
        Assert.Equal(ErrorKind.AlreadyExists, second.Kind);
        Assert.Contains("pool delete-memory", second.NextStep, StringComparison.Ordinal);
        Assert.NotNull(await _storage.ObserveVolumeAsync(home, Cancellation));
    }

    [Fact]
    public async Task One_for_which_there_is_no_room_leaves_nothing()
    {
        var home = _host.NewHome();
        var error = await Assert.ThrowsAnyAsync<Exception>(
            () => _storage.MakeVolumeAsync(home, new NewMemoryVolume(new ByteCount(1L << 50)), Cancellation));
        Assert.Contains("volume.xfs", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(home.VolumeFile));
        Assert.False(File.Exists(home.VolumeRecord));
        await MakeAsync(home);
    }

    [Fact]
    public async Task After_a_restart_of_the_host_it_is_mounted_again_with_what_it_held()
    {
        var home = _host.NewHome();
        await _storage.MountVolumeAsync(home, Cancellation);
        await MakeAsync(home);
        await File.WriteAllTextAsync($"{home.Volume}/kept", "kept", Cancellation);
        await VolumeHost.RunAsync("umount", home.Volume);
        Assert.Null(await _storage.ObserveVolumeAsync(home, Cancellation));
        await _storage.MountVolumeAsync(home, Cancellation);
        await _storage.MountVolumeAsync(home, Cancellation);
        Assert.Equal("kept", await File.ReadAllTextAsync($"{home.Volume}/kept", Cancellation));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(home.Volume));
        Assert.Single(await VolumeHost.LoopsAsync(home.VolumeFile));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_volatile_one_is_empty_after_a_restart_whatever_somebody_put_there(bool isForged)
    {
        var home = _host.NewHome();
        await MakeAsync(home, isVolatile: true);
        Assert.True((await _storage.ObserveVolumeAsync(home, Cancellation))!.IsVolatile);
        Assert.False(File.Exists(home.VolumeFile));
        var file = VolumeHost.FileOf(home);
        Assert.StartsWith("/dev/shm/", file, StringComparison.Ordinal);
        await File.WriteAllTextAsync($"{home.Volume}/kept", "kept", Cancellation);
        await VolumeHost.RunAsync("umount", home.Volume);
        if (isForged)
        {
            await VolumeHost.RunAsync("chown", "nobody", file);
        }
        else
        {
            File.Delete(file);
        }

        await _storage.MountVolumeAsync(home, Cancellation);
        Assert.Empty(Directory.GetFileSystemEntries(home.Volume));
        Assert.True(FileSystem.IsPrivate(file));
        await _storage.RemoveVolumeAsync(home, Cancellation);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task What_was_half_made_when_somebody_was_killed_is_made_anew()
    {
        var home = _host.NewHome();
        DurableFolder.Create(home.Path);
        await File.WriteAllTextAsync(home.VolumeFile, "half", Cancellation);
        await _storage.MountVolumeAsync(home, Cancellation);
        Assert.Null(await _storage.ObserveVolumeAsync(home, Cancellation));
        await MakeAsync(home);
        Assert.NotNull(await _storage.ObserveVolumeAsync(home, Cancellation));

        await VolumeHost.RunAsync("umount", home.Volume);
        await VolumeHost.RunAsync("losetup", "--find", home.VolumeFile);
        await _storage.MountVolumeAsync(home, Cancellation);
        Assert.Single(await VolumeHost.LoopsAsync(home.VolumeFile));
        await _storage.RemoveVolumeAsync(home, Cancellation);
        Assert.Empty(Directory.GetFiles(home.Path, "*.xfs"));
    }

    [Fact]
    public async Task A_folder_of_a_file_system_that_clones_will_do_and_of_another_one_not()
    {
        var (host, home) = (_host.NewHome(), _host.NewHome());
        await MakeAsync(host);
        var folder = $"{host.Volume}/for-another-home";
        await _storage.MakeVolumeAsync(home, new NewMemoryVolume(null, Folder: folder), Cancellation);
        var volume = (await _storage.ObserveVolumeAsync(home, Cancellation))!;
        Assert.Equal((home.Volume, false), (volume.Folder, volume.IsVolatile));
        await WriteAsync($"{home.Volume}/{s_domain}/00000001.ram", 4);
        Assert.True(File.Exists($"{folder}/{s_domain}/00000001.ram"));
        Assert.Single((await _storage.ObserveVolumeAsync(home, Cancellation))!.Rams);

        File.Delete(home.Volume);
        Assert.Null(await _storage.ObserveVolumeAsync(home, Cancellation));
        await _storage.MountVolumeAsync(home, Cancellation);
        Assert.Single((await _storage.ObserveVolumeAsync(home, Cancellation))!.Rams);

        // As where the file system that the folder is on was not mounted.
        Directory.Move(folder, $"{folder}-elsewhere");
        Directory.CreateDirectory(folder);
        Assert.Null(await _storage.ObserveVolumeAsync(home, Cancellation));
        var unmounted = await FailAsync(() => _storage.MountVolumeAsync(home, Cancellation));
        Assert.Contains("mount the file system", unmounted.NextStep, StringComparison.Ordinal);
        Directory.Delete(folder);
        Directory.Move($"{folder}-elsewhere", folder);

        await _storage.RemoveVolumeAsync(home, Cancellation);
        Assert.False(Path.Exists(home.Volume) || Path.Exists(folder));
        await _storage.MakeVolumeAsync(home, new NewMemoryVolume(null, Folder: folder), Cancellation);

        var full = await FailAsync(() => _storage.MakeVolumeAsync(_host.NewHome(), new NewMemoryVolume(null, Folder: host.Volume), Cancellation));
        Assert.Equal(ErrorKind.AlreadyExists, full.Kind);
        var other = _host.NewHome();
        var refused = await FailAsync(() => _storage.MakeVolumeAsync(other, new NewMemoryVolume(null, Folder: $"{_host.InMemory}/new"), Cancellation));
        Assert.Equal(ErrorKind.MissingCapability, refused.Kind);
        Assert.Contains("cannot clone files", refused.Problem, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_host.InMemory));
        Assert.False(File.Exists(other.VolumeRecord));
    }

    [Fact]
    public async Task Removed_it_leaves_nothing_and_while_a_file_there_is_open_it_stays_as_it_is()
    {
        var home = _host.NewHome();
        await MakeAsync(home);
        await using (var file = File.Create($"{home.Volume}/open"))
        {
            var busy = await FailAsync(() => _storage.RemoveVolumeAsync(home, Cancellation));
            Assert.Equal(ErrorKind.Busy, busy.Kind);
            file.WriteByte(1);
        }

        Assert.NotNull(await _storage.ObserveVolumeAsync(home, Cancellation));
        Assert.True(File.Exists($"{home.Volume}/open"));
        await _storage.RemoveVolumeAsync(home, Cancellation);
        await _storage.RemoveVolumeAsync(home, Cancellation);
        Assert.Equal([home.VolumeLock], Directory.GetFileSystemEntries(home.Path));
        Assert.Empty(await VolumeHost.LoopsAsync(home.VolumeFile));
        await MakeAsync(home);
    }

    [Fact]
    public async Task Room_that_was_claimed_is_nobody_elses_until_it_is_given_back()
    {
        var home = _host.NewHome();
        await MakeAsync(home);
        var context = new StepContext(home.Domain(new DomainId(s_domain)), new ShortId("0badcafe"), new Progress<StepProgress>());
        var free = (await _storage.ObserveVolumeAsync(home, Cancellation))!.Free.Bytes;
        var (ram, next) = (context.Folder.Ram(new ShortId("00000001")), context.Folder.Ram(new ShortId("00000002")));
        var most = _storage.ClaimRoom(new RoomClaim(ram, new ByteCount((free / 2) & ~4095), IsClone: false, null));
        var more = _storage.ClaimRoom(new RoomClaim(next, new ByteCount((free / 2) & ~4095), IsClone: false, null));
        await _storage.ApplyAsync(most, context, Cancellation);
        Assert.Equal(StepOutcome.Done, await _storage.ProbeAsync(most, context, Cancellation));
        Assert.Equal((free / 2) & ~4095, (await _storage.ObserveVolumeAsync(home, Cancellation))!.Promised().Bytes);
        var refused = await FailAsync(() => _storage.ApplyAsync(more, context, Cancellation));
        Assert.Contains("another command was first", refused.Problem, StringComparison.Ordinal);
        Assert.False(File.Exists(next));

        // What is being cloned is its guest's own no more, whoever asks.
        await WriteAsync(ram, 16);
        var clone = _storage.ClaimRoom(new RoomClaim(ram, new ByteCount(1 << 20), IsClone: true, null));
        await _storage.ApplyAsync(clone, context, Cancellation);
        Assert.Equal(0, (await _storage.ObserveVolumeAsync(home, Cancellation))!.Rams[ram].Own.Bytes);
        await _storage.UndoAsync(clone, context, Cancellation);
        await _storage.UndoAsync(clone, context, Cancellation);
        Assert.Equal(16 * Block, (await _storage.ObserveVolumeAsync(home, Cancellation))!.Rams[ram].Own.Bytes);
        await _storage.UndoAsync(most, context, Cancellation);
        await _storage.ApplyAsync(more, context, Cancellation);
        Assert.Equal(StepOutcome.NotDone, await _storage.ProbeAsync(most, context, Cancellation));
    }

    [Fact]
    public async Task RAM_is_listed_with_what_of_it_is_its_own_before_and_after_a_clone()
    {
        var home = _host.NewHome();
        await MakeAsync(home);
        var ram = $"{home.Volume}/{s_domain}/00000001.ram";
        await WriteAsync(ram, 16);
        await WriteAsync($"{home.Volume}/{s_domain}/00000001.mem", 1);
        using (var file = File.OpenHandle(ram, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.SetLength(file, 64 * Block);
        }

        Assert.Equal((64 * Block, 16 * Block), await SizesAsync());
        using (var source = DurableFile.OpenAt(ram, 0))
        using (var target = DurableFile.OpenNew($"{home.Volume}/{s_domain}/00000002.mem"))
        {
            Assert.True(FileClone.TryRange(source, target, $"{home.Volume}/{s_domain}/00000002.mem", 64 * Block));
        }

        Assert.Equal((64 * Block, 0), await SizesAsync());
        using (var file = File.OpenHandle(ram, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.Write(file, new byte[Block], 4 * Block);
            RandomAccess.FlushToDisk(file);
        }

        Assert.Equal((64 * Block, Block), await SizesAsync());
        Assert.InRange((await RamAsync()).Extents, 3, 4);
        Assert.Equal(Enumerable.Repeat((byte)1, (int)Block), File.ReadAllBytes($"{home.Volume}/{s_domain}/00000002.mem")[(4 * (int)Block)..(5 * (int)Block)]);

        async Task<RamFile> RamAsync() => Assert.Single((await _storage.ObserveVolumeAsync(home, Cancellation))!.Rams, r => r.Key == ram).Value;
        async Task<(long, long)> SizesAsync() => await RamAsync() is var found ? (found.Size.Bytes, found.Own.Bytes) : default;
    }

    private Task MakeAsync(HomeFolder home, bool isVolatile = false) =>
        _storage.MakeVolumeAsync(home, new NewMemoryVolume(new ByteCount(Smallest), isVolatile), Cancellation);

    private static Task<CoppiceException> FailAsync(Func<Task> act) => Assert.ThrowsAsync<CoppiceException>(act);

    private static async Task WriteAsync(string path, int blocks)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllBytesAsync(path, [.. Enumerable.Repeat((byte)1, blocks * (int)Block)], Cancellation);
        DurableFile.Flush(path);
    }
}
