using System.Diagnostics;

namespace Coppice.Live.Cli;

/// <summary>A tmpfs with room for very little.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _path;

    private SmallDisk(string path) => _path = path;

    /// <summary>Mounts it, or gives null to those who may not.</summary>
    public static async Task<SmallDisk?> MountAsync(string path, string size)
    {
        Directory.CreateDirectory(path);
        return await RunAsync("mount", "-t", "tmpfs", "-o", $"size={size},mode=0700", "coppice-test", path) == 0 ? new SmallDisk(path) : null;
    }

    public async ValueTask DisposeAsync()
    {
        await Tree.LiveDomain.EndAllAsync(_path);

        // A process that was killed holds its folder until the kernel has taken it down.
        for (var attempt = 0; attempt < 100 && await RunAsync("umount", _path) != 0; attempt++)
        {
            await Task.Delay(100);
        }
    }

    private static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
