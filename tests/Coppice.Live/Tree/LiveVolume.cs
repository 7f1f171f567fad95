using Coppice.Core;
using Coppice.Live.Tree;
using Coppice.Storage;

[assembly: AssemblyFixture(typeof(LiveVolume))]

namespace Coppice.Live.Tree;

/// <summary>
/// A memory volume for the guests of all tests, mounted when the first one asks for it. Each home has a folder of it, as the user of a
/// host with XFS or btrfs would have.
/// </summary>
public sealed class LiveVolume : IAsyncDisposable
{
    private static readonly ByteCount s_size = new(3L << 30);
    private static readonly Lazy<Task<HomeFolder>> s_mounted = new(MountAsync);
    private static int s_folders;

    /// <summary>Why none can be mounted here; null if one can.</summary>
    public static string? Missing => !Environment.IsPrivilegedProcess ? "mounting a memory volume takes root"
        : !File.Exists("/sbin/mkfs.xfs") ? "xfsprogs is not installed"
        : null;

    /// <summary>Skips the test, with the reason, where none can be mounted.</summary>
    public static void Require()
    {
        LiveDomain.Require();
        Assert.SkipWhen(Missing is not null, Missing ?? "");
    }

    /// <summary>A folder on it that nobody else has; it is made by whoever uses it.</summary>
    public static async Task<string> NewFolderAsync() => $"{(await s_mounted.Value).Volume}/t{Interlocked.Increment(ref s_folders)}";

    public async ValueTask DisposeAsync()
    {
        if (s_mounted is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            var home = await s_mounted.Value;
            await RemoveAsync(home);
            Directory.Delete(home.Path, recursive: true);
        }
    }

    /// <summary>Removes the volume of a home. A process that was killed holds its RAM until the kernel has taken it down.</summary>
    internal static async Task RemoveAsync(HomeFolder home)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await new FileStorage(TimeProvider.System).RemoveVolumeAsync(home, CancellationToken.None);
                return;
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.Busy && attempt < 100)
            {
                await Task.Delay(100);
            }
        }
    }

    // In memory, so that the tests are not slower than their guests; MemoryVolumeTests have one on disk.
    private static async Task<HomeFolder> MountAsync()
    {
        var home = new HomeFolder(Directory.CreateTempSubdirectory("cv-").FullName);
        await new FileStorage(TimeProvider.System).MakeVolumeAsync(home, new NewMemoryVolume(s_size, IsVolatile: true), CancellationToken.None);
        return home;
    }
}
