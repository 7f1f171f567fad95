using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Coppice.Tests.Images;

/// <summary>Programs that the tests compare with.</summary>
internal static class Tool
{
    public const string NoQemuImg = "qemu-img and qemu-io are not installed: nothing to compare with";

    public static bool HasQemuImg { get; } = Exists("qemu-img") && Exists("qemu-io");

    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var cancel = TestContext.Current.CancellationToken;
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var error = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {await output}{await error}");
    }

    public static async Task<JsonElement> JsonAsync(string program, params string[] arguments) =>
        JsonDocument.Parse(await RunAsync(program, arguments)).RootElement;

    /// <summary>Fails instead of hanging: an opened FIFO never returns.</summary>
    public static Task<T> InTimeAsync<T>(Func<T> act) =>
        Task.Run(act).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    public static void HardLink(string existing, string name)
    {
        if (link(existing, name) != 0)
        {
            throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
        }
    }

    public static bool Exists(string program) => Environment.GetEnvironmentVariable("PATH")!.Split(':')
        .Any(folder => File.Exists(Path.Combine(folder, program)));

#pragma warning disable SYSLIB1054, CA2101 // A test project needs no generated marshalling.
    [DllImport("libc", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int link([MarshalAs(UnmanagedType.LPUTF8Str)] string existing, [MarshalAs(UnmanagedType.LPUTF8Str)] string name);
#pragma warning restore SYSLIB1054, CA2101
}
