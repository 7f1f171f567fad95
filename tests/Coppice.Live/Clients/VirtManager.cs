using System.Collections.Concurrent;
using System.Text.Json;

namespace Coppice.Live.Clients;

/// <summary>virt-manager, unmodified, used with mouse and keyboard.</summary>
public sealed class VirtManager : IAsyncDisposable
{
    private const string Program = "/usr/bin/virt-manager";
    private const string Manager = "Virtual Machine Manager", Question = "vmm dialog", NewSnapshot = "Create snapshot";
    private const string Button = "push button", Cell = "table cell";

    private readonly Desktop _desktop;
    private readonly ConcurrentQueue<string> _log = new();

    private VirtManager(Desktop desktop) => _desktop = desktop;

    /// <summary>What it has written, with its every step.</summary>
    public string Log => string.Join('\n', _log);

    /// <summary>Skips the test, with the reason, where it cannot be run.</summary>
    public static void Require()
    {
        Assert.SkipUnless(File.Exists(Program), "virt-manager is not installed: run build/clients");
        Desktop.Require();
    }

    /// <summary>Starts it, connected to a server.</summary>
    public static async Task<VirtManager> StartAsync(ServedHome served)
    {
        var manager = new VirtManager(await Desktop.StartAsync(served.Home));
        var process = manager._desktop.Begin(Program, "--debug", "--no-fork", "--connect", served.LocalUri);
        process.OutputDataReceived += (_, line) => manager._log.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => manager._log.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return manager;
    }

    /// <summary>The domains that it lists, each with what it does.</summary>
    public async Task<string[]> DomainsAsync(params string[] awaited)
    {
        foreach (var name in awaited)
        {
            await _desktop.HandAsync("click", Manager, Cell, name);
        }

        return [.. (await RowsAsync("vm-list")).Where(r => r.Contains('\n', StringComparison.Ordinal)).Select(r => r.Replace('\n', ' '))];
    }

    /// <summary>Opens the window of a domain.</summary>
    public async Task OpenAsync(string domain)
    {
        await _desktop.HandAsync("click", Manager, Cell, domain, "double");
        await _desktop.HandAsync("size", WindowOf(domain), "900", "620");
    }

    /// <summary>Presses a button of the bar of a domain's window: Console, Details, Snapshots, Run, Restore, Pause, Shut Down.</summary>
    public Task PressAsync(string domain, string button) => _desktop.HandAsync(
        "click", WindowOf(domain), button switch { "Pause" => "toggle button", "Run" or "Restore" or "Shut Down" => Button, _ => "radio button" }, button);

    /// <summary>Chooses from the menu beside the button that shuts a domain down; some are asked about.</summary>
    public async Task ChooseAsync(string domain, string item, bool isAsked)
    {
        await _desktop.HandAsync("click", WindowOf(domain), "toggle button", "Menu");
        await _desktop.HandAsync("click", WindowOf(domain), "menu item", item);
        if (isAsked)
        {
            await _desktop.HandAsync("click", Question, Button, "Yes");
        }
    }

    /// <summary>The names of the snapshots that its page shows.</summary>
    public async Task<string[]> SnapshotsAsync() => [.. (await RowsAsync("snapshot-list")).Select(r => r.Split('\n')[0])];

    public async Task TakeSnapshotAsync(string domain, string name, string description)
    {
        await _desktop.HandAsync("click", WindowOf(domain), Button, "snapshot-add");
        await _desktop.HandAsync("fill", NewSnapshot, "text", "Name:", name);
        await _desktop.HandAsync("fill", NewSnapshot, "text", "Description:", description);
        await _desktop.HandAsync("click", NewSnapshot, Button, "Finish");
        await _desktop.HandAsync("click", WindowOf(domain), Cell, name);
    }

    /// <summary>What it calls to run a snapshot is a revert.</summary>
    public async Task RunSnapshotAsync(string domain, string name)
    {
        await _desktop.HandAsync("click", WindowOf(domain), Cell, name);
        await _desktop.HandAsync("click", WindowOf(domain), Button, "snapshot-start");
        await _desktop.HandAsync("click", Question, Button, "Yes");
    }

    public async Task DeleteSnapshotAsync(string domain, string name)
    {
        await _desktop.HandAsync("click", WindowOf(domain), Cell, name);
        await _desktop.HandAsync("click", WindowOf(domain), Button, "snapshot-delete");
        await _desktop.HandAsync("click", Question, Button, "Yes");
    }

    /// <summary>The titles of the windows that it shows; one that is too many is an error that it tells.</summary>
    public async Task<string[]> WindowsAsync() => JsonSerializer.Deserialize<string[]>(await _desktop.HandAsync("windows"))!;

    /// <summary>Writes what the window of a domain shows of a snapshot.</summary>
    public async Task DrawAsync(string domain, string snapshot, string path)
    {
        await _desktop.HandAsync("click", WindowOf(domain), Cell, snapshot);
        await _desktop.HandAsync("picture", WindowOf(domain), path);
    }

    public ValueTask DisposeAsync() => _desktop.DisposeAsync();

    private static string WindowOf(string domain) => $"{domain} on";

    private async Task<string[]> RowsAsync(string table) => JsonSerializer.Deserialize<string[]>(await _desktop.HandAsync("rows", table))!;
}
