using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>A job of a domain, as virDomainJobInfo describes it: kind, milliseconds, and bytes of all, memory and files.</summary>
/// <param name="Type">What it is (virDomainJobType); 0 is none.</param>
public sealed record RemoteJob(int Type)
{
    private static readonly XdrType<(ulong, ulong, ulong)> s_bytes = Of(UnsignedHyper, UnsignedHyper, UnsignedHyper);

    /// <summary>For how long it has been running, in milliseconds.</summary>
    public ulong Elapsed { get; init; }

    /// <summary>How much there is, was done, and is left, in bytes.</summary>
    public (ulong Total, ulong Processed, ulong Remaining) Data { get; init; }

    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteJob> Layout { get; } = Of(Integer, Of(UnsignedHyper, UnsignedHyper), s_bytes, s_bytes, s_bytes).As(
        j => new RemoteJob(j.Item1) { Elapsed = j.Item2.Item1, Data = j.Item3 },
        j => (j.Type, (j.Elapsed, 0UL), j.Data, default, default));
}

/// <summary>What is asked of jobs: of a domain as such, and of the blocks of its disks.</summary>
public static class JobProcedures
{
    private static readonly XdrType<RemoteDomain> s_domain = RemoteDomain.Type;
    private static readonly XdrType<ImmutableArray<TypedParameter>> s_parameters = List(TypedParameter.Type, TypedParameter.Most);

    /// <summary>What a domain is busy with.</summary>
    public static Procedure<RemoteDomain, RemoteJob> GetJob { get; } = new(163, s_domain, RemoteJob.Layout);

    /// <summary>The same by name; bit 0 of the flags is for the last one that ended.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), (int Type, ImmutableArray<TypedParameter> Figures)> GetJobFigures { get; } =
        new(298, Of(s_domain, Unsigned), Of(Integer, s_parameters));

    /// <summary>Has it give that up.</summary>
    public static Procedure<RemoteDomain, ValueTuple> AbortJob { get; } = new(164, s_domain, Nothing);

    /// <summary>Merges layers of a disk downwards (virDomainBlockCommitFlags).</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, (string? Base, string? Top, ulong Bandwidth) Layers, uint Flags), ValueTuple> BlockCommit { get; } =
        new(290, Of(s_domain, Text, Of(OptionalText, OptionalText, UnsignedHyper), Unsigned), Nothing);

    /// <summary>Merges all layers below a disk's into it.</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, ulong Bandwidth, uint Flags), ValueTuple> BlockPull { get; } =
        new(240, Of(s_domain, Text, UnsignedHyper, Unsigned), Nothing);

    /// <summary>Merges the layers of a disk down to one into it, or copies it (virDomainBlockRebaseFlags).</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, string? Base, ulong Bandwidth, uint Flags), ValueTuple> BlockRebase { get; } =
        new(266, Of(s_domain, Text, OptionalText, UnsignedHyper, Unsigned), Nothing);

    /// <summary>Copies a disk to a place that is given as XML.</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, string Xml, ImmutableArray<TypedParameter> Parameters, uint Flags), ValueTuple> BlockCopy { get; } =
        new(345, Of(s_domain, Text, Text, s_parameters, Unsigned), Nothing);

    /// <summary>How far a disk's job has come: whether there is one, its type, bandwidth, what was done and what there is.</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, uint Flags), (bool Found, int Type, ulong Bandwidth, ulong Current, ulong End)> GetBlockJob { get; } =
        new(238, Of(s_domain, Text, Unsigned), Of(Truth, Integer, UnsignedHyper, UnsignedHyper, UnsignedHyper));

    /// <summary>Ends a disk's job; bit 1 of the flags pivots to its result.</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, uint Flags), ValueTuple> AbortBlockJob { get; } =
        new(237, Of(s_domain, Text, Unsigned), Nothing);

    /// <summary>Makes a disk larger; in KiB, or in bytes with bit 0 of the flags.</summary>
    public static Procedure<(RemoteDomain Domain, string Disk, ulong Size, uint Flags), ValueTuple> BlockResize { get; } =
        new(251, Of(s_domain, Text, UnsignedHyper, Unsigned), Nothing);
}
