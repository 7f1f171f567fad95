using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>What is asked of the devices of a domain, each as an element of its definition. Flags are those of virDomainDeviceModifyFlags.</summary>
public static class DeviceProcedures
{
    private static readonly XdrType<(RemoteDomain, string)> s_device = Of(RemoteDomain.Type, Text);
    private static readonly XdrType<(RemoteDomain, string, uint)> s_flagged = Of(RemoteDomain.Type, Text, Unsigned);

    /// <summary>Gives a domain that is active a device.</summary>
    public static Procedure<(RemoteDomain Domain, string Xml), ValueTuple> Attach { get; } = new(8, s_device, Nothing);

    /// <summary>The same, active or not.</summary>
    public static Procedure<(RemoteDomain Domain, string Xml, uint Flags), ValueTuple> AttachWithFlags { get; } = new(160, s_flagged, Nothing);

    /// <summary>Takes a device from a domain that is active.</summary>
    public static Procedure<(RemoteDomain Domain, string Xml), ValueTuple> Detach { get; } = new(13, s_device, Nothing);

    /// <summary>The same, active or not.</summary>
    public static Procedure<(RemoteDomain Domain, string Xml, uint Flags), ValueTuple> DetachWithFlags { get; } = new(161, s_flagged, Nothing);

    /// <summary>Changes what can be changed of a device.</summary>
    public static Procedure<(RemoteDomain Domain, string Xml, uint Flags), ValueTuple> Update { get; } = new(174, s_flagged, Nothing);
}
