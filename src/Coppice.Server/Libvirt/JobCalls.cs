using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers what is asked of jobs. The layers of a disk belong to snapshots: what libvirt lets anybody merge or copy behind their back is refused, by
/// name, where it would change what a snapshot has; what merges by itself is shown as libvirt shows its jobs.
/// </summary>
internal sealed class JobCalls(Domains domains)
{
    // virDomainJobType.
    private const int NoJob = 0;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Reads(JobProcedures.GetJob, async (_, domain) =>
        {
            await domains.FindAsync(domain).ConfigureAwait(false);
            return new RemoteJob(NoJob);
        });
        calls.Reads(JobProcedures.GetJobFigures, async (_, asked) =>
        {
            await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            return (NoJob, []);
        });
        calls.Changes<RemoteDomain, ValueTuple>(JobProcedures.AbortJob, async (_, domain) =>
        {
            await domains.FindAsync(domain).ConfigureAwait(false);
            throw RpcException.OperationInvalid("no job is active on the domain");
        });
        calls.Reads(JobProcedures.GetBlockJob, async (caller, asked) => await FindAsync(asked.Domain, asked.Disk, caller).ConfigureAwait(false) is { } job
            ? (true, BlockJobChange.TypeOf(job.Job.Direction), 0ul, (ulong)job.Observation.Done.Bytes, (ulong)job.Observation.Total.Bytes)
            : (false, 0, 0ul, 0ul, 0ul));
        calls.Changes(JobProcedures.AbortBlockJob, async (caller, asked) =>
        {
            var job = await FindAsync(asked.Domain, asked.Disk, caller).ConfigureAwait(false)
                ?? throw RpcException.OperationInvalid($"disk {asked.Disk} does not have an active block job");
            return await domains.RunAsync(asked.Domain, id => new CancelJobs(id, job.Job.Id.Value), caller).ConfigureAwait(false);
        });
    }

    private async Task<JobView?> FindAsync(RemoteDomain domain, string disk, Caller caller)
    {
        var catalog = await domains.FindAsync(domain).ConfigureAwait(false);
        var target = TargetOf(catalog, disk);
        var jobs = await domains.Home.ReadJobsAsync(catalog.Domain.ToString(), null, caller.Cancellation).ConfigureAwait(false);
        return jobs.FirstOrDefault(j => j.Job.Disk == target);
    }

    /// <summary>The target of a disk that is named by it, or by the path of its image.</summary>
    private static string TargetOf(Catalog catalog, string disk)
    {
        var graph = LayerGraph.Of(catalog);
        return catalog.Head.Disks.FirstOrDefault(d => d.Target == disk || graph[d.Layer].Path == disk)?.Target
            ?? throw RpcException.InvalidArgument($"disk '{disk}' not found in domain");
    }
}
