using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>Counts what a guest has used, by the monitor for readers and by what the kernel knows of its process.</summary>
internal sealed class Measurement(TimeProvider time)
{
    // Whoever asks for figures asks again soon.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private const long NanosecondsPerTick = 100;

    /// <summary>See <see cref="IHypervisor.MeasureAsync"/>.</summary>
    public async Task<GuestFigures?> MeasureAsync(RunFolder folder, DomainDefinition definition, CancellationToken cancellation)
    {
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is not { } pid)
        {
            return null;
        }

        try
        {
            await using var qmp = await process.ConnectAsync(
                folder.Readers, $"domain '{definition.Name}' (process {pid})", s_limit, cancellation);

            // All are asked at once: each answer waits for QEMU's main loop, which a guest keeps busy.
            var balloon = BalloonAsync(qmp, cancellation);
            var vcpus = qmp.ExecuteAsync("query-cpus-fast", null, cancellation);
            var disks = qmp.ExecuteAsync("query-blockstats", new JsonObject { ["query-nodes"] = false }, cancellation);
            var cards = CardsAsync(qmp, pid, definition, cancellation);
            await Task.WhenAll(balloon, vcpus, disks, cards);
            return ProcessFigures.Times(pid) is { } processor && ProcessFigures.Resident(pid) is { } resident
                ? new GuestFigures
                {
                    Processor = processor,
                    ResidentMemory = resident,
                    Balloon = await balloon,
                    Vcpus = Vcpus(pid, await vcpus),
                    Disks = Disks(await disks, definition),
                    Cards = await cards,
                }
                : null;
        }
        catch (Exception e) when (e is CoppiceException or QmpRefusalException)
        {
            if (await process.EndsAsync(cancellation))
            {
                return null;
            }

            throw;
        }
    }

    private static async Task<ByteCount?> BalloonAsync(QmpConnection qmp, CancellationToken cancellation)
    {
        try
        {
            return new ByteCount((await qmp.ExecuteAsync("query-balloon", null, cancellation)).NumberOrZero("actual"));
        }
        catch (QmpRefusalException e) when (e.ErrorClass is "DeviceNotActive" or "KVMMissingCap")
        {
            return null;
        }
    }

    private static ImmutableArray<VcpuFigures> Vcpus(int pid, JsonElement told) =>
    [
        .. told.Items().Select(v => new VcpuFigures((int)v.NumberOrZero("cpu-index"), ProcessFigures.Times(pid, v.NumberOrZero("thread-id"))))
            .OrderBy(v => v.Number),
    ];

    /// <summary>A disk is known by its device: its node changes with every snapshot.</summary>
    private static ImmutableArray<DiskFigures> Disks(JsonElement told, DomainDefinition definition)
    {
        var devices = told.Items().Select(d => (Target: Machine.TargetOf(d.TextOrEmpty("qdev")), Stats: d.Find("stats")))
            .Where(d => d is { Target: not null, Stats: not null }).ToLookup(d => d.Target!, d => d.Stats!.Value, StringComparer.Ordinal);
        return
        [
            .. from disk in definition.Disks
               let found = devices[disk.Target].ToArray()
               where found.Length > 0
               select new DiskFigures(disk.Target, Requests(found[0], "rd"), Requests(found[0], "wr"), Requests(found[0], "flush")),
        ];
    }

    private static RequestFigures Requests(JsonElement stats, string kind) => new(
        stats.NumberOrZero($"{kind}_operations"), new ByteCount(stats.NumberOrZero($"{kind}_bytes")),
        TimeSpan.FromTicks(stats.NumberOrZero($"{kind}_total_time_ns") / NanosecondsPerTick), stats.NumberOrZero($"failed_{kind}_operations"));

    private static async Task<ImmutableArray<CardFigures>> CardsAsync(
        QmpConnection qmp, int pid, DomainDefinition definition, CancellationToken cancellation)
    {
        var cards = definition.Devices.OfType<NetworkDevice>().ToArray();
        var files = cards.Any(c => c.Tap is not null)
            ? TapTraffic.FilesIn(await NetworksAsync(qmp, cancellation))
            : ImmutableSortedDictionary<int, int>.Empty;
        return [.. cards.Select((c, place) => Card(new CardFigures(place, c.Mac), files, pid))];
    }

    private static CardFigures Card(CardFigures card, ImmutableSortedDictionary<int, int> files, int pid)
    {
        var device = files.TryGetValue(card.Place, out var file) ? TapTraffic.DeviceOf(pid, file) : null;
        var traffic = device is null ? null : TapTraffic.Of(pid, device);
        return card with { Device = device, Received = traffic?.Received, Sent = traffic?.Sent };
    }

    private static async Task<string> NetworksAsync(QmpConnection qmp, CancellationToken cancellation)
    {
        var told = await qmp.ExecuteAsync("human-monitor-command", new JsonObject { ["command-line"] = "info network" }, cancellation);
        return told.ValueKind is JsonValueKind.String ? told.GetString()! : "";
    }
}
