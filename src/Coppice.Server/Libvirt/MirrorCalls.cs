using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers what is asked of disks that are copied while their guest writes to them. How that ends says whoever has asked for it: a copy is
/// kept, or the guest goes over to it.
/// </summary>
internal sealed class MirrorCalls(Domains domains)
{
    // virDomainBlockCommitFlags.
    private const uint Delete = 2, Relative = 8, InBytes = 16;

    /// <summary>Begins to copy a disk.</summary>
    public async Task<ValueTuple> CopyAsync(Caller caller, RemoteDomain domain, DiskChain disk, CopyDestination destination)
    {
        disk.RequireNotMirrored();
        try
        {
            return await domains.RunAsync(domain, id => destination.ToRequest(id, disk), caller).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound && destination.IsThere)
        {
            throw new RpcException(
                RpcCode.SystemError, RpcOrigin.Qemu, $"missing destination file for disk {disk.Target}: {destination.Path}: No such file or directory");
        }
    }

    /// <summary>Begins to write what the guest writes to into an image below.</summary>
    public Task<ValueTuple> CommitAsync(Caller caller, RemoteDomain domain, DiskChain disk, (string? Base, ulong Bandwidth) how, uint flags)
    {
        disk.RequireNotMirrored();
        if (flags.Has(Delete | Relative))
        {
            throw RpcException.Unsupported("what the guest leaves is removed if Coppice made it, and names are relative where they can be: leave --delete and --keep-relative out");
        }

        var below = disk.ToCommitInto(how.Base, flags);
        disk.RequireUnnamed(below);
        var pace = new MirrorPace { PerSecond = CopyDestination.InASecond(how.Bandwidth, flags.Has(InBytes)) };
        return domains.RunAsync(domain, id => new CommitDisk(id, disk.Target) { Base = below[^1].Path, Pace = pace }, caller);
    }

    /// <summary>How far the copy of a disk has come; null if it is not copied.</summary>
    public async Task<(int Type, ulong Current, ulong End)?> ProgressAsync(Caller caller, DiskChain disk)
    {
        if (await FindAsync(caller, disk).ConfigureAwait(false) is not { Observation: { } now } found)
        {
            return null;
        }

        // Whoever sees that nothing is left takes it for ready, and takes nothing of nothing for no job.
        var (current, end) = ((ulong)now.Done.Bytes, (ulong)now.Total.Bytes);
        var type = BlockJobChange.TypeOf(found.Mirror.Kind);
        return now.State is not MergeState.Ready ? (type, current, Math.Max(end, current + 1))
            : current is 0 ? (type, 1, 1)
            : (type, current, current);
    }

    /// <summary>Ends the copy of a disk. False if it is not copied.</summary>
    public async Task<bool> TryEndAsync(Caller caller, RemoteDomain domain, DiskChain disk, bool pivots)
    {
        if (await FindAsync(caller, disk).ConfigureAwait(false) is not { } found)
        {
            return false;
        }

        var isReady = found.Observation.State is MergeState.Ready;
        if (pivots && !isReady)
        {
            throw RpcException.CopyActive($"disk '{disk.Target}' not ready for pivot yet");
        }

        var end = pivots ? MirrorEnd.Pivot : isReady && found.Mirror.Kind is not MirrorKind.Commit ? MirrorEnd.Keep : MirrorEnd.Discard;
        await domains.RunAsync(domain, id => new EndMirror(id, found.Mirror.Id.Value, end), caller).ConfigureAwait(false);
        return true;
    }

    private async Task<MirrorView?> FindAsync(Caller caller, DiskChain disk)
    {
        if (disk.Mirror is not { } mirror)
        {
            return null;
        }

        var all = await domains.Home.ReadMirrorsAsync(disk.Catalog.Domain.ToString(), caller.Cancellation).ConfigureAwait(false);
        return all.FirstOrDefault(m => m.Mirror.Id == mirror.Id);
    }
}
