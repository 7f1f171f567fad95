using System.Diagnostics;
using Coppice.Live.Cli;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Clients;

/// <summary>A display and a session bus that only programs of one test know, and a hand to use them with.</summary>
public sealed class Desktop : IAsyncDisposable
{
    private const string Python = "/usr/bin/python3";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly string[] s_programs = ["Xvfb", "xdotool", "dbus-daemon"];

    private readonly CliHome _home;
    private readonly Dictionary<string, string?> _surroundings;
    private readonly List<Process> _programs = [];

    private Desktop(CliHome home)
    {
        _home = home;
        Directory.CreateDirectory(Place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _surroundings = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = Place, ["XDG_RUNTIME_DIR"] = Place, ["XDG_CONFIG_HOME"] = null, ["XDG_DATA_HOME"] = null, ["XDG_CACHE_HOME"] = null,
            ["GSETTINGS_BACKEND"] = "memory", ["LC_ALL"] = "C.UTF-8", ["TZ"] = "UTC", ["WAYLAND_DISPLAY"] = null, ["PYTHONDONTWRITEBYTECODE"] = "1",
        };
    }

    /// <summary>Below the folder of the home, so that whatever was started here is found by where it runs.</summary>
    private string Place => Path.Combine(_home.Folder, "desktop", "here");

    /// <summary>Skips the test, with the reason, where there is no such thing.</summary>
    public static void Require()
    {
        foreach (var program in s_programs)
        {
            Assert.SkipUnless(File.Exists($"/usr/bin/{program}"), $"{program} is not installed: run build/clients");
        }

        Assert.SkipUnless(
            Directory.EnumerateFiles("/usr/lib", "Atspi-2.0.typelib", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }).Any(),
            "gir1.2-atspi-2.0 is not installed: run build/clients");
    }

    /// <summary>Starts one.</summary>
    public static async Task<Desktop> StartAsync(CliHome home)
    {
        var desktop = new Desktop(home);
        try
        {
            var display = await desktop.BeginAsync("Xvfb", "-displayfd", "1", "-screen", "0", "1100x900x24", "-nolisten", "tcp");
            desktop._surroundings["DISPLAY"] = $":{display}";
            desktop._surroundings["DBUS_SESSION_BUS_ADDRESS"] = await desktop.BeginAsync("dbus-daemon", "--session", "--nofork", "--print-address");
            return desktop;
        }
        catch
        {
            await desktop.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a program that stays until the end.</summary>
    public Process Begin(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Place, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in _surroundings)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _programs.Add(process);
        return process;
    }

    /// <summary>Has the hand do something; see hand.py.</summary>
    public async Task<string> HandAsync(params string[] arguments)
    {
        var script = Path.Combine(WitnessGuest.RepositoryRoot(), "tests/Coppice.Live/Clients/hand.py");
        using var hand = Begin(Python, [script, .. arguments]);
        var (output, errors) = (hand.StandardOutput.ReadToEndAsync(), hand.StandardError.ReadToEndAsync());
        await hand.WaitForExitAsync(TestContext.Current.CancellationToken);
        _programs.Remove(hand);
        Assert.True(hand.ExitCode == 0, $"{string.Join(' ', arguments)}: {await errors}");
        return await output;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var program in Enumerable.Reverse(_programs))
        {
            program.Kill();
            await program.WaitForExitAsync();
            program.Dispose();
        }

        // What the bus has started ends when the bus does; what does not is ended.
        var start = Stopwatch.GetTimestamp();
        while (LiveDomain.Processes(Path.GetDirectoryName(Place)!).Length > 0 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5))
        {
            await Task.Delay(50);
        }

        await LiveDomain.EndAllAsync(Path.GetDirectoryName(Place)!);
    }

    /// <summary>Starts a program that says on its first line where it is.</summary>
    private async Task<string> BeginAsync(string program, params string[] arguments)
    {
        var process = Begin(program, arguments);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(s_patience)
            ?? throw new InvalidOperationException($"{program} does not start");
    }
}
