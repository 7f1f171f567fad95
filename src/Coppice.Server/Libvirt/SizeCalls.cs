using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers who wants a domain to have another size: its memory and processors. They change while it is off: what a guest has when it runs is what
/// its snapshots keep.
/// </summary>
internal sealed class SizeCalls(Domains domains)
{
    private const long Kibibyte = 1024;

    // virDomainModificationImpact, virDomainMemoryModFlags, virDomainVcpuFlags.
    private const uint Live = 1, Configured = 2, Maximum = 4;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(DomainFigureProcedures.SetMaximumMemory, (caller, asked) => ResizeAsync(caller, asked.Domain, 0, d => WithMost(d, asked.Size)));
        calls.Changes(DomainFigureProcedures.SetMemory, (caller, asked) => ResizeAsync(caller, asked.Domain, Live, d => With(d, asked.Size)));
        calls.Changes(DomainFigureProcedures.SetMemoryWithFlags, (caller, asked) =>
        {
            Flags.Require(asked.Flags, Live | Configured | Maximum, "memory size");
            return ResizeAsync(caller, asked.Domain, asked.Flags, d => asked.Flags.Has(Maximum) ? WithMost(d, asked.Size) : With(d, asked.Size));
        });
        calls.Changes(DomainFigureProcedures.SetVcpus, (caller, asked) => ResizeAsync(caller, asked.Domain, Live, d => WithVcpus(d, asked.Count)));
        calls.Changes(DomainFigureProcedures.SetVcpusWithFlags, (caller, asked) =>
        {
            Flags.Require(asked.Flags, Live | Configured | Maximum, "vcpu count");
            return ResizeAsync(caller, asked.Domain, asked.Flags, d => WithVcpus(d, asked.Count));
        });
    }

    private async Task<ValueTuple> ResizeAsync(Caller caller, RemoteDomain domain, uint flags, Func<DomainDefinition, DomainDefinition> resize)
    {
        var view = await domains.ObserveAsync(domain, caller.Cancellation).ConfigureAwait(false);
        if (flags.Has(Live) && !view.Hypervisor.IsAlive)
        {
            throw RpcException.OperationInvalid("domain is not running");
        }

        return view.Hypervisor.IsAlive
            ? throw RpcException.Unsupported("memory and processors change while the domain is off, since what its snapshots keep of a guest is of the size that it has")
            : await domains.RunAsync(domain, _ => new DefineDomain(resize(view.Definition)), caller).ConfigureAwait(false);
    }

    private static DomainDefinition WithMost(DomainDefinition definition, ulong kibibytes)
    {
        var most = Size(kibibytes);
        return definition with { Memory = most, CurrentMemory = definition.CurrentMemory is { } current && current.Bytes < most.Bytes ? current : null };
    }

    private static DomainDefinition With(DomainDefinition definition, ulong kibibytes)
    {
        var size = Size(kibibytes);
        return size.Bytes > definition.Memory.Bytes
            ? throw RpcException.InvalidArgument("cannot set memory higher than max memory")
            : definition with { CurrentMemory = size == definition.Memory ? null : size };
    }

    private static ByteCount Size(ulong kibibytes) => kibibytes is > 0 and <= long.MaxValue / Kibibyte
        ? new ByteCount((long)kibibytes * Kibibyte)
        : throw RpcException.InvalidArgument($"no domain has {kibibytes} KiB");

    private static DomainDefinition WithVcpus(DomainDefinition definition, uint count) => count is > 0 and <= CapabilityXml.MaximumVcpus
        ? definition with { VirtualCpus = (int)count, Topology = null }
        : throw RpcException.InvalidArgument($"no domain has {count} vcpus");
}
