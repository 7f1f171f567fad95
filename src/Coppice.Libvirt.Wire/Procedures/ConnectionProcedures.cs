using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>A host, as virNodeInfo describes it.</summary>
/// <param name="Model">The architecture: <c>x86_64</c>.</param>
/// <param name="MemoryKiB">Its memory, in KiB.</param>
/// <param name="Cpus">How many CPUs are active.</param>
/// <param name="Mhz">How fast they are; 0 if it is not known.</param>
/// <param name="Nodes">How many NUMA nodes it has.</param>
/// <param name="Sockets">CPU sockets in a node.</param>
/// <param name="Cores">Cores in a socket.</param>
/// <param name="Threads">Threads in a core.</param>
public sealed record RemoteNode(string Model, ulong MemoryKiB, int Cpus, int Mhz, int Nodes, int Sockets, int Cores, int Threads)
{
    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteNode> Type { get; } =
        Of(Characters(32), UnsignedHyper, Of(Integer, Integer, Integer), Of(Integer, Integer, Integer)).As(
            n => new RemoteNode(n.Item1, n.Item2, n.Item3.Item1, n.Item3.Item2, n.Item3.Item3, n.Item4.Item1, n.Item4.Item2, n.Item4.Item3),
            n => (n.Model, n.MemoryKiB, (n.Cpus, n.Mhz, n.Nodes), (n.Sockets, n.Cores, n.Threads)));
}

/// <summary>What is asked of a server as such, and of its host.</summary>
public static class ConnectionProcedures
{
    private static readonly XdrType<(string, ulong)> s_figure = Of(Text, UnsignedHyper);

    /// <summary>Which ways there are to prove who one is; 0 is none.</summary>
    public static Procedure<ValueTuple, ImmutableArray<int>> AuthList { get; } = new(66, Nothing, List(Integer, 20));

    /// <summary>Opens the hypervisor of a URI; bit 0 of the flags is for reading only.</summary>
    public static Procedure<(string? Uri, uint Flags), ValueTuple> Open { get; } = new(1, Of(OptionalText, Unsigned), Nothing);

    /// <summary>Ends the use of it.</summary>
    public static Procedure<ValueTuple, ValueTuple> Close { get; } = new(2, Nothing, Nothing);

    /// <summary>The kind of hypervisor: <c>QEMU</c>.</summary>
    public static Procedure<ValueTuple, string> GetHypervisorType { get; } = new(3, Nothing, Text);

    /// <summary>Its version, as 1,000,000 × major + 1,000 × minor + release.</summary>
    public static Procedure<ValueTuple, ulong> GetVersion { get; } = new(4, Nothing, UnsignedHyper);

    /// <summary>The version of libvirt that a server has, likewise.</summary>
    public static Procedure<ValueTuple, ulong> GetLibraryVersion { get; } = new(157, Nothing, UnsignedHyper);

    /// <summary>The name of the host.</summary>
    public static Procedure<ValueTuple, string> GetHostName { get; } = new(59, Nothing, Text);

    /// <summary>The URI that was opened.</summary>
    public static Procedure<ValueTuple, string> GetUri { get; } = new(110, Nothing, Text);

    /// <summary>How many virtual CPUs a domain of a type can have.</summary>
    public static Procedure<string?, int> GetMaximumVcpus { get; } = new(5, OptionalText, Integer);

    /// <summary>What the host has.</summary>
    public static Procedure<ValueTuple, RemoteNode> GetNode { get; } = new(6, Nothing, RemoteNode.Type);

    /// <summary>What host and hypervisor can do, as XML.</summary>
    public static Procedure<ValueTuple, string> GetCapabilities { get; } = new(7, Nothing, Text);

    /// <summary>What a domain of an emulator, architecture, machine and type can have, as XML.</summary>
    public static Procedure<(string? Emulator, string? Architecture, string? Machine, string? Type, uint Flags), string> GetDomainCapabilities { get; } =
        new(342, Of(OptionalText, OptionalText, OptionalText, OptionalText, Unsigned), Text);

    /// <summary>Whether server and hypervisor have something (virDrvFeature).</summary>
    public static Procedure<int, bool> SupportsFeature { get; } = new(60, Integer, Truth);

    /// <summary>Whether nobody can listen to the connection.</summary>
    public static Procedure<ValueTuple, bool> IsSecure { get; } = new(149, Nothing, Truth);

    /// <summary>The free memory of the host, in bytes.</summary>
    public static Procedure<ValueTuple, ulong> GetFreeMemory { get; } = new(102, Nothing, UnsignedHyper);

    /// <summary>The free memory of its NUMA nodes, in bytes.</summary>
    public static Procedure<(int First, int Count), ImmutableArray<ulong>> GetFreeMemoryOfCells { get; } =
        new(101, Of(Integer, Integer), List(UnsignedHyper, 1024));

    /// <summary>How the host's CPUs were used, in nanoseconds. If no figures are asked for, how many there are.</summary>
    public static Procedure<(int Cpu, int Count, uint Flags), (ImmutableArray<(string Name, ulong Value)> Figures, int Count)> GetCpuStatistics { get; } =
        new(227, Of(Integer, Integer, Unsigned), Of(List(s_figure, 16), Integer));

    /// <summary>How the host's memory is used, in KiB. If no figures are asked for, how many there are.</summary>
    public static Procedure<(int Count, int Cell, uint Flags), (ImmutableArray<(string Name, ulong Value)> Figures, int Count)> GetMemoryStatistics { get; } =
        new(228, Of(Integer, Integer, Unsigned), Of(List(s_figure, 16), Integer));

    /// <summary>Which of the host's CPUs are in use, a bit each; how many are, and how many there are.</summary>
    public static Procedure<(int NeedMap, int NeedOnline, uint Flags), (ImmutableArray<byte> Map, uint Online, int Count)> GetCpuMap { get; } =
        new(293, Of(Integer, Integer, Unsigned), Of(Opaque(2048), Unsigned, Integer));

    /// <summary>The security driver: its name and what labels mean to it; both empty if there is none.</summary>
    public static Procedure<ValueTuple, (ImmutableArray<int> Model, ImmutableArray<int> Meaning)> GetSecurityModel { get; } =
        new(122, Nothing, Of(List(Integer, 257), List(Integer, 257)));

    /// <summary>The names of the CPU models of an architecture.</summary>
    public static Procedure<(string Architecture, int NeedResults, uint Flags), (ImmutableArray<string> Names, int Count)> GetCpuModels { get; } =
        new(312, Of(Text, Integer, Unsigned), Of(List(Text, 8192), Integer));

    /// <summary>Asks to be told when the server loses the hypervisor.</summary>
    public static Procedure<ValueTuple, ValueTuple> RegisterClose { get; } = new(360, Nothing, Nothing);

    /// <summary>No longer.</summary>
    public static Procedure<ValueTuple, ValueTuple> UnregisterClose { get; } = new(361, Nothing, Nothing);
}
