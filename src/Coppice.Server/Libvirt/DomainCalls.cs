using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of domains: finding, defining, and their lives.</summary>
internal sealed class DomainCalls(Domains domains, IdSource ids, ILogger log)
{
    // virDomainCreateFlags, virDomainDefineFlags, virDomainUndefineFlagsValues, virDomainDestroyFlags, virDomainSaveRestoreFlags.
    private const uint StartPaused = 1, StartAutodestroy = 2, StartBypassCache = 4, StartAnew = 8, StartValidate = 16, StartResetVariables = 32;
    private const uint DefineValidate = 1;
    private const uint UndefineSaved = 1, UndefineSnapshots = 2, UndefineAll = 127;
    private const uint DestroyGraceful = 1;
    private const uint SaveBypassCache = 1, SaveRunning = 2, SavePaused = 4;

    // Of virDomainShutdownFlagValues and virDomainRebootFlagValues.
    private const uint PowerButton = 1;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        Find(calls);
        calls.Changes(DomainProcedures.Define, (caller, xml) => DefineAsync(caller, xml, 0));
        calls.Changes(DomainProcedures.DefineWithFlags, (caller, asked) => DefineAsync(caller, asked.Xml, asked.Flags));
        calls.Changes(DomainProcedures.CreateXml, (caller, asked) => CreateXmlAsync(caller, asked.Xml, asked.Flags));
        calls.Changes(DomainProcedures.Undefine, (caller, domain) => UndefineAsync(caller, domain, 0));
        calls.Changes(DomainProcedures.UndefineWithFlags, (caller, asked) => UndefineAsync(caller, asked.Domain, asked.Flags));
        Live(calls);
        calls.Changes(DomainProcedures.SetAutostart, (caller, asked) => domains.RunAsync(asked.Domain, id => new SetAutostart(id, asked.IsOn), caller));
        calls.Changes(DomainProcedures.Rename, async (caller, asked) =>
        {
            Flags.Require(asked.Flags, 0, "rename");
            await domains.RunAsync(asked.Domain, id => new RenameDomain(id, asked.Name ?? ""), caller).ConfigureAwait(false);
            return 0;
        });
    }

    private void Find(CallTable calls)
    {
        calls.Reads(DomainProcedures.ListAll, async (caller, asked) =>
        {
            var found = await ListAsync(asked.Flags, caller.Cancellation).ConfigureAwait(false);
            return (asked.NeedResults != 0 ? found : [], (uint)found.Length);
        });
        calls.Reads(DomainProcedures.List, async (caller, most) =>
            [.. (await ListAsync(DomainFilter.Active, caller.Cancellation).ConfigureAwait(false)).Select(d => d.Id).Take(most)]);
        calls.Reads(DomainProcedures.Count, async (caller, _) =>
            (await ListAsync(DomainFilter.Active, caller.Cancellation).ConfigureAwait(false)).Length);
        calls.Reads(DomainProcedures.ListDefined, async (caller, most) =>
            [.. (await ListAsync(DomainFilter.Inactive, caller.Cancellation).ConfigureAwait(false)).Select(d => d.Name).Take(most)]);
        calls.Reads(DomainProcedures.CountDefined, async (caller, _) =>
            (await ListAsync(DomainFilter.Inactive, caller.Cancellation).ConfigureAwait(false)).Length);
        calls.Reads(DomainProcedures.LookupByUuid, async (_, uuid) =>
            domains.Remote(await domains.FindAsync(new RemoteDomain("", uuid, RemoteDomain.Off)).ConfigureAwait(false)));
        calls.Reads(DomainProcedures.LookupByName, async (_, name) => await domains.FindAsync(name).ConfigureAwait(false) is { } found
            ? domains.Remote(found)
            : throw NotFound($"no domain with matching name '{name}'"));
        calls.Reads(DomainProcedures.LookupById, id => domains.Home.ReadCatalogs().Select(domains.Remote).FirstOrDefault(d => id >= 0 && d.Id == id)
            ?? throw NotFound($"no domain with matching id {id}"));
    }

    private void Live(CallTable calls)
    {
        calls.Changes(DomainProcedures.Create, async (caller, domain) =>
        {
            await StartAsync(caller, domain, 0).ConfigureAwait(false);
            return default;
        });
        calls.Changes(DomainProcedures.CreateWithFlags, (caller, asked) => StartAsync(caller, asked.Domain, asked.Flags));
        calls.Changes(DomainProcedures.Suspend, (caller, domain) => domains.RunAsync(domain, id => new PauseDomain(id), caller));
        calls.Changes(DomainProcedures.Resume, async (caller, domain) =>
        {
            var view = await domains.ObserveAsync(domain, caller.Cancellation).ConfigureAwait(false);
            return view.Hypervisor.State is DomainState.Running
                ? throw RpcException.OperationInvalid("domain is already running")
                : await domains.RunAsync(domain, id => new ResumeDomain(id), caller).ConfigureAwait(false);
        });
        calls.Changes(DomainProcedures.Shutdown, (caller, domain) => domains.RunAsync(domain, id => new StopDomain(id, Limit: null), caller));
        calls.Changes(DomainProcedures.ShutdownWithFlags, (caller, asked) =>
        {
            RequireWay(asked.Flags, "shutdown");
            return domains.RunAsync(asked.Domain, id => new StopDomain(id, Limit: null), caller);
        });
        calls.Changes(DomainProcedures.Reboot, (caller, asked) =>
        {
            RequireWay(asked.Flags, "reboot");
            return domains.RunAsync(asked.Domain, id => new RebootDomain(id), caller);
        });
        calls.Changes(DomainProcedures.Reset, (caller, asked) =>
        {
            Flags.Require(asked.Flags, 0, "reset");
            return domains.RunAsync(asked.Domain, id => new ResetDomain(id), caller);
        });
        calls.Changes(DomainProcedures.Destroy, (caller, domain) => domains.RunAsync(domain, id => new KillDomain(id), caller));
        calls.Changes(DomainProcedures.DestroyWithFlags, (caller, asked) =>
        {
            Flags.Require(asked.Flags, DestroyGraceful, "destroy");
            return domains.RunAsync(asked.Domain, id => new KillDomain(id), caller);
        });
        calls.Changes(DomainProcedures.ManagedSave, (caller, asked) =>
        {
            Flags.Require(asked.Flags, SaveBypassCache | SaveRunning | SavePaused, "managed save");
            Flags.Exclude(asked.Flags, SaveRunning, "running", SavePaused, "paused");
            bool? paused = asked.Flags.Has(SavePaused) ? true : asked.Flags.Has(SaveRunning) ? false : null;
            return domains.RunAsync(asked.Domain, id => new SaveDomain(id) { Paused = paused }, caller);
        });
        calls.Changes(DomainProcedures.RemoveManagedSave, (caller, asked) => domains.RunAsync(asked.Domain, id => new DiscardSavedMemory(id), caller));
        calls.Reads(DomainProcedures.HasManagedSave, async (_, asked) => (await domains.FindAsync(asked.Domain).ConfigureAwait(false)).Head.Saved is not null);
    }

    private async Task<ImmutableArray<RemoteDomain>> ListAsync(uint flags, CancellationToken cancellation)
    {
        var filter = new DomainFilter(flags);
        var found = filter.IsOfState
            ? (await domains.Home.ListAsync(cancellation).ConfigureAwait(false)).Domains.Where(filter.Passes).Select(v => domains.Remote(v.Catalog))
            : (await domains.Home.ListCatalogsAsync(cancellation).ConfigureAwait(false))
                .Select(c => (Catalog: c, Remote: domains.Remote(c))).Where(d => filter.Passes(d.Catalog, d.Remote.Id != RemoteDomain.Off)).Select(d => d.Remote);
        return [.. found.Take(DomainProcedures.MostListed)];
    }

    private async Task<RemoteDomain> DefineAsync(Caller caller, string xml, uint flags)
    {
        Flags.Require(flags, DefineValidate, "define");
        var definition = await AsStoredAsync(Documents.Domain(xml, flags.Has(DefineValidate), ids), caller.Cancellation).ConfigureAwait(false);
        return await domains.RunAsync(new DefineDomain(definition), caller).ConfigureAwait(false);
    }

    /// <summary>
    /// A definition that was read here has each disk on the layer that it is on (<see cref="DomainXmlView"/>): who gives it back means the
    /// disk as it is.
    /// </summary>
    private async Task<DomainDefinition> AsStoredAsync(DomainDefinition definition, CancellationToken cancellation)
    {
        if (await domains.FindAsync(definition.Id).ConfigureAwait(false) is not { } catalog)
        {
            RequireNotKept(definition);
            return definition;
        }

        var stored = (await domains.Home.ObserveAsync(catalog.Domain.ToString(), cancellation).ConfigureAwait(false)).Definition;
        var paths = catalog.Head.Disks.ToDictionary(d => d.Target, d => LayerGraph.Of(catalog)[d.Layer].Path);
        return definition with
        {
            Disks = [.. definition.Disks.Select(disk => AsStored(disk, stored.Disks.FirstOrDefault(d => d.Target == disk.Target)))],
        };

        DiskDevice AsStored(DiskDevice disk, DiskDevice? known) =>
            known is not null && disk.Source is { } source && paths.GetValueOrDefault(disk.Target) == source
                ? disk with { Source = known.Source, Type = known.Type, Format = known.Format }
                : disk;
    }

    /// <summary>Whoever gives back the definition of a domain that was undefined has its disks where they were.</summary>
    private void RequireNotKept(DomainDefinition definition)
    {
        foreach (var kept in domains.Home.ReadUndefined(definition.Id))
        {
            var was = kept[..kept.LastIndexOf('.')];
            if (definition.Disks.FirstOrDefault(d => d.Source?.StartsWith($"{was}/", StringComparison.Ordinal) is true && !File.Exists(d.Source)) is { } disk)
            {
                throw RpcException.OperationInvalid(
                    $"{disk.Source} was kept when the domain was undefined; to have it back with all its snapshots: mv {kept} {was}");
            }
        }
    }

    private async Task<RemoteDomain> CreateXmlAsync(Caller caller, string xml, uint flags)
    {
        RequireStart(flags);
        var definition = Documents.Domain(xml, flags.Has(StartValidate), ids);
        if (await domains.FindAsync(definition.Id).ConfigureAwait(false) is { } known && domains.IsActive(known))
        {
            throw RpcException.OperationInvalid($"domain '{known.Name}' is already active");
        }

        var made = await domains.RunAsync(new RunTransient(definition, flags.Has(StartPaused)), caller).ConfigureAwait(false);
        return flags.Has(StartAutodestroy) ? await DestroyedWithAsync(caller, made).ConfigureAwait(false) : made;
    }

    private async Task<RemoteDomain> StartAsync(Caller caller, RemoteDomain domain, uint flags)
    {
        RequireStart(flags);
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        var started = await domains.RunAsync(
            new StartDomain(catalog.Domain.ToString(), flags.Has(StartPaused), Anew: flags.Has(StartAnew)), caller).ConfigureAwait(false);
        return flags.Has(StartAutodestroy) ? await DestroyedWithAsync(caller, started).ConfigureAwait(false) : started;
    }

    /// <summary>Has a domain killed when the connection of a client ends, unless another process runs it by then.</summary>
    private async Task<RemoteDomain> DestroyedWithAsync(Caller caller, RemoteDomain started)
    {
        var process = (await domains.FindAsync(started).ConfigureAwait(false)).Head.Process;
        _ = Task.Run(DestroyAsync, CancellationToken.None);
        return started;

        async Task DestroyAsync()
        {
            await Task.Delay(Timeout.Infinite, caller.Client.Ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);

            // Connections end with the server too, and that touches no guest.
            while (process is not null && !caller.Cancellation.IsCancellationRequested)
            {
                try
                {
                    await domains.RunAsync(started, id => new KillDomain(id) { Process = process }, caller).ConfigureAwait(false);
                    return;
                }
                catch (CoppiceException e) when (e.Kind is ErrorKind.Busy)
                {
                    continue;
                }
                catch (Exception e) when (e is CoppiceException or RpcException or OperationCanceledException)
                {
                    log.LogWarning("domain {Domain} did not end with the connection that started it: {Problem}", started.Name, e.Message);
                    return;
                }
            }
        }
    }

    /// <summary>A guest is switched off and rebooted by its power button; there are no other ways.</summary>
    private static void RequireWay(uint flags, string call)
    {
        if ((flags & ~PowerButton) != 0)
        {
            throw new RpcException(
                RpcCode.ArgumentUnsupported, RpcOrigin.Qemu, $"argument unsupported: {call} goes by the power button (ACPI), and by no other way");
        }
    }

    private static void RequireStart(uint flags)
    {
        Flags.Require(flags, StartPaused | StartAutodestroy | StartBypassCache | StartAnew | StartValidate | StartResetVariables, "start");
        if (flags.Has(StartResetVariables))
        {
            throw RpcException.Unsupported("the firmware's variables cannot be reset at the start; revert to a snapshot that has them as they should be");
        }
    }

    private async Task<ValueTuple> UndefineAsync(Caller caller, RemoteDomain domain, uint flags)
    {
        Flags.Require(flags, UndefineAll, "undefine");
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        if (catalog.Persistence is Persistence.Transient && domains.IsActive(catalog))
        {
            throw RpcException.OperationInvalid("cannot undefine transient domain");
        }

        if (catalog.Head.Saved is not null && !flags.Has(UndefineSaved))
        {
            throw RpcException.OperationInvalid("Refusing to undefine while domain managed save image exists");
        }

        if (catalog.Snapshots.Count > 0 && !flags.Has(UndefineSnapshots))
        {
            throw RpcException.OperationInvalid($"cannot delete inactive domain with {catalog.Snapshots.Count} snapshots");
        }

        // libvirt leaves all files where they are; who undefines a domain there counts on that.
        return domains.IsActive(catalog)
            ? await domains.RunAsync(domain, id => new ReleaseDomain(id), caller).ConfigureAwait(false)
            : await domains.RunAsync(domain, id => new UndefineDomain(id, Snapshots: false) { Keep = true }, caller).ConfigureAwait(false);
    }

    private static RpcException NotFound(string problem) => new(RpcCode.NoDomain, RpcOrigin.Qemu, $"Domain not found: {problem}");
}
