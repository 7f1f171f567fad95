using System.Collections.Immutable;
using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>The figures of one domain, named as libvirt names them (virConnectGetAllDomainStats).</summary>
/// <param name="figures">The figures.</param>
/// <param name="state">What it is doing.</param>
/// <param name="groups">The groups that are wanted (virDomainStatsTypes); 0 for all.</param>
/// <param name="withBacking">The images that disks build on are wanted too.</param>
internal sealed class DomainStatistics(DomainFigures figures, RemoteState state, uint groups, bool withBacking)
{
    private const uint OfState = 1, OfProcessor = 2, OfBalloon = 4, OfVcpus = 8, OfCards = 16, OfDisks = 32;
    private const int VcpuRunning = 1, VcpuOff = 0;

    /// <summary>The groups that there are.</summary>
    public const uint Known = OfState | OfProcessor | OfBalloon | OfVcpus | OfCards | OfDisks;

    /// <summary>All that are wanted and known.</summary>
    public ImmutableArray<TypedParameter> All() =>
    [
        .. Wanted(OfState, State), .. Wanted(OfProcessor, Processor), .. Wanted(OfBalloon, Balloon), .. Wanted(OfVcpus, Vcpus), .. Wanted(OfCards, Cards),
        .. Wanted(OfDisks, Disks),
    ];

    private IEnumerable<TypedParameter> Wanted(uint group, Func<IEnumerable<TypedParameter>> of) => groups is 0 || (groups & group) != 0 ? of() : [];

    private TypedParameter[] State() => [new("state.state", state.State), new("state.reason", state.Reason)];

    private TypedParameter[] Processor() => figures.Guest is not { } guest ? [] :
    [
        new("cpu.time", guest.Processor.Total.InNanoseconds()), new("cpu.user", guest.Processor.User.InNanoseconds()),
        new("cpu.system", guest.Processor.System.InNanoseconds()),
    ];

    private TypedParameter[] Balloon()
    {
        var definition = figures.View.Definition;
        TypedParameter[] sizes = [new("balloon.current", figures.CurrentMemory.InKibibytes()), new("balloon.maximum", definition.Memory.InKibibytes())];
        return figures.Guest is { } guest ? [.. sizes, new("balloon.rss", guest.ResidentMemory.InKibibytes())] : sizes;
    }

    private IEnumerable<TypedParameter> Vcpus()
    {
        var count = (uint)figures.View.Definition.VirtualCpus;
        yield return new("vcpu.current", count);
        yield return new("vcpu.maximum", count);
        foreach (var vcpu in figures.Guest?.Vcpus ?? [])
        {
            var name = Indexed("vcpu", vcpu.Number);
            yield return new($"{name}.state", vcpu.Processor is null ? VcpuOff : VcpuRunning);
            if (vcpu.Processor is { } time)
            {
                yield return new($"{name}.time", time.Total.InNanoseconds());
            }
        }
    }

    private IEnumerable<TypedParameter> Cards()
    {
        if (figures.Guest is not { Cards: var cards })
        {
            yield break;
        }

        yield return new("net.count", (uint)cards.Length);
        foreach (var card in cards)
        {
            if (card is not { Device: { } device, Received: { } received, Sent: { } sent })
            {
                continue;
            }

            var name = Indexed("net", card.Place);
            yield return new($"{name}.name", device);
            foreach (var (way, traffic) in new[] { ("rx", received), ("tx", sent) })
            {
                yield return new($"{name}.{way}.bytes", (ulong)traffic.Bytes.Bytes);
                yield return new($"{name}.{way}.pkts", (ulong)traffic.Packets);
                yield return new($"{name}.{way}.errs", (ulong)traffic.Errors);
                yield return new($"{name}.{way}.drop", (ulong)traffic.Drops);
            }
        }
    }

    private IEnumerable<TypedParameter> Disks()
    {
        var blocks = figures.Images.SelectMany(i => Chain(i).Select((path, depth) => (Image: i, Path: path, Depth: depth))).ToArray();
        yield return new("block.count", (uint)blocks.Length);
        for (var block = 0; block < blocks.Length; block++)
        {
            foreach (var figure in OfDisk(Indexed("block", block), blocks[block].Image, blocks[block].Path, blocks[block].Depth))
            {
                yield return figure;
            }
        }
    }

    /// <summary>The image of a disk, and, if that is wanted, those that it builds on.</summary>
    private IEnumerable<string> Chain(ImageFigures image)
    {
        var catalog = figures.View.Catalog;
        return withBacking && figures.Guest is not null && catalog.Head.Disks.FirstOrDefault(d => d.Target == image.Target) is { } head
            ? LayerGraph.Of(catalog).FileChain(head.Layer).Select(l => l.Path)
            : [image.Path];
    }

    private IEnumerable<TypedParameter> OfDisk(string name, ImageFigures image, string path, int depth)
    {
        yield return new($"{name}.name", image.Target);
        yield return new($"{name}.path", path);
        if (withBacking && figures.Guest is not null)
        {
            yield return new($"{name}.backingIndex", (uint)depth + 1);
        }

        if (depth > 0)
        {
            yield break;
        }

        if (figures.Guest?.Disks.FirstOrDefault(d => d.Target == image.Target) is { } disk)
        {
            foreach (var (kind, requests) in new[] { ("rd", disk.Reads), ("wr", disk.Writes), ("fl", disk.Flushes) })
            {
                yield return new($"{name}.{kind}.reqs", (ulong)requests.Requests);
                if (kind is not "fl")
                {
                    yield return new($"{name}.{kind}.bytes", (ulong)requests.Bytes.Bytes);
                }

                yield return new($"{name}.{kind}.times", requests.Time.InNanoseconds());
            }
        }

        yield return new($"{name}.allocation", (ulong)image.Allocation.Bytes);
        yield return new($"{name}.capacity", (ulong)image.Capacity.Bytes);
        yield return new($"{name}.physical", (ulong)image.Physical.Bytes);
    }

    private static string Indexed(string group, int index) => string.Create(CultureInfo.InvariantCulture, $"{group}.{index}");
}
