using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers what is asked of jobs. The layers of a disk belong to snapshots: what would change what a snapshot has is refused, and the
/// snapshot named. Layers without a name merge by themselves, and are shown as libvirt shows its jobs.
/// </summary>
internal sealed class JobCalls(Domains domains, RequestedMerges merges)
{
    private readonly MirrorCalls _mirrors = new(domains);

    // virDomainJobType, virDomainGetJobStatsFlags and virDomainBlockJobAbortFlags.
    private const int NoJob = 0;
    private const uint LastCompleted = 1;
    private const uint Pivot = 2;

    // virDomainBlockResizeFlags.
    private const uint InBytes = 1;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Reads(JobProcedures.GetJob, async (_, domain) =>
        {
            await domains.FindActiveAsync(domain).ConfigureAwait(false);
            return new RemoteJob(NoJob);
        });
        calls.Reads(JobProcedures.GetJobFigures, async (_, asked) =>
        {
            await (asked.Flags.Has(LastCompleted) ? domains.FindAsync(asked.Domain) : domains.FindActiveAsync(asked.Domain)).ConfigureAwait(false);
            return (NoJob, []);
        });
        calls.Changes<RemoteDomain, ValueTuple>(JobProcedures.AbortJob, async (_, domain) =>
        {
            await domains.FindActiveAsync(domain).ConfigureAwait(false);
            throw RpcException.OperationInvalid("no job is active on the domain");
        });
        calls.Reads(JobProcedures.GetBlockJob, (caller, asked) => ProgressAsync(caller, asked.Domain, asked.Disk));
        calls.Changes(JobProcedures.AbortBlockJob, AbortAsync);
        Merge(calls);
    }

    private void Merge(CallTable calls)
    {
        calls.Changes(JobProcedures.BlockCommit, async (caller, asked) =>
        {
            var disk = await DiskAsync(asked.Domain, asked.Disk).ConfigureAwait(false);
            var (lower, upper, bandwidth) = asked.Layers;
            return disk.IsActive(upper, asked.Flags)
                ? await _mirrors.CommitAsync(caller, asked.Domain, disk, (lower, bandwidth), asked.Flags).ConfigureAwait(false)
                : await MergeAsync(caller, asked.Domain, disk, disk.ToCommit(lower, upper, asked.Flags)).ConfigureAwait(false);
        });
        calls.Changes(JobProcedures.BlockPull, async (caller, asked) =>
        {
            var disk = await DiskAsync(asked.Domain, asked.Disk).ConfigureAwait(false);
            return await MergeAsync(caller, asked.Domain, disk, disk.ToPull(null)).ConfigureAwait(false);
        });
        calls.Changes(JobProcedures.BlockRebase, async (caller, asked) =>
        {
            var disk = await DiskAsync(asked.Domain, asked.Disk).ConfigureAwait(false);
            return CopyDestination.IsCopy(asked.Flags)
                ? await _mirrors.CopyAsync(caller, asked.Domain, disk, CopyDestination.Of(asked.Base, asked.Bandwidth, asked.Flags)).ConfigureAwait(false)
                : await MergeAsync(caller, asked.Domain, disk, disk.ToPull(asked.Base)).ConfigureAwait(false);
        });
        calls.Changes(JobProcedures.BlockResize, async (caller, asked) =>
        {
            Flags.Require(asked.Flags, InBytes, "block resize");
            var disk = DiskChain.Find(await domains.FindActiveAsync(asked.Domain).ConfigureAwait(false), asked.Disk);
            var unit = asked.Flags.Has(InBytes) ? 1ul : 1024ul;
            return asked.Size > long.MaxValue / unit
                ? throw RpcException.InvalidArgument($"a disk cannot have {asked.Size} times {unit} bytes")
                : await domains.RunAsync(
                    asked.Domain, id => new ResizeDisk(id, disk.Target, new ByteCount((long)(asked.Size * unit))), caller).ConfigureAwait(false);
        });
        calls.Changes(JobProcedures.BlockCopy, async (caller, asked) =>
        {
            var disk = await DiskAsync(asked.Domain, asked.Disk).ConfigureAwait(false);
            return await _mirrors.CopyAsync(
                caller, asked.Domain, disk, CopyDestination.Of(asked.Xml, asked.Parameters, asked.Flags)).ConfigureAwait(false);
        });
    }

    /// <summary>Merges layers without a name, unless snapshots have them.</summary>
    private async Task<ValueTuple> MergeAsync(Caller caller, RemoteDomain domain, DiskChain disk, LayerRange range)
    {
        disk.RequireNotMirrored();
        disk.RequireUnnamed(range.Below);
        var merge = new RequestedMerge(
            disk.Catalog.Domain, disk.Target, disk.Path, range.JobType, [.. range.Below.Append(range.Top).Select(l => l.Id)]);
        if (!merges.TryAdd(merge))
        {
            throw RpcException.OperationInvalid($"disk '{disk.Target}' already in active block job");
        }

        try
        {
            await domains.RunAsync(domain, id => new CollectGarbage(id) { Direction = range.Direction }, caller).ConfigureAwait(false);
        }
        catch
        {
            merges.Forget(merge);
            throw;
        }

        merges.Begin(merge);
        var now = await domains.FindAsync(domain).ConfigureAwait(false);
        merges.Look(now, domains.Remote(now));
        return default;
    }

    /// <summary>How far what merges now has come. What only waits, and nobody has asked for, is no job of libvirt's.</summary>
    private async Task<(bool Found, int Type, ulong Bandwidth, ulong Current, ulong End)> ProgressAsync(Caller caller, RemoteDomain domain, string disk)
    {
        var chain = DiskChain.Find(await domains.FindActiveAsync(domain).ConfigureAwait(false), disk);
        if (await _mirrors.ProgressAsync(caller, chain).ConfigureAwait(false) is var (type, current, end))
        {
            return (true, type, 0ul, current, end);
        }

        var asked = merges.Find(chain.Catalog.Domain, chain.Target);
        var job = await FindAsync(caller, chain).ConfigureAwait(false);
        return job is null || (asked is null && job.Observation.State is MergeState.Gone) ? (asked is not null, asked?.Type ?? 0, 0ul, 0ul, asked is null ? 0ul : 1ul) :
            (true, asked?.Type ?? BlockJobChange.TypeOf(job.Job.Direction), 0ul, (ulong)job.Observation.Done.Bytes, (ulong)job.Observation.Total.Bytes);
    }

    /// <summary>What merges is finished if it is ready and that is asked for, or given up.</summary>
    private async Task<ValueTuple> AbortAsync(Caller caller, (RemoteDomain Domain, string Disk, uint Flags) asked)
    {
        var chain = DiskChain.Find(await domains.FindActiveAsync(asked.Domain).ConfigureAwait(false), asked.Disk);
        if (await _mirrors.TryEndAsync(caller, asked.Domain, chain, asked.Flags.Has(Pivot)).ConfigureAwait(false))
        {
            return default;
        }

        var job = await FindAsync(caller, chain).ConfigureAwait(false)
            ?? throw RpcException.InvalidArgument($"disk {asked.Disk} does not have an active block job");
        await domains.RunAsync(
            asked.Domain, id => asked.Flags.Has(Pivot) ? new FinishJob(id, job.Job.Id) : new CancelJobs(id, job.Job.Id.Value), caller).ConfigureAwait(false);
        if (merges.Find(chain.Catalog.Domain, chain.Target) is { } begun)
        {
            merges.Cancel(begun, domains.Remote(chain.Catalog));
        }

        return default;
    }

    private async Task<JobView?> FindAsync(Caller caller, DiskChain chain)
    {
        var jobs = await domains.Home.ReadJobsAsync(chain.Catalog.Domain.ToString(), null, caller.Cancellation).ConfigureAwait(false);
        return jobs.FirstOrDefault(j => j.Job.Disk == chain.Target);
    }

    private async Task<DiskChain> DiskAsync(RemoteDomain domain, string disk) =>
        DiskChain.Find(await domains.FindActiveAsync(domain).ConfigureAwait(false), disk);
}
