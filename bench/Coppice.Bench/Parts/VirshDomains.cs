using Coppice.Bench.Host;
using Coppice.Live.Cli;

namespace Coppice.Bench.Parts;

/// <summary>The domains about which virsh asks, the same with every server: one with many snapshots, and some with none.</summary>
internal sealed class VirshDomains(string folder, CancellationToken cancellation) : IAsyncDisposable
{
    public const int Count = 10, Running = 3;

    private readonly List<string> _uris = [];

    /// <summary>Runs virsh.</summary>
    /// <returns>How long it ran, and what it printed.</returns>
    public Task<(TimeSpan Elapsed, string Output)> RunAsync(string uri, params string[] arguments) =>
        HostCommand.RunAsync("virsh", ["-q", "-c", uri, .. arguments], cancellation);

    /// <summary>Makes those without snapshots.</summary>
    public async Task AddSmallAsync(string uri)
    {
        _uris.Add(uri);
        var place = Directory.CreateDirectory($"{folder}/{_uris.Count}").FullName;
        for (var i = 1; i < Count; i++)
        {
            var (name, disk) = (NameOf(i), $"{place}/{i}.qcow2");
            await HostCommand.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "64M"], cancellation);
            await File.WriteAllTextAsync($"{folder}/{name}.xml", CliHome.PlainXml(name, disk), cancellation);
            await RunAsync(uri, "define", $"{folder}/{name}.xml");
            if (i <= Running)
            {
                await RunAsync(uri, "start", name);
            }
        }
    }

    /// <summary>Makes the one with many snapshots known to another server, with all of them, as the first one shows them.</summary>
    public async Task CopyLargeAsync(string from, string to)
    {
        var xml = $"{folder}/{LargeCatalog.Name}.xml";
        await File.WriteAllTextAsync(xml, (await RunAsync(from, "dumpxml", LargeCatalog.Name)).Output, cancellation);
        await RunAsync(to, "define", xml);

        // One virsh for all: a thousand would take a minute.
        var names = (await RunAsync(from, "snapshot-list", LargeCatalog.Name, "--name", "--topological")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var documents = await RunAsync(from, string.Join("; ", names.Select(n => $"snapshot-dumpxml {LargeCatalog.Name} {n}; echo {Separator}")));
        var files = documents.Output.Split(Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (files.Length != names.Length)
        {
            throw new InvalidOperationException($"{names.Length} snapshots have {files.Length} documents");
        }

        for (var i = 0; i < files.Length; i++)
        {
            await File.WriteAllTextAsync($"{folder}/s{i}.xml", files[i], cancellation);
        }

        await RunAsync(to, string.Join("; ", files.Select((_, i) => $"snapshot-create {LargeCatalog.Name} {folder}/s{i}.xml --redefine")));
    }

    /// <summary>Ends and forgets all of them.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var uri in _uris)
        {
            for (var i = 1; i < Count; i++)
            {
                await HostCommand.TryReadAsync("virsh", "-c", uri, "destroy", NameOf(i));
                await HostCommand.TryReadAsync("virsh", "-c", uri, "undefine", NameOf(i));
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    private const string Separator = "=-=-=";

    private static string NameOf(int number) => $"small-{number}";
}
