using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Finds what calls name. A domain is found by its uuid, since a client may know it by an older name.</summary>
internal sealed class Domains(Home home, DomainWatch watch)
{
    /// <summary>The home.</summary>
    public Home Home => home;

    /// <summary>What is stored of the domain that a call names.</summary>
    /// <exception cref="RpcException">There is no such domain.</exception>
    public async Task<Catalog> FindAsync(RemoteDomain domain) =>
        await ReadAsync(domain.Uuid.ToString("D")).ConfigureAwait(false)
        ?? throw new RpcException(
            RpcCode.NoDomain, RpcOrigin.Qemu, $"Domain not found: no domain with matching uuid '{domain.Uuid:D}' ({domain.Name})");

    /// <summary>The same of one that is active.</summary>
    /// <exception cref="RpcException">There is no such domain, or it is off.</exception>
    public async Task<Catalog> FindActiveAsync(RemoteDomain domain)
    {
        var catalog = await FindAsync(domain).ConfigureAwait(false);
        return IsActive(catalog) ? catalog : throw RpcException.OperationInvalid("domain is not running");
    }

    /// <summary>What is stored of a domain, by name; null if there is none.</summary>
    public async Task<Catalog?> FindAsync(string name) =>
        await ReadAsync(name).ConfigureAwait(false) is { } found && found.Name == name ? found : null;

    /// <summary>What is stored of a domain, by uuid; null if there is none.</summary>
    public Task<Catalog?> FindAsync(DomainId domain) => ReadAsync(domain.ToString());

    /// <summary>The snapshot that a call names, and what it stands in.</summary>
    /// <exception cref="RpcException">There is no such domain or snapshot.</exception>
    public async Task<(Catalog Catalog, Snapshot Snapshot)> FindAsync(RemoteSnapshot snapshot)
    {
        var catalog = await FindAsync(snapshot.Domain).ConfigureAwait(false);
        return (catalog, Find(catalog, snapshot.Name));
    }

    /// <summary>The snapshot of a name.</summary>
    /// <exception cref="RpcException">There is no such snapshot.</exception>
    public static Snapshot Find(Catalog catalog, string name) => SnapshotNames.Of(catalog).Find(name)
        ?? throw new RpcException(RpcCode.NoSnapshot, RpcOrigin.Snapshot, $"Domain snapshot not found: no domain snapshot with matching name '{name}'");

    /// <summary>A domain and what it is doing.</summary>
    /// <exception cref="RpcException">There is no such domain.</exception>
    public async Task<DomainView> ObserveAsync(RemoteDomain domain, CancellationToken cancellation)
    {
        var catalog = await FindAsync(domain).ConfigureAwait(false);
        return await home.ObserveAsync(catalog.Domain.ToString(), cancellation).ConfigureAwait(false);
    }

    /// <summary>A domain as answers name it. Its id is the number of its process.</summary>
    public RemoteDomain Remote(Catalog catalog) =>
        new(catalog.Name, catalog.Domain.Value, home.ReadProcessId(catalog) ?? RemoteDomain.Off);

    /// <summary>Whether a process runs a domain.</summary>
    public bool IsActive(Catalog catalog) => home.ReadProcessId(catalog) is not null;

    /// <summary>Carries a request out, and answers with the domain as it is then.</summary>
    public async Task<RemoteDomain> RunAsync(Request request, Caller caller)
    {
        var result = await CarryOutAsync(request, null, caller).ConfigureAwait(false);
        return Remote(result.Catalog!);
    }

    /// <summary>Carries a request about a domain out.</summary>
    /// <param name="domain">The domain that the call names.</param>
    /// <param name="request">Makes the request, with the uuid of the domain.</param>
    /// <param name="caller">Who asks.</param>
    public async Task<ValueTuple> RunAsync(RemoteDomain domain, Func<string, Request> request, Caller caller)
    {
        var catalog = await FindAsync(domain).ConfigureAwait(false);
        await CarryOutAsync(request(catalog.Domain.ToString()), catalog.Domain, caller).ConfigureAwait(false);
        return default;
    }

    /// <summary>Carries a request out. What has become of the domain is told before it is answered.</summary>
    /// <param name="request">The request.</param>
    /// <param name="domain">The domain that it is about; null if it is only being made.</param>
    /// <param name="caller">Who asks.</param>
    public async Task<OperationResult> CarryOutAsync(Request request, DomainId? domain, Caller caller)
    {
        OperationResult? result = null;
        try
        {
            return result = await home.RunAsync(request, new RunOptions(), caller.Cancellation).ConfigureAwait(false);
        }
        finally
        {
            // What failed may have changed something all the same.
            if ((domain ?? result?.Catalog?.Domain) is { } about)
            {
                await watch.TryLookAsync(about, caller.Cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>What a domain is doing, and why.</summary>
    public async Task<RemoteState> StateOfAsync(RemoteDomain domain, CancellationToken cancellation)
    {
        return watch.Known(await FindAsync(domain).ConfigureAwait(false)) ?? StateOf(await ObserveAsync(domain, cancellation).ConfigureAwait(false));
    }

    /// <summary>What a domain is doing, and why.</summary>
    public RemoteState StateOf(DomainView view) => watch.StateOf(view.Catalog.Domain, view.Hypervisor.State);

    private async Task<Catalog?> ReadAsync(string nameOrId)
    {
        try
        {
            return await home.ReadCatalogAsync(nameOrId).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
            return null;
        }
    }
}

/// <summary>The flags of a call: those that are not known are refused, as libvirt does.</summary>
internal static class Flags
{
    public static void Require(uint flags, uint known, string call)
    {
        if ((flags & ~known) is var unknown and not 0)
        {
            throw RpcException.InvalidArgument($"unsupported flags (0x{unknown:x}) in {call}");
        }
    }

    public static void Exclude(uint flags, uint first, string firstName, uint second, string secondName)
    {
        if ((flags & first) != 0 && (flags & second) != 0)
        {
            throw RpcException.InvalidArgument($"{firstName} and {secondName} exclude each other");
        }
    }

    public static bool Has(this uint flags, uint flag) => (flags & flag) != 0;
}
