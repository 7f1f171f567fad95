using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked about domains.</summary>
internal sealed class DomainFigureCalls(Domains domains)
{
    // virDomainXMLFlags, virDomainVcpuFlags.
    private const uint XmlSecure = 1, XmlInactive = 2, XmlUpdateCpu = 4, XmlMigratable = 8;
    private const uint VcpusLive = 1, VcpusConfigured = 2, VcpusMaximum = 4;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Reads(DomainFigureProcedures.GetState, async (caller, asked) =>
        {
            var state = await domains.StateOfAsync(asked.Domain, caller.Cancellation).ConfigureAwait(false);
            return (state.State, state.Reason);
        });
        calls.Reads(DomainFigureProcedures.GetControl, async (_, asked) =>
        {
            await domains.FindActiveAsync(asked.Domain).ConfigureAwait(false);
            return (0u, 0u, 0ul);
        });
        calls.Reads(DomainFigureProcedures.GetOsType, async (_, domain) =>
        {
            await domains.FindAsync(domain).ConfigureAwait(false);
            return "hvm";
        });
        calls.Reads(DomainProcedures.GetManagedSaveXml, async (caller, asked) => (await domains.FindAsync(asked.Domain).ConfigureAwait(false)).Head.Saved is null
            ? throw RpcException.OperationInvalid("domain does not have managed save image")
            : await XmlAsync(caller, asked.Domain, asked.Flags).ConfigureAwait(false));
        calls.Reads(DomainFigureProcedures.GetMaximumMemory, async (caller, domain) =>
            (await domains.ObserveAsync(domain, caller.Cancellation).ConfigureAwait(false)).Definition.Memory.InKibibytes());
        calls.Reads(DomainFigureProcedures.GetMaximumVcpus, async (caller, domain) => await VcpusAsync(caller, domain, 0).ConfigureAwait(false));
        calls.Reads(DomainFigureProcedures.GetVcpus, (caller, asked) => VcpusAsync(caller, asked.Domain, asked.Flags));
        calls.Reads(DomainFigureProcedures.IsActive, async (_, domain) =>
            domains.IsActive(await domains.FindAsync(domain).ConfigureAwait(false)));
        calls.Reads(DomainFigureProcedures.IsPersistent, async (_, domain) =>
            (await domains.FindAsync(domain).ConfigureAwait(false)).Persistence is Persistence.Persistent or Persistence.Autostart);
        calls.Reads(DomainFigureProcedures.IsUpdated, async (_, domain) =>
        {
            await domains.FindAsync(domain).ConfigureAwait(false);
            return false;
        });
        calls.Reads(DomainProcedures.GetAutostart, async (_, domain) =>
            (await domains.FindAsync(domain).ConfigureAwait(false)).Persistence is Persistence.Autostart);
        calls.Reads(DomainProcedures.GetXml, (caller, asked) => XmlAsync(caller, asked.Domain, asked.Flags));
        calls.Reads(DomainFigureProcedures.GetMessages, async (_, asked) =>
        {
            await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            return [];
        });
        calls.Reads(DomainFigureProcedures.GetSecurityLabel, async (_, domain) =>
        {
            await domains.FindAsync(domain).ConfigureAwait(false);
            return ([0], false);
        });
        calls.Reads(DomainFigureProcedures.GetDiskErrors, async (_, asked) =>
        {
            await domains.FindActiveAsync(asked.Domain).ConfigureAwait(false);
            return ([], 0);
        });
    }

    private async Task<int> VcpusAsync(Caller caller, RemoteDomain domain, uint flags)
    {
        Flags.Require(flags, VcpusLive | VcpusConfigured | VcpusMaximum, "vcpu count");
        var view = await domains.ObserveAsync(domain, caller.Cancellation).ConfigureAwait(false);
        return flags.Has(VcpusLive) && !view.Hypervisor.IsAlive
            ? throw RpcException.OperationInvalid("domain is not running")
            : view.Definition.VirtualCpus;
    }

    private async Task<string> XmlAsync(Caller caller, RemoteDomain domain, uint flags)
    {
        Flags.Require(flags, XmlSecure | XmlInactive | XmlUpdateCpu | XmlMigratable, "domain XML");
        if (caller.Client.IsReadOnly && flags.Has(XmlSecure))
        {
            throw new RpcException(RpcCode.OperationDenied, RpcOrigin.Domain, "operation forbidden: read only access cannot see secrets");
        }

        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        var xml = await domains.Home.ReadDefinitionXmlAsync(catalog.Domain.ToString()).ConfigureAwait(false);
        var id = flags.Has(XmlInactive) ? null : domains.Home.ReadProcessId(catalog);
        ImmutableArray<MirrorView> mirrors = id is null || catalog.Mirrors.IsEmpty
            ? []
            : await domains.Home.ReadMirrorsAsync(catalog.Domain.ToString(), caller.Cancellation).ConfigureAwait(false);
        return new DomainXmlView(catalog, domains.Home.FolderOf(catalog), mirrors).Of(xml, id, flags.Has(XmlSecure));
    }
}
