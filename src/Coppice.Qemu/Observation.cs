using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>Looks at a process through the monitor for readers: short, and never behind a command.</summary>
internal sealed class Observation(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    public async Task<HypervisorObservation> ObserveAsync(
        RunFolder folder, string clonable, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation)
    {
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is not { } pid)
        {
            return HypervisorObservation.Off;
        }

        try
        {
            await using var qmp = await process.ConnectAsync(
                folder.Readers, $"domain '{definition.Name}' (process {pid})", s_limit, cancellation);

            // All are asked at once: each answer waits for QEMU's main loop, which a guest keeps busy.
            var status = qmp.ExecuteAsync("query-status", null, cancellation);
            var drives = DrivesAsync(qmp, definition, written, cancellation);
            var cards = GoneCardsAsync(qmp, definition, cancellation);
            var ram = Machine.TypeOfAsync(qmp, $"/objects/{QemuCommandLine.Ram0}", cancellation);
            await Task.WhenAll(status, drives, cards, ram);
            var (images, unplugged) = await drives;
            return new HypervisorObservation
            {
                State = StateOf((await status).TextOrEmpty("status")),
                IsAlive = true,
                Pid = pid,
                ActiveImages = images,
                Unplugged = unplugged,
                GoneCards = await cards,
                Version = qmp.Version.ToString(),
                Ram = File.Exists(clonable) ? clonable : null,
                HasRamInFile = await ram is QemuCommandLine.RamFile,
                MemoryEstimate = Estimate(pid, definition.Memory),
            };
        }
        catch (Exception e) when (e is CoppiceException or QmpRefusalException)
        {
            if (await process.EndsAsync(cancellation))
            {
                return HypervisorObservation.Off;
            }

            throw;
        }
    }

    /// <summary>What QEMU's run state means to a user.</summary>
    public static DomainState StateOf(string status) => status switch
    {
        "running" => DomainState.Running,
        "suspended" => DomainState.Suspended,
        "io-error" => DomainState.IoError,
        "guest-panicked" or "internal-error" => DomainState.Crashed,
        "shutdown" => DomainState.Off,
        _ => DomainState.Paused,
    };

    private static async Task<(ImmutableDictionary<string, string> Images, ImmutableHashSet<string> Unplugged)> DrivesAsync(
        QmpConnection qmp, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation)
    {
        var drives = await Task.WhenAll(definition.DisksAndFlash.Where(d => d.Source is not null).Select(
            async d => (d.Target, Node: await Machine.NodeOfAsync(qmp, d.Target, cancellation))));
        var nodes = drives.Where(d => d.Node is not null).ToDictionary(d => d.Target, d => d.Node!);
        var known = written.ToDictionary(l => BlockNodes.NameOf(l.Id), l => l.Path);
        var paths = nodes.Values.All(known.ContainsKey) ? known : await PathsAsync(qmp, nodes.Values, cancellation);
        var images = nodes.Where(n => paths.ContainsKey(n.Value)).ToImmutableDictionary(n => n.Key, n => paths[n.Value]);
        return (images, [.. drives.Where(d => d.Node is null).Select(d => d.Target)]);
    }

    /// <summary>The files of nodes. QEMU looks at all there are for that, and its guest waits.</summary>
    private static async Task<Dictionary<string, string>> PathsAsync(
        QmpConnection qmp, IEnumerable<string> nodes, CancellationToken cancellation)
    {
        var graph = await qmp.ExecuteAsync("query-named-block-nodes", new JsonObject { ["flat"] = true }, cancellation);
        var files = graph.Items().ToLookup(n => n.TextOrEmpty("node-name"), n => n.TextOrEmpty("file"));

        // Only the nodes of files have plain paths; of a node that is none of ours, whatever it has must do.
        return nodes.Distinct().Select(n => (Node: n, Path: files[BlockNodes.FileNameOf(n) ?? n].FirstOrDefault()))
            .Where(n => n.Path is { Length: > 0 }).ToDictionary(n => n.Node, n => n.Path!);
    }

    private static async Task<ImmutableSortedSet<int>> GoneCardsAsync(
        QmpConnection qmp, DomainDefinition definition, CancellationToken cancellation)
    {
        var cards = await Task.WhenAll(definition.Devices.OfType<NetworkDevice>().Select(
            async (_, place) => (Place: place, IsThere: await Machine.HasDeviceAsync(qmp, DeviceArguments.NetworkCard(place), cancellation))));
        return [.. cards.Where(c => !c.IsThere).Select(c => c.Place)];
    }

    /// <summary>RAM that was never touched takes no room in a memory image; device state takes a few MiB.</summary>
    private static ByteCount Estimate(int pid, ByteCount memory)
    {
        // While it is ending nobody needs the figure.
        var touched = ProcessFigures.Resident(pid) ?? memory;
        return new ByteCount(Math.Min(touched.Bytes, memory.Bytes) + MemoryVolume.DeviceState.Bytes);
    }
}
