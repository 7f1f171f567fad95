using Coppice.Bench.Host;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Tree;

namespace Coppice.Bench.Guests;

/// <summary>A home of its own with its memory volume. When it is disposed of nothing of it is left, guests included.</summary>
internal sealed class BenchHome : IAsyncDisposable
{
    private static int s_homes;
    private readonly string _btrfs;

    private BenchHome(string path)
    {
        Path = path;
        _btrfs = $"{path}-btrfs";
        Home = LiveDomain.Open(path);
    }

    public string Path { get; }

    public Home Home { get; }

    /// <summary>How the tables name it.</summary>
    public static string Subject(MemoryPlace place) => place switch
    {
        MemoryPlace.Xfs => "coppice, XFS",
        MemoryPlace.Volatile => "coppice, volatile",
        MemoryPlace.Btrfs => "coppice, btrfs",
        _ => "coppice, no volume",
    };

    /// <param name="settings">Where.</param>
    /// <param name="place">Which kind.</param>
    /// <param name="bytes">How large the memory volume is.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<BenchHome> MakeAsync(Settings settings, MemoryPlace place, long bytes, CancellationToken cancellation)
    {
        var home = new BenchHome($"{settings.Work}/h{Interlocked.Increment(ref s_homes)}");
        try
        {
            Directory.CreateDirectory(home.Path);
            switch (place)
            {
                case MemoryPlace.Xfs or MemoryPlace.Volatile:
                    await home.Home.MakeVolumeAsync(new NewMemoryVolume(new ByteCount(bytes), place is MemoryPlace.Volatile), cancellation);
                    break;
                case MemoryPlace.Btrfs:
                    await home.MountBtrfsAsync(bytes, cancellation);
                    await home.Home.MakeVolumeAsync(new NewMemoryVolume(null, Folder: $"{home._btrfs}/ram"), cancellation);
                    break;
            }

            return home;
        }
        catch
        {
            await home.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await LiveDomain.EndAllAsync(Path);
        var folder = new HomeFolder(Path);
        if (File.Exists(folder.VolumeRecord))
        {
            await LiveVolume.RemoveAsync(folder);
        }

        if (Directory.Exists(_btrfs))
        {
            await UnmountAsync();
            Directory.Delete(_btrfs);
        }

        File.Delete($"{_btrfs}.file");
        Directory.Delete(Path, recursive: true);
    }

    /// <summary>A process that was killed holds its RAM until the kernel has taken it down.</summary>
    private async Task UnmountAsync()
    {
        for (var attempt = 0; await HostCommand.TryReadAsync("findmnt", "--mountpoint", _btrfs) != ""; attempt++)
        {
            if (attempt == 100)
            {
                throw new InvalidOperationException($"{_btrfs} cannot be unmounted: something uses it");
            }

            if (attempt > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }

            await HostCommand.TryReadAsync("umount", _btrfs);
        }
    }

    // As a volume of Coppice: its room taken, and no page in the host's cache twice.
    private async Task MountBtrfsAsync(long bytes, CancellationToken cancellation)
    {
        var file = $"{_btrfs}.file";
        Directory.CreateDirectory(_btrfs);
        await HostCommand.RunAsync("fallocate", ["--length", $"{bytes}", file], cancellation);
        await HostCommand.RunAsync("mkfs.btrfs", ["--quiet", "--nodiscard", file], cancellation);
        var loop = (await HostCommand.RunAsync("losetup", ["--find", "--show", "--direct-io=on", file], cancellation)).Output.Trim();
        try
        {
            await HostCommand.RunAsync("mount", ["-o", "noatime", loop, _btrfs], cancellation);
        }
        finally
        {
            // The kernel keeps it as long as it is mounted.
            await HostCommand.RunAsync("losetup", ["--detach", loop], CancellationToken.None);
        }
    }
}
