using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>What is asked about a domain without changing it.</summary>
public static class DomainFigureProcedures
{
    private static readonly XdrType<RemoteDomain> s_domain = RemoteDomain.Type;
    private static readonly XdrType<(RemoteDomain, uint)> s_flagged = Of(s_domain, Unsigned);
    private static readonly XdrType<ImmutableArray<TypedParameter>> s_parameters = List(TypedParameter.Type, TypedParameter.Most);

    /// <summary>What it is doing, and why (virDomainState and what belongs to each).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), (int State, int Reason)> GetState { get; } = new(212, s_flagged, Of(Integer, Integer));

    /// <summary>State, memory at most and now in KiB, virtual CPUs, and the CPU time that it took in nanoseconds.</summary>
    public static Procedure<RemoteDomain, (int State, ulong MaximumKiB, ulong KiB, int Vcpus, ulong CpuTime)> GetInformation { get; } =
        new(16, s_domain, Of(Integer, UnsignedHyper, UnsignedHyper, Integer, UnsignedHyper));

    /// <summary>What holds its monitor: state, details, and for how many milliseconds.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), (uint State, uint Details, ulong Milliseconds)> GetControl { get; } =
        new(229, s_flagged, Of(Unsigned, Unsigned, UnsignedHyper));

    /// <summary>What kind of system it boots: <c>hvm</c>.</summary>
    public static Procedure<RemoteDomain, string> GetOsType { get; } = new(19, s_domain, Text);

    /// <summary>The most memory that it can have, in KiB.</summary>
    public static Procedure<RemoteDomain, ulong> GetMaximumMemory { get; } = new(17, s_domain, UnsignedHyper);

    /// <summary>The most virtual CPUs that it can have.</summary>
    public static Procedure<RemoteDomain, int> GetMaximumVcpus { get; } = new(18, s_domain, Integer);

    /// <summary>How many virtual CPUs it has, as the flags ask (virDomainVcpuFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), int> GetVcpus { get; } = new(200, s_flagged, Integer);

    /// <summary>Whether it is active.</summary>
    public static Procedure<RemoteDomain, bool> IsActive { get; } = new(150, s_domain, Truth);

    /// <summary>Whether it stays when it ends.</summary>
    public static Procedure<RemoteDomain, bool> IsPersistent { get; } = new(151, s_domain, Truth);

    /// <summary>Whether its definition was changed since it was started.</summary>
    public static Procedure<RemoteDomain, bool> IsUpdated { get; } = new(202, s_domain, Truth);

    /// <summary>Its label for the security driver, and whether that is enforced.</summary>
    public static Procedure<RemoteDomain, (ImmutableArray<int> Label, bool Enforcing)> GetSecurityLabel { get; } =
        new(121, s_domain, Of(List(Integer, 4097), Truth));

    /// <summary>What is odd about it, for people.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ImmutableArray<string>> GetMessages { get; } =
        new(426, s_flagged, List(Text, 2048));

    /// <summary>What it kept busy: requests and bytes read, requests and bytes written, errors, of one disk or all.</summary>
    public static Procedure<(RemoteDomain Domain, string Path), (long Reads, long ReadBytes, long Writes, long WrittenBytes, long Errors)> GetBlockStatistics { get; } =
        new(64, Of(s_domain, Text), Of(Hyper, Hyper, Hyper, Hyper, Hyper));

    /// <summary>The same by name. If no figures are asked for, how many there are.</summary>
    public static Procedure<(RemoteDomain Domain, string Path, int Count, uint Flags), (ImmutableArray<TypedParameter> Figures, int Count)> GetBlockFigures { get; } =
        new(243, Of(s_domain, Text, Integer, Unsigned), Of(s_parameters, Integer));

    /// <summary>How large the image of a disk is: allocated, as the guest sees it, and as a file.</summary>
    public static Procedure<(RemoteDomain Domain, string Path, uint Flags), (ulong Allocation, ulong Capacity, ulong Physical)> GetBlockSizes { get; } =
        new(194, Of(s_domain, Text, Unsigned), Of(UnsignedHyper, UnsignedHyper, UnsignedHyper));

    /// <summary>What a network card kept busy: bytes, packets, errors and drops, received and sent.</summary>
    public static Procedure<(RemoteDomain Domain, string Device), ((long Bytes, long Packets, long Errors, long Drops) Received, (long Bytes, long Packets, long Errors, long Drops) Sent)> GetCardStatistics { get; } =
        new(65, Of(s_domain, Text), Of(Of(Hyper, Hyper, Hyper, Hyper), Of(Hyper, Hyper, Hyper, Hyper)));

    /// <summary>How its memory is used, as tags (virDomainMemoryStatTags) and KiB.</summary>
    public static Procedure<(RemoteDomain Domain, uint Most, uint Flags), ImmutableArray<(int Tag, ulong Value)>> GetMemoryStatistics { get; } =
        new(159, Of(s_domain, Unsigned, Unsigned), List(Of(Integer, UnsignedHyper), 1024));

    /// <summary>Figures of several domains, all if none is named, in the groups that are asked for (virDomainStatsTypes).</summary>
    public static Procedure<(ImmutableArray<RemoteDomain> Domains, uint Groups, uint Flags), ImmutableArray<(RemoteDomain Domain, ImmutableArray<TypedParameter> Figures)>> GetStatistics { get; } =
        new(
            344, Of(List(s_domain, DomainProcedures.MostListed), Unsigned, Unsigned),
            List(Of(s_domain, s_parameters), DomainProcedures.MostListed));

    /// <summary>Disks that failed, and how.</summary>
    public static Procedure<(RemoteDomain Domain, uint Most, uint Flags), (ImmutableArray<(string Disk, int Error)> Errors, int Count)> GetDiskErrors { get; } =
        new(263, Of(s_domain, Unsigned, Unsigned), Of(List(Of(Text, Integer), 256), Integer));

    /// <summary>Changes the most memory that it can have, in KiB.</summary>
    public static Procedure<(RemoteDomain Domain, ulong Size), ValueTuple> SetMaximumMemory { get; } = new(30, Of(s_domain, UnsignedHyper), Nothing);

    /// <summary>Changes what it has of it, in KiB.</summary>
    public static Procedure<(RemoteDomain Domain, ulong Size), ValueTuple> SetMemory { get; } = new(31, Of(s_domain, UnsignedHyper), Nothing);

    /// <summary>The same; the flags say when, and which of both (virDomainMemoryModFlags).</summary>
    public static Procedure<(RemoteDomain Domain, ulong Size, uint Flags), ValueTuple> SetMemoryWithFlags { get; } =
        new(204, Of(s_domain, UnsignedHyper, Unsigned), Nothing);

    /// <summary>Changes how many processors it has.</summary>
    public static Procedure<(RemoteDomain Domain, uint Count), ValueTuple> SetVcpus { get; } = new(32, Of(s_domain, Unsigned), Nothing);

    /// <summary>The same; the flags say when (virDomainVcpuFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Count, uint Flags), ValueTuple> SetVcpusWithFlags { get; } =
        new(199, Of(s_domain, Unsigned, Unsigned), Nothing);
}
