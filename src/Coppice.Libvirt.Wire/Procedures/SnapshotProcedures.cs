using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>What is asked of snapshots.</summary>
public static class SnapshotProcedures
{
    private static readonly XdrType<RemoteDomain> s_domain = RemoteDomain.Type;
    private static readonly XdrType<RemoteSnapshot> s_snapshot = RemoteSnapshot.Type;
    private static readonly XdrType<(RemoteDomain, uint)> s_ofDomain = Of(s_domain, Unsigned);
    private static readonly XdrType<(RemoteSnapshot, uint)> s_ofSnapshot = Of(s_snapshot, Unsigned);
    private static readonly XdrType<ImmutableArray<string>> s_names = List(Text, DomainProcedures.MostListed);
    private static readonly XdrType<(ImmutableArray<RemoteSnapshot>, int)> s_found = Of(List(s_snapshot, DomainProcedures.MostListed), Integer);

    /// <summary>Takes one, or redefines one (virDomainSnapshotCreateFlags).</summary>
    public static Procedure<(RemoteDomain Domain, string Xml, uint Flags), RemoteSnapshot> Create { get; } =
        new(185, Of(s_domain, Text, Unsigned), s_snapshot);

    /// <summary>What it is, as XML (virDomainSnapshotXMLFlags).</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), string> GetXml { get; } = new(186, s_ofSnapshot, Text);

    /// <summary>How many of a domain flags let through (virDomainSnapshotListFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), int> Count { get; } = new(187, s_ofDomain, Integer);

    /// <summary>Their names.</summary>
    public static Procedure<(RemoteDomain Domain, int Most, uint Flags), ImmutableArray<string>> ListNames { get; } =
        new(188, Of(s_domain, Integer, Unsigned), s_names);

    /// <summary>The same as objects.</summary>
    public static Procedure<(RemoteDomain Domain, int NeedResults, uint Flags), (ImmutableArray<RemoteSnapshot> Snapshots, int Count)> ListAll { get; } =
        new(274, Of(s_domain, Integer, Unsigned), s_found);

    /// <summary>How many below another flags let through.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), int> CountChildren { get; } = new(246, s_ofSnapshot, Integer);

    /// <summary>Their names.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, int Most, uint Flags), ImmutableArray<string>> ListChildrenNames { get; } =
        new(247, Of(s_snapshot, Integer, Unsigned), s_names);

    /// <summary>The same as objects.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, int NeedResults, uint Flags), (ImmutableArray<RemoteSnapshot> Snapshots, int Count)> ListAllChildren { get; } =
        new(275, Of(s_snapshot, Integer, Unsigned), s_found);

    /// <summary>Finds one.</summary>
    public static Procedure<(RemoteDomain Domain, string Name, uint Flags), RemoteSnapshot> LookupByName { get; } =
        new(189, Of(s_domain, Text, Unsigned), s_snapshot);

    /// <summary>Whether there is a current one.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), bool> HasCurrent { get; } = new(190, s_ofDomain, Truth);

    /// <summary>The current one.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), RemoteSnapshot> GetCurrent { get; } = new(191, s_ofDomain, s_snapshot);

    /// <summary>Whether it is that.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), bool> IsCurrent { get; } = new(271, s_ofSnapshot, Truth);

    /// <summary>Whether it is on record. Others than these cannot be named.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), bool> HasMetadata { get; } = new(272, s_ofSnapshot, Truth);

    /// <summary>The one that it was taken on.</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), RemoteSnapshot> GetParent { get; } = new(244, s_ofSnapshot, s_snapshot);

    /// <summary>Puts its domain on it (virDomainSnapshotRevertFlags).</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), ValueTuple> Revert { get; } = new(192, s_ofSnapshot, Nothing);

    /// <summary>Removes it (virDomainSnapshotDeleteFlags).</summary>
    public static Procedure<(RemoteSnapshot Snapshot, uint Flags), ValueTuple> Delete { get; } = new(193, s_ofSnapshot, Nothing);

    /// <summary>The checkpoints of a domain that flags let through.</summary>
    public static Procedure<(RemoteDomain Domain, int NeedResults, uint Flags), (ImmutableArray<RemoteSnapshot> Checkpoints, int Count)> ListAllCheckpoints { get; } =
        new(413, Of(s_domain, Integer, Unsigned), s_found);

    /// <summary>Finds a checkpoint.</summary>
    public static Procedure<(RemoteDomain Domain, string Name, uint Flags), RemoteSnapshot> LookupCheckpoint { get; } =
        new(415, Of(s_domain, Text, Unsigned), s_snapshot);
}
