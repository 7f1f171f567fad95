using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Coppice.Live.Cli;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Clients;

/// <summary>A home of its own that <c>coppice serve</c> shows to libvirt's clients.</summary>
public sealed class ServedHome : IAsyncDisposable
{
    private const string Devices = $"""
        <serial type='pty'><target port='0'/></serial>
        <channel type='unix'><target type='virtio' name='{WitnessGuest.PortName}'/></channel>
        """;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20), s_bootPatience = TimeSpan.FromSeconds(120);

    private readonly Process _server;
    private Task<string> _log = Task.FromResult("");

    private ServedHome(CliHome home, Process server) => (Home, _server) = (home, server);

    public CliHome Home { get; }

    public int ServerId => _server.Id;

    public string Socket => SocketIn(Home);

    /// <summary>What clients connect to.</summary>
    public string Uri => $"qemu+unix:///system?socket={Socket}";

    /// <summary>The same without naming the transport: to virt-manager the host is its own then, and it shows screens.</summary>
    public string LocalUri => $"qemu:///system?socket={Socket}";

    /// <summary>Starts it.</summary>
    public static async Task<ServedHome> StartAsync()
    {
        var home = new CliHome();
        var served = new ServedHome(home, home.Begin("serve", "--socket", SocketIn(home)));
        try
        {
            Assert.Equal("ready", await served._server.StandardError.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(s_patience));
            served._log = served._server.StandardError.ReadToEndAsync(CancellationToken.None);
            return served;
        }
        catch
        {
            await served.DisposeAsync();
            throw;
        }
    }

    /// <summary>Defines a domain that boots into nothing, with whatever else is given.</summary>
    public async Task DefineAsync(string name, string more = "")
    {
        var document = CliHome.Xml(name, await Home.ImageAsync($"{name}.qcow2")).Replace("</devices>", more + "</devices>", StringComparison.Ordinal);
        await Home.DoAsync("define", Home.Write($"{name}.xml", document));
    }

    /// <summary>Defines the witness guest, with a console and whatever else is given, starts it and waits until it has booted.</summary>
    public async Task BootWitnessAsync(string name, string more = "")
    {
        var document = CliHome.Xml(name, await Home.ImageAsync($"{name}.qcow2"))
            .Replace("<memory unit='MiB'>32</memory>", "<memory unit='MiB'>144</memory>", StringComparison.Ordinal)
            .Replace(
                "</os>",
                $"<kernel>{WitnessGuest.KernelPath}</kernel><initrd>{WitnessGuest.InitrdPath}</initrd><cmdline>{KernelCommandLine}</cmdline></os>",
                StringComparison.Ordinal)
            .Replace("</devices>", Devices + more + "</devices>", StringComparison.Ordinal);
        await Home.DoAsync("define", Home.Write($"{name}.xml", document));
        await Home.DoAsync("start", name);
        var view = await LiveDomain.Open(Home.Home).ShowAsync(name, TestContext.Current.CancellationToken);
        await using var witness = await WitnessClient.ConnectAsync(
            new FileInfo($"{view.Folder.Endpoints}/{WitnessGuest.PortName}").LinkTarget!, s_bootPatience, TimeProvider.System,
            TestContext.Current.CancellationToken);
    }

    /// <summary>The snapshots of a domain as the command line has them: each with its parent, the current one with a star.</summary>
    public async Task<string[]> SnapshotsAsync(string domain)
    {
        var list = JsonNode.Parse(await Home.DoAsync("snapshot", "list", domain, "--json"))!["snapshots"]!.AsArray();
        return [.. list.Select(s => $"{s!["name"]} < {s["parent"]?["name"]}{((bool)s["isCurrent"]! ? " *" : "")}").Order(StringComparer.Ordinal)];
    }

    /// <summary>What a domain does, as the command line has it.</summary>
    public async Task<string> StateAsync(string domain) =>
        (string)JsonNode.Parse(await Home.DoAsync("show", domain, "--json"))!["domain"]!["state"]!;

    public async ValueTask DisposeAsync()
    {
        if (!_server.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", _server.Id.ToString(CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync();
            await _server.WaitForExitAsync().WaitAsync(s_patience);
            await _log;
        }

        _server.Dispose();
        await Home.DisposeAsync();
    }

    /// <summary>Its kernel talks on a screen too, if it has one.</summary>
    private static string KernelCommandLine => "console=tty0 " + WitnessGuest.KernelCommandLine.Replace("quiet", "", StringComparison.Ordinal);

    private static string SocketIn(CliHome home) => Path.Combine(home.Folder, "s");
}
