using System.Xml.Linq;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers who wants devices to come and go: disks, and the cables of network cards. A domain has one definition, so that what is changed while it
/// runs stays changed.
/// </summary>
internal sealed class DeviceCalls(Domains domains, IdSource ids)
{
    // virDomainDeviceModifyFlags.
    private const uint Live = 1, Configuration = 2, Force = 4;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(DeviceProcedures.Attach, (caller, asked) => AttachAsync(caller, asked.Domain, asked.Xml, Live));
        calls.Changes(DeviceProcedures.AttachWithFlags, (caller, asked) => AttachAsync(caller, asked.Domain, asked.Xml, asked.Flags));
        calls.Changes(DeviceProcedures.Detach, (caller, asked) => DetachAsync(caller, asked.Domain, asked.Xml, Live));
        calls.Changes(DeviceProcedures.DetachWithFlags, (caller, asked) => DetachAsync(caller, asked.Domain, asked.Xml, asked.Flags));
        calls.Changes(DeviceProcedures.Update, (caller, asked) => UpdateAsync(caller, asked.Domain, asked.Xml, asked.Flags));
    }

    private async Task<ValueTuple> AttachAsync(Caller caller, RemoteDomain domain, string xml, uint flags)
    {
        await RequireAsync(domain, flags, "attach device").ConfigureAwait(false);
        var disk = Disk(Element(xml, "disk"));
        var image = new NewDisk(disk.Source ?? throw RpcException.InvalidArgument("a disk without a source cannot be attached"), disk.Format, disk.Type);
        try
        {
            return await domains.RunAsync(
                domain, id => new AttachDisk(id, image) { Target = disk.Target, Bus = disk.Bus, ReadOnly = disk.ReadOnly, Serial = disk.Serial }, caller)
                .ConfigureAwait(false);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
            throw new RpcException(RpcCode.SystemError, RpcOrigin.Qemu, $"Cannot access storage file '{disk.Source}': {e.Message}");
        }
    }

    private async Task<ValueTuple> DetachAsync(Caller caller, RemoteDomain domain, string xml, uint flags)
    {
        await RequireAsync(domain, flags, "detach device").ConfigureAwait(false);
        var target = Element(xml, "disk").Element("target")?.Attribute("dev")?.Value
            ?? throw RpcException.InvalidArgument("a disk without a target cannot be found");
        return await domains.RunAsync(domain, id => new DetachDisk(id, target, Discard: false), caller).ConfigureAwait(false);
    }

    private async Task<ValueTuple> UpdateAsync(Caller caller, RemoteDomain domain, string xml, uint flags)
    {
        await RequireAsync(domain, flags, "update device").ConfigureAwait(false);
        var card = Element(xml, "interface");
        var mac = card.Element("mac")?.Attribute("address")?.Value ?? throw RpcException.InvalidArgument("a network card without an address cannot be found");
        return await domains.RunAsync(domain, id => new SetLink(id, mac, card.Element("link")?.Attribute("state")?.Value is not "down"), caller)
            .ConfigureAwait(false);
    }

    /// <summary>What is changed of a domain that runs is changed for its next start as well.</summary>
    private async Task RequireAsync(RemoteDomain domain, uint flags, string call)
    {
        Flags.Require(flags, Live | Configuration | Force, call);
        var isActive = domains.IsActive(await domains.FindAsync(domain).ConfigureAwait(false));
        if (flags.Has(Live) && !isActive)
        {
            throw RpcException.OperationInvalid("domain is not running");
        }

        if (isActive && (flags & (Live | Configuration)) is Configuration)
        {
            throw RpcException.Unsupported("a device comes and goes at once, and not only at the next start");
        }
    }

    private static XElement Element(string xml, string name)
    {
        var element = Documents.Element(xml, "device XML");
        return element.Name == name ? element : throw RpcException.Unsupported($"<{element.Name.LocalName}> is not changed here, only <{name}>");
    }

    /// <summary>A disk as a domain would have it.</summary>
    private DiskDevice Disk(XElement disk)
    {
        var domain = new XElement(
            "domain", new XAttribute("type", "qemu"), new XElement("name", "device"), new XElement("memory", 1 << 16),
            new XElement("os", new XElement("type", "hvm")), new XElement("devices", disk));
        return Documents.Domain(domain.ToString(), validates: false, ids).Disks[0];
    }
}
