using System.Diagnostics;
using Coppice.Live.Cli;
using Coppice.Live.Witness;

namespace Coppice.Live.Clients;

/// <summary>A display and a session bus that only programs of one test know, and a hand to use them with.</summary>
public sealed class Desktop : IAsyncDisposable
{
    private const string Python = "/usr/bin/python3";

    private readonly Stage _stage;

    private Desktop(Stage stage) => _stage = stage;

    /// <summary>Skips the test, with the reason, where there is no such thing.</summary>
    public static void Require()
    {
        Stage.Require("Xvfb", "xdotool", "dbus-daemon");
        Assert.SkipUnless(
            Directory.EnumerateFiles("/usr/lib", "Atspi-2.0.typelib", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }).Any(),
            "gir1.2-atspi-2.0 is not installed: run build/clients");
    }

    /// <summary>Starts one.</summary>
    public static async Task<Desktop> StartAsync(CliHome home)
    {
        var stage = new Stage(home);
        try
        {
            stage.Variables["DISPLAY"] = ":" + await stage.BeginAsync("Xvfb", "-displayfd", "1", "-screen", "0", "1100x900x24", "-nolisten", "tcp");
            (stage.Variables["WAYLAND_DISPLAY"], stage.Variables["GSETTINGS_BACKEND"]) = (null, "memory");
            await stage.BeginBusAsync();
            return new Desktop(stage);
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a program that stays until the end.</summary>
    public Process Begin(string program, params string[] arguments) => _stage.Begin(program, arguments);

    /// <summary>Has the hand do something; see hand.py.</summary>
    public async Task<string> HandAsync(params string[] arguments)
    {
        var script = Path.Combine(WitnessGuest.RepositoryRoot(), "tests/Coppice.Live/Clients/hand.py");
        var run = await _stage.RunAsync(Python, [script, .. arguments]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run.Errors}");
        return run.Output;
    }

    public ValueTask DisposeAsync() => _stage.DisposeAsync();
}
