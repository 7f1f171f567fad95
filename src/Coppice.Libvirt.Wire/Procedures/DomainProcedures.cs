using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>What is asked of domains: finding them, and their lives.</summary>
public static class DomainProcedures
{
    /// <summary>How many domains, snapshots or volumes a list may have.</summary>
    public const int MostListed = 16384;

    private static readonly XdrType<RemoteDomain> s_domain = RemoteDomain.Type;
    private static readonly XdrType<(RemoteDomain, uint)> s_flagged = Of(s_domain, Unsigned);

    /// <summary>All that flags let through.</summary>
    public static Procedure<(int NeedResults, uint Flags), (ImmutableArray<RemoteDomain> Domains, uint Count)> ListAll { get; } =
        new(273, Of(Integer, Unsigned), Of(List(s_domain, MostListed), Unsigned));

    /// <summary>The ids of those that are active.</summary>
    public static Procedure<int, ImmutableArray<int>> List { get; } = new(37, Integer, List(Integer, MostListed));

    /// <summary>How many are active.</summary>
    public static Procedure<ValueTuple, int> Count { get; } = new(51, Nothing, Integer);

    /// <summary>The names of those that are off.</summary>
    public static Procedure<int, ImmutableArray<string>> ListDefined { get; } = new(21, Integer, List(Text, MostListed));

    /// <summary>How many are off.</summary>
    public static Procedure<ValueTuple, int> CountDefined { get; } = new(25, Nothing, Integer);

    /// <summary>Finds one.</summary>
    public static Procedure<int, RemoteDomain> LookupById { get; } = new(22, Integer, s_domain);

    /// <summary>Finds one.</summary>
    public static Procedure<string, RemoteDomain> LookupByName { get; } = new(23, Text, s_domain);

    /// <summary>Finds one.</summary>
    public static Procedure<Guid, RemoteDomain> LookupByUuid { get; } = new(24, Uuid, s_domain);

    /// <summary>Makes a domain known, or replaces its definition.</summary>
    public static Procedure<string, RemoteDomain> Define { get; } = new(11, Text, s_domain);

    /// <summary>The same; bit 0 of the flags validates.</summary>
    public static Procedure<(string Xml, uint Flags), RemoteDomain> DefineWithFlags { get; } = new(350, Of(Text, Unsigned), s_domain);

    /// <summary>Forgets one.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Undefine { get; } = new(35, s_domain, Nothing);

    /// <summary>The same, with what it has (virDomainUndefineFlagsValues).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> UndefineWithFlags { get; } = new(231, s_flagged, Nothing);

    /// <summary>Runs a domain that is not to stay.</summary>
    public static Procedure<(string Xml, uint Flags), RemoteDomain> CreateXml { get; } = new(10, Of(Text, Unsigned), s_domain);

    /// <summary>Starts one.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Create { get; } = new(9, s_domain, Nothing);

    /// <summary>The same (virDomainCreateFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), RemoteDomain> CreateWithFlags { get; } = new(196, s_flagged, s_domain);

    /// <summary>Lets one stand still.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Suspend { get; } = new(34, s_domain, Nothing);

    /// <summary>Lets it go on.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Resume { get; } = new(28, s_domain, Nothing);

    /// <summary>Presses the power button, and does not wait.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Shutdown { get; } = new(33, s_domain, Nothing);

    /// <summary>The same; the flags say by which way.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> ShutdownWithFlags { get; } = new(258, s_flagged, Nothing);

    /// <summary>Reboots the guest; the flags say by which way.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> Reboot { get; } = new(27, s_flagged, Nothing);

    /// <summary>Presses the reset button.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> Reset { get; } = new(245, s_flagged, Nothing);

    /// <summary>Pulls the plug.</summary>
    public static Procedure<RemoteDomain, ValueTuple> Destroy { get; } = new(12, s_domain, Nothing);

    /// <summary>The same; bit 0 of the flags asks first.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> DestroyWithFlags { get; } = new(234, s_flagged, Nothing);

    /// <summary>Keeps the memory of one and switches it off.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> ManagedSave { get; } = new(182, s_flagged, Nothing);

    /// <summary>Whether that was done.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), bool> HasManagedSave { get; } = new(183, s_flagged, Truth);

    /// <summary>The definition that it goes on with, as XML.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), string> GetManagedSaveXml { get; } = new(388, s_flagged, Text);

    /// <summary>Gives the memory up.</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), ValueTuple> RemoveManagedSave { get; } = new(184, s_flagged, Nothing);

    /// <summary>Its definition, as XML (virDomainXMLFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Flags), string> GetXml { get; } = new(14, s_flagged, Text);

    /// <summary>Whether it is started with the host.</summary>
    public static Procedure<RemoteDomain, bool> GetAutostart { get; } = new(15, s_domain, Truth);

    /// <summary>Has it started with the host, or no longer.</summary>
    public static Procedure<(RemoteDomain Domain, bool IsOn), ValueTuple> SetAutostart { get; } = new(29, Of(s_domain, Truth), Nothing);

    /// <summary>Gives it another name.</summary>
    public static Procedure<(RemoteDomain Domain, string? Name, uint Flags), int> Rename { get; } = new(358, Of(s_domain, OptionalText, Unsigned), Integer);

    /// <summary>Its console as a stream of both directions.</summary>
    public static Procedure<(RemoteDomain Domain, string? Device, uint Flags), ValueTuple> OpenConsole { get; } =
        new(201, Of(s_domain, OptionalText, Unsigned), Nothing);

    /// <summary>A connection to one of its screens, in that screen's own protocol: a socket that is handed over (virDomainOpenGraphicsFlags).</summary>
    public static Procedure<(RemoteDomain Domain, uint Screen, uint Flags), ValueTuple> OpenScreen { get; } =
        new(343, Of(s_domain, Unsigned, Unsigned), Nothing);

    /// <summary>A picture of one of its screens, as a stream; the answer is the type of the picture.</summary>
    public static Procedure<(RemoteDomain Domain, uint Screen, uint Flags), string?> Screenshot { get; } =
        new(211, Of(s_domain, Unsigned, Unsigned), OptionalText);

    /// <summary>A note in its definition: description (0), title (1), or an element of somebody's namespace (2).</summary>
    public static Procedure<(RemoteDomain Domain, int Type, string? Namespace, uint Flags), string> GetMetadata { get; } =
        new(265, Of(s_domain, Integer, OptionalText, Unsigned), Text);

    /// <summary>
    /// Changes such a note: its text, null to remove it; what stands for the namespace, and the namespace; and where it counts
    /// (virDomainModificationImpact).
    /// </summary>
    public static Procedure<(RemoteDomain Domain, int Type, string? Text, (string? Prefix, string? Namespace) Place, uint Flags), ValueTuple> SetMetadata { get; } =
        new(264, Of(s_domain, Integer, OptionalText, Of(OptionalText, OptionalText), Unsigned), Nothing);
}
