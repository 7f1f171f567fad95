using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Live.Storage;

/// <summary>
/// A block device that a file is behind. The kernel detaches it as soon as nobody has it open any more: when it is disposed of and
/// the guests on it have ended, and also if this process is killed.
/// </summary>
internal sealed class LoopDevice : IDisposable
{
    private readonly string _file;
    private readonly SafeFileHandle _held;

    private LoopDevice(string path, string file)
    {
        Path = path;
        _file = file;
        _held = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
    }

    /// <summary>Its name in /dev.</summary>
    public string Path { get; }

    /// <summary>Whether it still stands for its file.</summary>
    public bool IsAttached => Run("losetup", "--noheadings", "--output", "BACK-FILE", Path).Output.Trim() == _file;

    /// <summary>Makes one. Skips the test, with the reason, where that cannot be done.</summary>
    public static LoopDevice Attach(string file)
    {
        var (code, output, errors) = Run("losetup", "--find", "--show", file);
        Assert.SkipWhen(code != 0, $"no loop device can be made here: {errors.Trim()}");
        var device = new LoopDevice(output.Trim(), file);

        // While somebody has it open this means: later, when nobody has.
        Assert.Equal(0, Run("losetup", "--detach", device.Path).Code);
        Assert.True(device.IsAttached);
        return device;
    }

    /// <summary>Makes it larger or smaller, as its owner may.</summary>
    public void SetSize(long bytes)
    {
        using (var file = File.OpenWrite(_file))
        {
            file.SetLength(bytes);
        }

        Assert.Equal(0, Run("losetup", "--set-capacity", Path).Code);
    }

    public void Dispose() => _held.Dispose();

    private static (int Code, string Output, string Errors) Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = process.StandardOutput.ReadToEnd();
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, errors);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (-1, "", e.Message);
        }
    }
}
