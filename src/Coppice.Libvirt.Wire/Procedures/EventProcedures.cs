using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>How a client asks to be told of something, and what it is told.</summary>
public static class EventProcedures
{
    private static readonly XdrType<RemoteDomain> s_domain = RemoteDomain.Type;
    private static readonly XdrType<(int, RemoteDomain)> s_about = Of(Integer, s_domain);

    /// <summary>Asks to be told of an event (virDomainEventID) of a domain, or of all; the answer is what the notices begin with.</summary>
    public static Procedure<(int Event, RemoteDomain? Domain), int> Register { get; } = new(316, Of(Integer, Optional(s_domain)), Integer);

    /// <summary>No longer.</summary>
    public static Procedure<int, ValueTuple> Deregister { get; } = new(317, Integer, Nothing);

    /// <summary>The same for networks, of which there are none.</summary>
    public static Procedure<(int Event, RemoteObject? Network), int> RegisterNetwork { get; } = new(313, Of(Integer, Optional(RemoteObject.Type)), Integer);

    /// <summary>No longer.</summary>
    public static Procedure<int, ValueTuple> DeregisterNetwork { get; } = new(314, Integer, Nothing);

    /// <summary>The same for storage pools.</summary>
    public static Procedure<(int Event, RemoteObject? Pool), int> RegisterPool { get; } = new(368, Of(Integer, Optional(RemoteObject.Type)), Integer);

    /// <summary>No longer.</summary>
    public static Procedure<int, ValueTuple> DeregisterPool { get; } = new(369, Integer, Nothing);

    /// <summary>The same for the host's devices.</summary>
    public static Procedure<(int Event, string? Device), int> RegisterNodeDevice { get; } = new(374, Of(Integer, OptionalText), Integer);

    /// <summary>No longer.</summary>
    public static Procedure<int, ValueTuple> DeregisterNodeDevice { get; } = new(375, Integer, Nothing);

    /// <summary>A domain lives on differently (virDomainEventType and what belongs to each).</summary>
    public static Notice<(int Callback, RemoteDomain Domain, int Event, int Detail)> Lifecycle { get; } = new(318, Of(Integer, s_domain, Integer, Integer));

    /// <summary>A guest was reset.</summary>
    public static Notice<(int Callback, RemoteDomain Domain)> Reboot { get; } = new(319, s_about);

    /// <summary>An image could not be read or written: its path, the disk, and what its guest is told (virDomainEventIOErrorAction).</summary>
    public static Notice<(int Callback, RemoteDomain Domain, string Path, string Device, int Action)> IoError { get; } =
        new(322, Of(Integer, s_domain, Text, Text, Integer));

    /// <summary>The same, and why: <c>enospc</c> if there was no room.</summary>
    public static Notice<(int Callback, RemoteDomain Domain, (string Path, string Device, int Action, string Reason) Error)> IoErrorWithReason { get; } =
        new(324, Of(Integer, s_domain, Of(Text, Text, Integer, Text)));

    /// <summary>The job of a disk has changed, which is named by path (virConnectDomainEventBlockJobStatus).</summary>
    public static Notice<(int Callback, RemoteDomain Domain, string Path, int Type, int Status)> BlockJob { get; } =
        new(326, Of(Integer, s_domain, Text, Integer, Integer));

    /// <summary>The same, with the disk named by target.</summary>
    public static Notice<(int Callback, RemoteDomain Domain, string Target, int Type, int Status)> BlockJobByTarget { get; } =
        new(339, Of(Integer, s_domain, Text, Integer, Integer));

    /// <summary>The memory of a guest has been saved, for itself or with a snapshot: figures, first which of both (virDomainJobOperation).</summary>
    public static Notice<(int Callback, RemoteDomain Domain, ImmutableArray<TypedParameter> Figures)> JobCompleted { get; } =
        new(363, Of(Integer, s_domain, List(TypedParameter.Type, TypedParameter.Most)));

    /// <summary>A note in the definition of a domain has changed: which, and of what namespace (<see cref="DomainProcedures.GetMetadata"/>).</summary>
    public static Notice<(int Callback, RemoteDomain Domain, int Type, string? Namespace)> MetadataChanged { get; } =
        new(379, Of(Integer, s_domain, Integer, OptionalText));
}
