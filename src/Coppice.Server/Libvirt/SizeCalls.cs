using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers who wants a domain to have another size: its memory and processors. They change while it is off: what a guest has when it runs is what
/// its snapshots keep.
/// </summary>
internal sealed class SizeCalls(Domains domains)
{
    // virDomainModificationImpact, virDomainMemoryModFlags, virDomainVcpuFlags.
    private const uint Live = 1, Configured = 2, Maximum = 4;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(DomainFigureProcedures.SetMaximumMemory, (caller, asked) => ResizeAsync(caller, asked.Domain, 0, id => OfMemory(id, asked.Size, Maximum)));
        calls.Changes(DomainFigureProcedures.SetMemory, (caller, asked) => ResizeAsync(caller, asked.Domain, Live, id => OfMemory(id, asked.Size, 0)));
        calls.Changes(DomainFigureProcedures.SetMemoryWithFlags, (caller, asked) =>
            ResizeAsync(caller, asked.Domain, asked.Flags, id => OfMemory(id, asked.Size, asked.Flags)));
        calls.Changes(DomainFigureProcedures.SetVcpus, (caller, asked) => ResizeAsync(caller, asked.Domain, Live, id => OfVcpus(id, asked.Count)));
        calls.Changes(DomainFigureProcedures.SetVcpusWithFlags, (caller, asked) =>
            ResizeAsync(caller, asked.Domain, asked.Flags, id => OfVcpus(id, asked.Count)));
    }

    private async Task<ValueTuple> ResizeAsync(Caller caller, RemoteDomain domain, uint flags, Func<string, EditDomain> resize)
    {
        Flags.Require(flags, Live | Configured | Maximum, "size of a domain");
        var isActive = domains.IsActive(await domains.FindAsync(domain).ConfigureAwait(false));
        return (isActive, flags.Has(Live)) switch
        {
            (false, true) => throw RpcException.OperationInvalid("domain is not running"),
            (true, _) => throw RpcException.Unsupported("memory and processors change while the domain is off: its snapshots fit those that it has"),
            _ => await domains.RunAsync(domain, resize, caller).ConfigureAwait(false),
        };
    }

    private static EditDomain OfMemory(string domain, ulong kibibytes, uint flags)
    {
        var size = Units.OfKibibytes(kibibytes) ?? throw RpcException.InvalidArgument($"no domain has {kibibytes} KiB");
        return flags.Has(Maximum) ? new EditDomain(domain) { Memory = size } : new EditDomain(domain) { CurrentMemory = size };
    }

    private static EditDomain OfVcpus(string domain, uint count) => count is > 0 and <= CapabilityXml.MaximumVcpus
        ? new EditDomain(domain) { VirtualCpus = (int)count }
        : throw RpcException.InvalidArgument($"no domain has {count} vcpus");
}
