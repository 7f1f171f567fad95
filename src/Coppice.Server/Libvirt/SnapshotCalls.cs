using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of snapshots.</summary>
internal sealed class SnapshotCalls(Domains domains)
{
    // virDomainSnapshotCreateFlags.
    private const uint Redefine = 1, Current = 2, NoMetadata = 4, Halt = 8, DiskOnly = 16, ReuseExternal = 32, Quiesce = 64, Atomic = 128, Live = 256,
        Validate = 512;

    // virDomainSnapshotRevertFlags and virDomainSnapshotDeleteFlags.
    private const uint RevertRunning = 1, RevertPaused = 2, RevertForce = 4, RevertResetVariables = 8;
    private const uint DeleteChildren = 1, DeleteMetadataOnly = 2, DeleteChildrenOnly = 4;

    // virDomainSnapshotXMLFlags.
    private const uint XmlSecure = 1;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(SnapshotProcedures.Create, (caller, asked) => CreateAsync(caller, asked.Domain, asked.Xml, asked.Flags), CallSubject.Snapshot);
        calls.Changes(SnapshotProcedures.Revert, (caller, asked) => RevertAsync(caller, asked.Snapshot, asked.Flags), CallSubject.Snapshot);
        calls.Changes(SnapshotProcedures.Delete, (caller, asked) => DeleteAsync(caller, asked.Snapshot, asked.Flags), CallSubject.Snapshot);
        Find(calls);
        List(calls);
        calls.Reads(SnapshotProcedures.ListAllCheckpoints, async (_, asked) =>
        {
            await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            return ([], 0);
        });
        calls.Reads<(RemoteDomain Domain, string Name, uint Flags), RemoteSnapshot>(
            SnapshotProcedures.LookupCheckpoint,
            asked => throw new RpcException(
                RpcCode.NoCheckpoint, RpcOrigin.Checkpoint, $"Domain checkpoint not found: no domain checkpoint with matching name '{asked.Name}'"));
    }

    private void Find(CallTable calls)
    {
        calls.Reads(SnapshotProcedures.LookupByName, async (_, asked) =>
        {
            var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            return Remote(catalog, Domains.Find(catalog, asked.Name));
        });
        calls.Reads(SnapshotProcedures.HasCurrent, async (_, asked) => (await domains.FindAsync(asked.Domain).ConfigureAwait(false)).Current is not null);
        calls.Reads(SnapshotProcedures.GetCurrent, async (_, asked) =>
        {
            var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            return catalog.Current is { } current
                ? Remote(catalog, catalog.Snapshots[current])
                : throw NotFound($"the domain '{catalog.Name}' does not have a current snapshot");
        });
        calls.Reads(SnapshotProcedures.IsCurrent, async (_, asked) =>
        {
            var (catalog, snapshot) = await domains.FindAsync(asked.Snapshot).ConfigureAwait(false);
            return catalog.Current == snapshot.Id;
        });
        calls.Reads(SnapshotProcedures.HasMetadata, async (_, asked) =>
        {
            await domains.FindAsync(asked.Snapshot).ConfigureAwait(false);
            return true;
        });
        calls.Reads(SnapshotProcedures.GetParent, async (_, asked) =>
        {
            var (catalog, snapshot) = await domains.FindAsync(asked.Snapshot).ConfigureAwait(false);
            return snapshot.Parent is { } parent
                ? Remote(catalog, catalog.Snapshots[parent])
                : throw NotFound($"snapshot '{snapshot.Name}' does not have a parent");
        });
        calls.Reads(SnapshotProcedures.GetXml, async (_, asked) =>
        {
            Flags.Require(asked.Flags, XmlSecure, "snapshot XML");
            var (catalog, snapshot) = await domains.FindAsync(asked.Snapshot).ConfigureAwait(false);
            return LibvirtXml.Of(await domains.Home.ReadSnapshotXmlAsync(catalog.Domain.ToString(), snapshot.Id).ConfigureAwait(false));
        }, CallSubject.Snapshot);
    }

    private void List(CallTable calls)
    {
        calls.Reads(SnapshotProcedures.Count, async (_, asked) => (await ListAsync(asked.Domain, asked.Flags).ConfigureAwait(false)).Length);
        calls.Reads(SnapshotProcedures.ListNames, async (_, asked) =>
            [.. (await ListAsync(asked.Domain, asked.Flags).ConfigureAwait(false)).Select(s => s.Name).Take(asked.Most)]);
        calls.Reads(SnapshotProcedures.ListAll, async (_, asked) =>
        {
            var found = await ListAsync(asked.Domain, asked.Flags).ConfigureAwait(false);
            return (asked.NeedResults != 0 ? found : [], found.Length);
        });
        calls.Reads(SnapshotProcedures.CountChildren, async (_, asked) => (await ListAsync(asked.Snapshot, asked.Flags).ConfigureAwait(false)).Length);
        calls.Reads(SnapshotProcedures.ListChildrenNames, async (_, asked) =>
            [.. (await ListAsync(asked.Snapshot, asked.Flags).ConfigureAwait(false)).Select(s => s.Name).Take(asked.Most)]);
        calls.Reads(SnapshotProcedures.ListAllChildren, async (_, asked) =>
        {
            var found = await ListAsync(asked.Snapshot, asked.Flags).ConfigureAwait(false);
            return (asked.NeedResults != 0 ? found : [], found.Length);
        });
    }

    private async Task<ImmutableArray<RemoteSnapshot>> ListAsync(RemoteDomain domain, uint flags)
    {
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        return Listed(catalog, SnapshotListFlags.OfDomain(flags));
    }

    private async Task<ImmutableArray<RemoteSnapshot>> ListAsync(RemoteSnapshot below, uint flags)
    {
        var (catalog, snapshot) = await domains.FindAsync(below).ConfigureAwait(false);
        return Listed(catalog, SnapshotListFlags.Below(snapshot.Id, flags));
    }

    private ImmutableArray<RemoteSnapshot> Listed(Catalog catalog, SnapshotFilter? filter)
    {
        var domain = domains.Remote(catalog);
        return filter is null
            ? []
            : [.. filter.ApplyTo(SnapshotNames.Of(catalog).Tree).Select(s => new RemoteSnapshot(s.Name, domain)).Take(DomainProcedures.MostListed)];
    }

    private async Task<RemoteSnapshot> CreateAsync(Caller caller, RemoteDomain domain, string xml, uint flags)
    {
        Flags.Require(flags, (Validate << 1) - 1, "snapshot create");
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        if (flags.Has(Redefine))
        {
            return await RedefineAsync(caller, catalog, xml, flags).ConfigureAwait(false);
        }

        if (flags.Has(Current))
        {
            throw RpcException.InvalidArgument("a snapshot becomes current anyway: 'current' is for one that is redefined");
        }

        if (catalog.HeadMirrors.FirstOrDefault() is { } mirror && domains.IsActive(catalog))
        {
            throw RpcException.IsCopied(mirror.Disk);
        }

        var request = Documents.Snapshot(xml, flags.Has(Validate), SnapshotParseMode.Create).ToRequest(catalog.Domain.ToString()) with
        {
            NoMetadata = flags.Has(NoMetadata),
            Halt = flags.Has(Halt),
            DiskOnly = flags.Has(DiskOnly),
            ReuseExternal = flags.Has(ReuseExternal),
            // libvirt leaves it unheeded where only disks are kept and nothing runs.
            Quiesce = flags.Has(Quiesce) && (!flags.Has(DiskOnly) || domains.IsActive(catalog)),
            Live = flags.Has(Live),
        };
        var result = await domains.CarryOutAsync(request, catalog.Domain, caller).ConfigureAwait(false);
        return Made(result, catalog, request.Name);
    }

    private async Task<RemoteSnapshot> RedefineAsync(Caller caller, Catalog catalog, string xml, uint flags)
    {
        Flags.Exclude(flags, Redefine, "redefine", NoMetadata, "no-metadata");
        Flags.Exclude(flags, Redefine, "redefine", Halt, "halt");
        Flags.Exclude(flags, Redefine, "redefine", Live, "live");
        var document = Documents.Snapshot(xml, flags.Has(Validate), SnapshotParseMode.Redefine);

        if (document.IsOfImages && SnapshotNames.Of(catalog).Find(document.Name!) is null)
        {
            return await AdoptAsync(caller, catalog, document, flags.Has(Current)).ConfigureAwait(false);
        }

        // virsh snapshot-edit makes a copy first, whether it is to rename or to clone.
        var isCopy = document.Id is { } id && catalog.Snapshots.TryGetValue(id, out var known) && known.Name != document.Name;
        var request = new RedefineSnapshot(catalog.Domain.ToString(), document, flags.Has(Current)) { CopyOf = isCopy ? document.Id : null };
        var result = await domains.CarryOutAsync(request, catalog.Domain, caller).ConfigureAwait(false);
        return Made(result, catalog, document.Name);
    }

    /// <summary>What libvirt keeps inside images is found there, by its name.</summary>
    private async Task<RemoteSnapshot> AdoptAsync(Caller caller, Catalog catalog, SnapshotDocument document, bool isCurrent)
    {
        var (domain, name) = (catalog.Domain.ToString(), document.Name!);
        var result = await domains.CarryOutAsync(
            new AdoptSnapshots(domain) { Documents = [document], Only = name }, catalog.Domain, caller).ConfigureAwait(false);
        return Made(
            isCurrent ? await domains.CarryOutAsync(new SetCurrentSnapshot(domain, name), catalog.Domain, caller).ConfigureAwait(false) : result,
            catalog, name);
    }

    /// <summary>What was made. Without metadata there is nothing on record, and its name is only said.</summary>
    private RemoteSnapshot Made(OperationResult result, Catalog before, string? name)
    {
        var catalog = result.Catalog ?? before;
        var made = name is not null ? SnapshotNames.Of(catalog).Find(name)
            : catalog.Snapshots.Values.FirstOrDefault(s => !before.Snapshots.ContainsKey(s.Id));
        return new RemoteSnapshot(made?.Name ?? name ?? result.Plan.Id.ToString(), domains.Remote(catalog));
    }

    private async Task<ValueTuple> RevertAsync(Caller caller, RemoteSnapshot asked, uint flags)
    {
        Flags.Require(flags, RevertRunning | RevertPaused | RevertForce | RevertResetVariables, "snapshot revert");
        Flags.Exclude(flags, RevertRunning, "running", RevertPaused, "paused");
        var (catalog, snapshot) = await domains.FindAsync(asked).ConfigureAwait(false);
        if (flags.Has(RevertResetVariables) && snapshot.Disks.Any(d => d.Target == DiskDevice.FlashTarget))
        {
            throw RpcException.Unsupported("a revert brings the firmware's variables back as the snapshot has them; they cannot be reset");
        }

        var state = flags.Has(RevertRunning) ? RevertState.Running : flags.Has(RevertPaused) ? RevertState.Paused : RevertState.AsTaken;
        await domains.CarryOutAsync(
            new RevertSnapshot(catalog.Domain.ToString(), snapshot.Id.ToString(), state, DiscardCurrent: false, Force: flags.Has(RevertForce)),
            catalog.Domain, caller).ConfigureAwait(false);
        return default;
    }

    private async Task<ValueTuple> DeleteAsync(Caller caller, RemoteSnapshot asked, uint flags)
    {
        Flags.Require(flags, DeleteChildren | DeleteMetadataOnly | DeleteChildrenOnly, "snapshot delete");
        Flags.Exclude(flags, DeleteChildren, "children", DeleteChildrenOnly, "children-only");
        var (catalog, snapshot) = await domains.FindAsync(asked).ConfigureAwait(false);
        var scope = flags.Has(DeleteChildren) ? DeleteScope.WithChildren : flags.Has(DeleteChildrenOnly) ? DeleteScope.ChildrenOnly : DeleteScope.Snapshots;
        if (scope is DeleteScope.ChildrenOnly && SnapshotNames.Of(catalog).Tree.Children(snapshot.Id).IsEmpty)
        {
            return default;
        }

        await domains.CarryOutAsync(
            new DeleteSnapshot(catalog.Domain.ToString(), [snapshot.Id.ToString()])
            {
                Mode = flags.Has(DeleteMetadataOnly) ? DeleteMode.MetadataOnly : DeleteMode.Merge,
                Scope = scope,
            },
            catalog.Domain, caller).ConfigureAwait(false);
        return default;
    }

    private RemoteSnapshot Remote(Catalog catalog, Snapshot snapshot) => new(snapshot.Name, domains.Remote(catalog));

    private static RpcException NotFound(string problem) => new(RpcCode.NoSnapshot, RpcOrigin.Snapshot, $"Domain snapshot not found: {problem}");
}

/// <summary>Which snapshots are listed (virDomainSnapshotListFlags).</summary>
internal static class SnapshotListFlags
{
    private const uint Reach = 1, WithMetadata = 2, Leaves = 4, NoLeaves = 8, WithoutMetadata = 16, Inactive = 32, Active = 64, DiskOnly = 128,
        Internal = 256, External = 512, Topological = 1024;

    private static readonly (uint Flag, SnapshotTraits Trait)[] s_traits =
    [
        (Leaves, SnapshotTraits.Leaf), (NoLeaves, SnapshotTraits.Inner), (Inactive, SnapshotTraits.Offline), (Active, SnapshotTraits.Online),
        (DiskOnly, SnapshotTraits.DiskOnly), (Internal, SnapshotTraits.Internal), (External, SnapshotTraits.External),
    ];

    /// <summary>Of a domain the first flag means its roots only. Null lets nothing through.</summary>
    public static SnapshotFilter? OfDomain(uint flags) => Of(flags, null, flags.Has(Reach) ? SnapshotReach.Children : SnapshotReach.Descendants);

    /// <summary>Of a snapshot it means all below, rather than its children.</summary>
    public static SnapshotFilter? Below(SnapshotId snapshot, uint flags) =>
        Of(flags, snapshot, flags.Has(Reach) ? SnapshotReach.Descendants : SnapshotReach.Children);

    private static SnapshotFilter? Of(uint flags, SnapshotId? below, SnapshotReach reach)
    {
        Flags.Require(flags, (Topological << 1) - 1, "snapshot list");

        // Every snapshot is on record.
        return flags.Has(WithoutMetadata) && !flags.Has(WithMetadata)
            ? null
            : new SnapshotFilter
            {
                Below = below,
                Reach = reach,
                Traits = s_traits.Where(t => flags.Has(t.Flag)).Aggregate(SnapshotTraits.None, (all, t) => all | t.Trait),
                Topological = flags.Has(Topological),
            };
    }
}
