using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of what guests use.</summary>
internal sealed class StatisticCalls(Domains domains)
{
    private const uint MostFigures = 1024;

    // virDomainMemoryStatTags, virConnectGetAllDomainStatsFlags, virTypedParameterFlags.
    private const int ActualBalloon = 6, ResidentSet = 7, LastUpdate = 9;
    private const uint NoWait = 1u << 29, Backing = 1u << 30, Enforced = 1u << 31;
    private const uint TextsWelcome = 4;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Reads(DomainFigureProcedures.GetInformation, InformationAsync);
        calls.Reads(DomainFigureProcedures.GetStatistics, (caller, asked) => StatisticsAsync(caller, asked.Domains, asked.Groups, asked.Flags));
        calls.Reads(DomainFigureProcedures.GetBlockStatistics, async (caller, asked) =>
        {
            var disks = await DisksAsync(caller, asked.Domain, asked.Path).ConfigureAwait(false);
            return (
                disks.Sum(d => d.Reads.Requests), disks.Sum(d => d.Reads.Bytes.Bytes), disks.Sum(d => d.Writes.Requests), disks.Sum(d => d.Writes.Bytes.Bytes),
                -1L);
        });
        calls.Reads(DomainFigureProcedures.GetBlockFigures, async (caller, asked) =>
        {
            Flags.Require(asked.Flags, TextsWelcome, "block statistics");
            var figures = BlockFigures(await DisksAsync(caller, asked.Domain, asked.Path).ConfigureAwait(false));
            return asked.Count is 0 ? ([], figures.Length) : ([.. figures.Take(asked.Count)], Math.Min(asked.Count, figures.Length));
        });
        calls.Reads(DomainFigureProcedures.GetBlockSizes, BlockSizesAsync);
        calls.Reads(DomainFigureProcedures.GetMemoryStatistics, async (caller, asked) => [.. MemoryOf(await GuestAsync(caller, asked.Domain).ConfigureAwait(false)).Take((int)Math.Min(asked.Most, MostFigures))]);
        calls.Reads(DomainFigureProcedures.GetCardStatistics, CardAsync);
    }

    private async Task<(int State, ulong MaximumKiB, ulong KiB, int Vcpus, ulong CpuTime)> InformationAsync(Caller caller, RemoteDomain domain)
    {
        var figures = await MeasureAsync(caller, domain).ConfigureAwait(false);
        var definition = figures.View.Definition;
        return (
            domains.StateOf(figures.View).State, definition.Memory.InKibibytes(), figures.CurrentMemory.InKibibytes(), definition.VirtualCpus,
            figures.Guest is { } guest ? guest.Processor.Total.InNanoseconds() : 0);
    }

    private async Task<ImmutableArray<(RemoteDomain Domain, ImmutableArray<TypedParameter> Figures)>> StatisticsAsync(
        Caller caller, ImmutableArray<RemoteDomain> asked, uint groups, uint flags)
    {
        if (flags.Has(Enforced) && (groups & ~DomainStatistics.Known) != 0)
        {
            throw RpcException.Unsupported($"statistics of group 0x{groups & ~DomainStatistics.Known:x} are not kept");
        }

        var filter = new DomainFilter(flags & ~(NoWait | Backing | Enforced));
        string[] names = asked.IsEmpty
            ? [.. (await domains.Home.ListAsync(caller.Cancellation).ConfigureAwait(false)).Domains.Where(filter.Passes).Select(v => v.Catalog.Domain.ToString())]
            : [.. asked.Select(d => d.Uuid.ToString("D")).Distinct(StringComparer.Ordinal)];
        var found = ImmutableArray.CreateBuilder<(RemoteDomain, ImmutableArray<TypedParameter>)>();
        foreach (var name in names)
        {
            // One that vanishes meanwhile, or does not answer, keeps nobody from the figures of the others.
            if (await TryMeasureAsync(caller, name).ConfigureAwait(false) is { } figures && filter.Passes(figures.View))
            {
                found.Add((domains.Remote(figures.View.Catalog), new DomainStatistics(figures, domains.StateOf(figures.View), groups, flags.Has(Backing)).All()));
            }
        }

        return found.ToImmutable();
    }

    private async Task<DomainFigures?> TryMeasureAsync(Caller caller, string name)
    {
        try
        {
            return await domains.Home.MeasureAsync(name, caller.Cancellation).ConfigureAwait(false);
        }
        catch (CoppiceException)
        {
            return null;
        }
    }

    private async Task<DomainFigures> MeasureAsync(Caller caller, RemoteDomain domain)
    {
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        return await domains.Home.MeasureAsync(catalog.Domain.ToString(), caller.Cancellation).ConfigureAwait(false);
    }

    private async Task<GuestFigures> GuestAsync(Caller caller, RemoteDomain domain) =>
        (await MeasureAsync(caller, domain).ConfigureAwait(false)).Guest ?? throw RpcException.OperationInvalid("domain is not running");

    /// <summary>A disk by target or path; all of them if none is named.</summary>
    private async Task<ImmutableArray<DiskFigures>> DisksAsync(Caller caller, RemoteDomain domain, string path)
    {
        var figures = await MeasureAsync(caller, domain).ConfigureAwait(false);
        var guest = figures.Guest ?? throw RpcException.OperationInvalid("domain is not running");
        if (path.Length is 0)
        {
            return guest.Disks;
        }

        var target = figures.Images.FirstOrDefault(i => i.Path == path)?.Target ?? path;
        return guest.Disks.FirstOrDefault(d => d.Target == target) is { } found
            ? [found]
            : throw RpcException.InvalidArgument($"invalid path: {path}");
    }

    private static ImmutableArray<TypedParameter> BlockFigures(ImmutableArray<DiskFigures> disks) =>
    [
        new("rd_bytes", disks.Sum(d => d.Reads.Bytes.Bytes)),
        new("rd_operations", disks.Sum(d => d.Reads.Requests)),
        new("rd_total_times", disks.Sum(d => (long)d.Reads.Time.InNanoseconds())),
        new("wr_bytes", disks.Sum(d => d.Writes.Bytes.Bytes)),
        new("wr_operations", disks.Sum(d => d.Writes.Requests)),
        new("wr_total_times", disks.Sum(d => (long)d.Writes.Time.InNanoseconds())),
        new("flush_operations", disks.Sum(d => d.Flushes.Requests)),
        new("flush_total_times", disks.Sum(d => (long)d.Flushes.Time.InNanoseconds())),
    ];

    private async Task<(ulong Allocation, ulong Capacity, ulong Physical)> BlockSizesAsync(Caller caller, (RemoteDomain Domain, string Path, uint Flags) asked)
    {
        Flags.Require(asked.Flags, 0, "block information");
        var figures = await MeasureAsync(caller, asked.Domain).ConfigureAwait(false);
        return figures.Images.FirstOrDefault(i => i.Target == asked.Path || i.Path == asked.Path) is { } image
            ? ((ulong)image.Allocation.Bytes, (ulong)image.Capacity.Bytes, (ulong)image.Physical.Bytes)
            : throw RpcException.InvalidArgument($"invalid path {asked.Path} not assigned to domain");
    }

    private static ImmutableArray<(int Tag, ulong Value)> MemoryOf(GuestFigures guest)
    {
        (int, ulong) resident = (ResidentSet, guest.ResidentMemory.InKibibytes());

        // No guest is asked for what else there is, so that is never brought up to date.
        return guest.Balloon is { } balloon ? [(ActualBalloon, balloon.InKibibytes()), (LastUpdate, 0), resident] : [resident];
    }

    private async Task<((long Bytes, long Packets, long Errors, long Drops) Received, (long Bytes, long Packets, long Errors, long Drops) Sent)> CardAsync(
        Caller caller, (RemoteDomain Domain, string Device) asked)
    {
        var guest = await GuestAsync(caller, asked.Domain).ConfigureAwait(false);
        var card = guest.Cards.FirstOrDefault(c => c.Device == asked.Device || string.Equals(c.Mac, asked.Device, StringComparison.OrdinalIgnoreCase))
            ?? throw RpcException.InvalidArgument($"invalid path, '{asked.Device}' is not a known interface");
        return card is { Received: { } received, Sent: { } sent }
            ? (Of(received), Of(sent))
            : throw new RpcException(RpcCode.InternalError, RpcOrigin.Qemu, "internal error: the card is on no device of the host that counts");

        static (long, long, long, long) Of(TrafficFigures traffic) => (traffic.Bytes.Bytes, traffic.Packets, traffic.Errors, traffic.Drops);
    }
}
