using System.Collections.Immutable;
using System.Net;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of the server as such, and of its host.</summary>
internal sealed class ConnectionCalls(Domains domains)
{
    private const string SystemUri = "qemu:///system", SessionUri = "qemu:///session";
    private const uint ReadOnly = 1, NoAliases = 2;

    /// <summary>The libvirt whose protocol this is, 9.0.0, as 1,000,000 × major + 1,000 × minor + release.</summary>
    private const ulong LibraryVersion = 9_000_000;

    // Of virDrvFeature: remote driver, files that are handed over, texts as typed parameters, keepalive, events with callbacks, and a callback for the end.
    private const int KeepAliveFeature = 10;
    private static readonly int[] s_features = [2, 8, 9, KeepAliveFeature, 14, 15];

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Greets(ConnectionProcedures.AuthList, (_, _) => [0]);
        calls.Greets(ConnectionProcedures.SupportsFeature, Supports);
        calls.Greets(ConnectionProcedures.Open, Open);
        calls.Greets(ConnectionProcedures.Close, Close);
        calls.Reads(ConnectionProcedures.GetHypervisorType, _ => "QEMU");
        calls.Reads(ConnectionProcedures.GetVersion, async (caller, _) => NumberOf((await DescribeAsync(caller).ConfigureAwait(false)).Version));
        calls.Reads(ConnectionProcedures.GetLibraryVersion, _ => LibraryVersion);
        calls.Reads(ConnectionProcedures.GetHostName, _ => Dns.GetHostName());
        calls.Reads(ConnectionProcedures.GetUri, (caller, _) => Task.FromResult(caller.Client.Uri!));
        calls.Reads(ConnectionProcedures.GetMaximumVcpus, type => MaximumVcpus(type));
        calls.Reads(ConnectionProcedures.GetNode, _ => HostFacts.Node());
        calls.Reads(ConnectionProcedures.GetCapabilities, async (caller, _) =>
            CapabilityXml.OfHost(await DescribeAsync(caller).ConfigureAwait(false)));
        calls.Reads(ConnectionProcedures.GetDomainCapabilities, async (caller, asked) =>
            CapabilityXml.OfDomain(await DescribeAsync(caller).ConfigureAwait(false), asked.Architecture, asked.Machine, asked.Type));
        calls.Reads(ConnectionProcedures.IsSecure, _ => true);
        calls.Reads(ConnectionProcedures.GetFreeMemory, _ => BytesOf("MemFree"));
        calls.Reads(ConnectionProcedures.GetFreeMemoryOfCells, asked =>
            asked.First is 0 && asked.Count > 0 ? [BytesOf("MemFree")] : throw RpcException.InvalidArgument($"there is no cell {asked.First}"));
        calls.Reads(ConnectionProcedures.GetCpuStatistics, asked => CpuStatistics(asked.Cpu, asked.Count));
        calls.Reads(ConnectionProcedures.GetMemoryStatistics, asked => MemoryStatistics(asked.Count, asked.Cell));
        calls.Reads(ConnectionProcedures.GetCpuMap, asked => CpuMap(asked.NeedMap != 0));
        calls.Reads(ConnectionProcedures.GetSecurityModel, _ => ([0], [0]));
        calls.Reads(ConnectionProcedures.GetCpuModels, async (caller, asked) => Models(await DescribeAsync(caller).ConfigureAwait(false), asked.NeedResults != 0));
        calls.Reads(ConnectionProcedures.RegisterClose, _ => default(ValueTuple));
        calls.Reads(ConnectionProcedures.UnregisterClose, _ => default(ValueTuple));
    }

    private static bool Supports(Caller caller, int feature)
    {
        if (feature is KeepAliveFeature)
        {
            caller.Client.StartKeepAlive();
        }

        return s_features.Contains(feature);
    }

    private static ValueTuple Open(Caller caller, (string? Uri, uint Flags) asked)
    {
        Flags.Require(asked.Flags, ReadOnly | NoAliases, "open");
        var uri = asked.Uri is null or "" ? SystemUri : asked.Uri;
        if (uri is not (SystemUri or SessionUri))
        {
            throw new RpcException(RpcCode.InvalidArgument, RpcOrigin.Rpc, $"no connection driver available for {uri}; this is {SystemUri}");
        }

        caller.Client.Open(uri, asked.Flags.Has(ReadOnly));
        return default;
    }

    private static ValueTuple Close(Caller caller, ValueTuple asked)
    {
        caller.Client.Close();
        return asked;
    }

    private static ulong NumberOf(Version version) =>
        (ulong)((version.Major * 1_000_000) + (version.Minor * 1_000) + Math.Max(0, version.Build));

    private static int MaximumVcpus(string? type) => type is null or "qemu" or "kvm" or "hvm"
        ? CapabilityXml.MaximumVcpus
        : throw RpcException.InvalidArgument($"unknown type '{type}'");

    private static ulong BytesOf(string field) => HostFacts.Memory()[field] * 1024;

    private static (ImmutableArray<(string, ulong)> Figures, int Count) CpuStatistics(int cpu, int count)
    {
        var times = HostFacts.CpuTimes(cpu < 0 ? null : cpu) ?? throw RpcException.InvalidArgument($"there is no CPU {cpu}");
        return (count is 0 ? [] : [.. times], times.Length);
    }

    private static (ImmutableArray<(string, ulong)> Figures, int Count) MemoryStatistics(int count, int cell)
    {
        if (cell > 0)
        {
            throw RpcException.InvalidArgument($"there is no cell {cell}");
        }

        var memory = HostFacts.Memory();
        (string, ulong)[] figures =
            [("total", memory["MemTotal"]), ("free", memory["MemFree"]), ("buffers", memory["Buffers"]), ("cached", memory["Cached"])];
        return (count is 0 ? [] : [.. figures], figures.Length);
    }

    private static (ImmutableArray<byte> Map, uint Online, int Count) CpuMap(bool isWanted)
    {
        var count = HostFacts.Node().Cpus;
        var map = new byte[(count + 7) / 8];
        for (var cpu = 0; cpu < count; cpu++)
        {
            map[cpu / 8] |= (byte)(1 << (cpu % 8));
        }

        return (isWanted ? [.. map] : [], (uint)count, count);
    }

    private static (ImmutableArray<string> Names, int Count) Models(HypervisorDescription hypervisor, bool areWanted) =>
        (areWanted ? [.. hypervisor.CpuModels] : [], hypervisor.CpuModels.Count);

    private Task<HypervisorDescription> DescribeAsync(Caller caller) => domains.Home.DescribeHypervisorAsync(caller.Cancellation);
}
