using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Coppice.Live.Witness;

namespace Coppice.Live.Clients;

/// <summary>libvirt-dbus, through which cockpit's page of machines reaches libvirt, on a bus of its own.</summary>
public sealed class LibvirtBus : IAsyncDisposable
{
    /// <summary>Where the objects are.</summary>
    public const string Root = "/org/libvirt/QEMU";

    private const string Name = "org.libvirt";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly string s_unpacked = Path.Combine(WitnessGuest.RepositoryRoot(), "artifacts/libvirt-dbus");

    private readonly Stage _stage;
    private readonly ConcurrentQueue<string> _signals = new();

    private LibvirtBus(Stage stage) => _stage = stage;

    /// <summary>Skips the test, with the reason, where it cannot be run.</summary>
    public static void Require()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "libvirt-dbus looks for /run/libvirt/libvirt-sock, which only root can show it another one as");
        Assert.SkipUnless(Directory.Exists(s_unpacked), "libvirt-dbus is not there: run build/clients");
        Stage.Require("dbus-daemon", "busctl", "gdbus", "unshare");
    }

    /// <summary>Starts it on a server.</summary>
    public static async Task<LibvirtBus> StartAsync(ServedHome served)
    {
        var bus = new LibvirtBus(new Stage(served.Home));
        try
        {
            await bus._stage.BeginBusAsync();
            var script = Path.Combine(WitnessGuest.RepositoryRoot(), "tests/Coppice.Live/Clients/libvirt-dbus");
            bus._stage.Begin("unshare", "--mount", script, s_unpacked, served.Socket);
            var found = await bus._stage.RunAsync("gdbus", "wait", "--session", "--timeout", "20", Name);
            Assert.True(found.ExitCode == 0, $"libvirt-dbus does not start: {found.Errors}");
            await bus.ListenAsync();
            return bus;
        }
        catch
        {
            await bus.DisposeAsync();
            throw;
        }
    }

    /// <summary>The object of a domain.</summary>
    public async Task<string> FindAsync(string domain) => (string)(await CallAsync(Root, "Connect", "DomainLookupByName", "s", domain))!;

    /// <summary>Calls a method of one of libvirt-dbus' interfaces, which must succeed.</summary>
    /// <returns>What it answers; null for nothing.</returns>
    public Task<JsonNode?> CallAsync(string path, string @interface, string method, params string[] arguments) =>
        AskAsync(path, $"{Name}.{@interface}", method, arguments);

    /// <summary>All properties of an object that can be read.</summary>
    public async Task<JsonNode> PropertiesAsync(string path, string @interface) =>
        (await AskAsync(path, "org.freedesktop.DBus.Properties", "GetAll", "s", $"{Name}.{@interface}"))!;

    /// <summary>Waits until these have been told, in this order, whatever else was between them.</summary>
    public async Task HearAsync(params string[] expected)
    {
        var start = Stopwatch.GetTimestamp();
        var missing = Missing(expected);
        while (missing is not null && Stopwatch.GetElapsedTime(start) < s_patience)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            missing = Missing(expected);
        }

        Assert.True(missing is null, $"{missing} was not told in: {string.Join('\n', _signals)}");
    }

    public ValueTask DisposeAsync() => _stage.DisposeAsync();

    private string? Missing(string[] expected)
    {
        using var told = _signals.ToList().GetEnumerator();
        return expected.FirstOrDefault(e =>
        {
            while (told.MoveNext())
            {
                if (told.Current.Contains(e, StringComparison.Ordinal))
                {
                    return false;
                }
            }

            return true;
        });
    }

    private async Task ListenAsync()
    {
        var listener = _stage.Begin("gdbus", "monitor", "--session", "--dest", Name);
        var ready = new TaskCompletionSource();
        listener.OutputDataReceived += (_, line) =>
        {
            _signals.Enqueue(line.Data ?? "");
            if (line.Data?.StartsWith("The name", StringComparison.Ordinal) == true)
            {
                ready.TrySetResult();
            }
        };
        listener.BeginOutputReadLine();
        await ready.Task.WaitAsync(s_patience);
    }

    private async Task<JsonNode?> AskAsync(string path, string @interface, string method, params string[] arguments)
    {
        var run = await _stage.RunAsync("busctl", ["--user", "--json=short", "call", "--", Name, path, @interface, method, .. arguments]);
        Assert.True(run.ExitCode == 0, $"{method} of {path}: {run.Errors}");
        return run.Output.Trim() is { Length: > 0 } answer ? Plain(JsonNode.Parse(answer)!["data"]![0]) : null;
    }

    /// <summary>Without the types that busctl gives with what can be of any.</summary>
    private static JsonNode? Plain(JsonNode? node) => node switch
    {
        JsonObject variant when variant.Count is 2 && variant.ContainsKey("type") && variant.ContainsKey("data") => Plain(variant["data"]),
        JsonObject map => new JsonObject(map.Select(e => KeyValuePair.Create(e.Key, Plain(e.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Plain)]),
        _ => node?.DeepClone(),
    };
}
