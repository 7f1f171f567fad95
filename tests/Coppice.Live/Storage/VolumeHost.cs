using System.Diagnostics;
using System.Text.Json;
using Coppice.Core;

namespace Coppice.Live.Storage;

/// <summary>
/// Folders for homes with memory volumes. Whatever a test mounts below them, and whatever loop device has a file of theirs, is gone once
/// it is disposed of.
/// </summary>
internal sealed class VolumeHost : IAsyncDisposable
{
    private readonly string _root;
    private readonly List<HomeFolder> _homes = [];

    public VolumeHost()
    {
        Require();
        _root = Directory.CreateTempSubdirectory("cv-").FullName;
        InMemory = Directory.CreateDirectory($"/dev/shm/{Path.GetFileName(_root)}").FullName;
    }

    /// <summary>An empty folder on a tmpfs.</summary>
    public string InMemory { get; }

    /// <summary>Skips the test, with the reason, where no volume can be made.</summary>
    public static void Require()
    {
        Assert.SkipUnless(Environment.UserName is "root", "mounting takes root");
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "there is no /dev/shm");
        foreach (var (program, package) in new[] { ("mkfs.xfs", "xfsprogs"), ("losetup", "mount") })
        {
            Assert.SkipUnless(HasProgram(program), $"{program} is missing (package {package})");
        }

        Assert.SkipUnless(File.Exists("/dev/loop-control"), "there are no loop devices here");
    }

    /// <summary>A home that does not exist yet.</summary>
    public HomeFolder NewHome()
    {
        var home = new HomeFolder($"{_root}/{_homes.Count}");
        _homes.Add(home);
        return home;
    }

    /// <summary>What the volume of a home lies in, as its record says.</summary>
    public static string FileOf(HomeFolder home) =>
        JsonDocument.Parse(File.ReadAllText(home.VolumeRecord)).RootElement.GetProperty("path").GetString()!;

    /// <summary>The loop devices that have a file.</summary>
    public static async Task<IReadOnlyList<string>> LoopsAsync(string file) =>
        [.. (await ReadAsync("losetup", "--noheadings", "--output", "NAME", "--associated", file)).Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>Runs a program that has to succeed.</summary>
    public static Task RunAsync(string program, params string[] arguments) => ReadAsync(program, arguments);

    public async ValueTask DisposeAsync()
    {
        // A volume may lie in a folder on another one: what was mounted last goes first.
        foreach (var place in (await File.ReadAllLinesAsync("/proc/self/mounts")).Select(l => l.Split(' ')[1])
            .Where(p => p.StartsWith($"{_root}/", StringComparison.Ordinal)).Reverse())
        {
            await ReadAsync("umount", place);
        }

        var files = _homes.Select(h => h.VolumeFile).Concat(_homes.Where(h => File.Exists(h.VolumeRecord)).Select(FileOf));
        foreach (var file in files.Where(File.Exists).ToArray())
        {
            foreach (var loop in await LoopsAsync(file))
            {
                await ReadAsync("losetup", "--detach", loop);
            }

            File.Delete(file);
        }

        Directory.Delete(_root, recursive: true);
        Directory.Delete(InMemory, recursive: true);
    }

    private static bool HasProgram(string name) => $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin".Split(':')
        .Any(folder => File.Exists($"{folder}/{name}"));

    private static async Task<string> ReadAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await errors}");
        return output;
    }
}
