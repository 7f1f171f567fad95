using System.Diagnostics;
using Coppice.Live.Cli;
using Coppice.Live.Tree;

namespace Coppice.Live.Clients;

/// <summary>Programs that one test starts, in a place that is their home, and all of which end with it.</summary>
public sealed class Stage : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_endPatience = TimeSpan.FromSeconds(5);

    private readonly List<Process> _programs = [];

    public Stage(CliHome home)
    {
        ArgumentNullException.ThrowIfNull(home);
        Place = Path.Combine(home.Folder, "stage", "here");
        Directory.CreateDirectory(Place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = Place,
            ["XDG_RUNTIME_DIR"] = Place,
            ["XDG_CONFIG_HOME"] = null,
            ["XDG_DATA_HOME"] = null,
            ["XDG_CACHE_HOME"] = null,
            ["LC_ALL"] = "C.UTF-8",
            ["TZ"] = "UTC",
            ["PYTHONDONTWRITEBYTECODE"] = "1",
        };
    }

    /// <summary>Below the folder of the home, so that whatever runs here is found by where it runs.</summary>
    public string Place { get; }

    /// <summary>What programs that are started from now on find in their environment.</summary>
    public Dictionary<string, string?> Variables { get; }

    /// <summary>Skips the test, with the reason, where a program is missing.</summary>
    public static void Require(params string[] programs)
    {
        foreach (var program in programs)
        {
            Assert.SkipUnless(File.Exists($"/usr/bin/{program}"), $"{program} is not installed: run build/clients");
        }
    }

    /// <summary>Starts a program that stays until the end.</summary>
    public Process Begin(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Place, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _programs.Add(process);
        return process;
    }

    /// <summary>Starts one that says on its first line where it is.</summary>
    public async Task<string> BeginAsync(string program, params string[] arguments)
    {
        var process = Begin(program, arguments);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(s_patience)
            ?? throw new InvalidOperationException($"{program} does not start");
    }

    /// <summary>Starts a session bus that only programs of this stage know, which is the system's to them too.</summary>
    public async Task BeginBusAsync()
    {
        var address = await BeginAsync("dbus-daemon", "--session", "--nofork", "--print-address");
        (Variables["DBUS_SESSION_BUS_ADDRESS"], Variables["DBUS_SYSTEM_BUS_ADDRESS"]) = (address, address);
    }

    /// <summary>Runs one to its end.</summary>
    public async Task<CommandRun> RunAsync(string program, params string[] arguments)
    {
        using var process = Begin(program, arguments);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        _programs.Remove(process);
        return new CommandRun(process.ExitCode, await output, await errors);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var program in Enumerable.Reverse(_programs))
        {
            program.Kill();
            await program.WaitForExitAsync();
            program.Dispose();
        }

        // What a bus has started ends when the bus does; what does not is ended.
        var place = Path.GetDirectoryName(Place)!;
        var start = Stopwatch.GetTimestamp();
        while (LiveDomain.Processes(place).Length > 0 && Stopwatch.GetElapsedTime(start) < s_endPatience)
        {
            await Task.Delay(50);
        }

        await LiveDomain.EndAllAsync(place);
    }
}
