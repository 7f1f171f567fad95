using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage.Volumes;

/// <summary>A file system in a file, mounted through a loop device. It takes root.</summary>
internal sealed class LoopMount(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>Makes the file, with its room taken in full, and XFS in it.</summary>
    public async Task FormatAsync(string path, long bytes, CancellationToken cancellation)
    {
        DurableFile.Remove(path);
        try
        {
            await Task.Run(() => DurableFile.Allocate(path, bytes), cancellation).ConfigureAwait(false);

            // -K: mkfs would give the room back. Reference counts are what clones are made of; reverse mapping would only cost time.
            await RunAsync("mkfs.xfs", "xfsprogs", path, ["-q", "-K", "-m", "reflink=1,rmapbt=0", "--", path], cancellation).ConfigureAwait(false);
        }
        catch
        {
            DurableFile.Remove(path);
            throw;
        }
    }

    /// <summary>Mounts it. The loop device goes when it is unmounted.</summary>
    public async Task MountAsync(string path, string folder, CancellationToken cancellation)
    {
        var device = await AttachAsync(path, cancellation).ConfigureAwait(false);
        try
        {
            await RunAsync(
                "mount", "mount", path, ["-t", "xfs", "-o", "nosuid,nodev,noexec,noatime", "--", device, folder], cancellation).ConfigureAwait(false);
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        finally
        {
            await RunAsync("losetup", "mount", path, ["--detach", device], CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Refuses a file whose mount is out of sight, yet not over: guests may have their RAM there.</summary>
    /// <exception cref="CoppiceException">It is (<see cref="ErrorKind.Busy"/>).</exception>
    public async Task RequireUnusedAsync(string path, CancellationToken cancellation)
    {
        foreach (var device in await DevicesAsync(path, cancellation).ConfigureAwait(false))
        {
            await RunAsync("losetup", "mount", path, ["--detach", device], cancellation).ConfigureAwait(false);
        }

        if ((await DevicesAsync(path, cancellation).ConfigureAwait(false)).Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.Busy, path, "is not mounted where it was, but still in use: somebody unmounted it lazily", "stop the domains that have their RAM there");
        }
    }

    /// <summary>Unmounts it.</summary>
    public Task UnmountAsync(string folder, CancellationToken cancellation) =>
        RunAsync("umount", "mount", folder, ["--", folder], cancellation);

    // Without direct I/O each page of a guest would be in the host's cache twice. A file in memory knows none.
    private async Task<string> AttachAsync(string path, CancellationToken cancellation)
    {
        var losetup = new HostProgram("losetup", "mount", time);
        // One by a command that was killed before it had mounted it goes first.
        await RequireUnusedAsync(path, cancellation).ConfigureAwait(false);
        string[] find = ["--find", "--show"];
        var direct = await losetup.RunAsync([.. find, "--direct-io=on", "--", path], s_limit, path, cancellation).ConfigureAwait(false);
        var answer = direct.Code == 0 ? direct : await losetup.RunAsync([.. find, "--", path], s_limit, path, cancellation).ConfigureAwait(false);
        return answer.Code == 0 ? answer.Output.Trim() : throw Failed("losetup", path, answer);
    }

    private async Task<string[]> DevicesAsync(string path, CancellationToken cancellation)
    {
        var answer = await new HostProgram("losetup", "mount", time).RunAsync(
            ["--noheadings", "--output", "NAME", "--associated", path], s_limit, path, cancellation).ConfigureAwait(false);
        return answer.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    private async Task RunAsync(string program, string package, string subject, string[] arguments, CancellationToken cancellation)
    {
        var answer = await new HostProgram(program, package, time).RunAsync(arguments, s_limit, subject, cancellation).ConfigureAwait(false);
        if (answer.Code != 0)
        {
            throw Failed(program, subject, answer);
        }
    }

    private static CoppiceException Failed(string program, string subject, HostProgram.Answer answer)
    {
        // What follows the first line is advice of the program.
        var reason = answer.Errors.Trim().Split('\n')[0].Trim();
        var isBusy = reason.Contains("busy", StringComparison.OrdinalIgnoreCase);
        return new CoppiceException(
            isBusy ? ErrorKind.Busy : ErrorKind.Storage, subject, $"{program} failed ({reason})",
            isBusy ? "stop the domains that have their RAM there"
            : Environment.UserName is "root" ? "see what the kernel's log says"
            : "mounting takes root: run it as root, or use a folder on XFS or btrfs (--folder)");
    }
}
