using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Live.Tree;

/// <summary>Merges below a guest that are still at work when a test looks: QEMU is told to copy next to nothing a second.</summary>
internal static class MergeBrake
{
    private const int BytesPerSecond = 1 << 10;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_settled = TimeSpan.FromMilliseconds(300);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Runs what begins one merge in the process of the guest, and brakes that.</summary>
    /// <returns>False if that came too late, as it may on a busy host.</returns>
    public static async Task<bool> TryRunAsync(LiveDomain domain, Request request)
    {
        var process = (await domain.ShowAsync()).Catalog.Head.Process!.Value;
        var folder = RunFolder.Of(new HomeFolder(domain.HomePath), process);
        Task<bool>? braking = null;

        // A reader has its monitor alone, so that this connects only once the operation has looked.
        var options = new RunOptions
        {
            OnEvent = passed => braking = passed is { Point: OperationPoint.StepIntended, Step.Kind: "qemu.begin-merge" }
                ? Task.Run(() => BrakeAsync(folder), Cancellation)
                : braking,
        };
        await domain.Home.RunAsync(request, options, Cancellation);
        Assert.NotNull(braking);
        return await braking.WaitAsync(s_limit, Cancellation);
    }

    private static async Task<bool> BrakeAsync(RunFolder folder)
    {
        await using var qmp = await new RunProcess(folder, ProcessFiles.Qemu, TimeProvider.System)
            .ConnectAsync(folder.Readers, "the brake", s_limit, Cancellation);
        (string Job, string Status, long Done)? found;
        while ((found = await FindAsync(qmp)) is null)
        {
        }

        try
        {
            var speed = new JsonObject { ["device"] = found.Value.Job, ["speed"] = BytesPerSecond };
            await qmp.ExecuteAsync("block-job-set-speed", speed, Cancellation);
        }
        catch (QmpRefusalException)
        {
            // All is copied.
            return false;
        }

        // What it is about to copy may be the last, and what has no data is not slowed.
        var before = await FindAsync(qmp);
        await Task.Delay(s_settled, Cancellation);
        var after = await FindAsync(qmp);
        return before == after && after is { Status: "running" };
    }

    private static async Task<(string Job, string Status, long Done)?> FindAsync(QmpConnection qmp)
    {
        var jobs = await qmp.ExecuteAsync("query-block-jobs", null, Cancellation);
        return jobs.GetArrayLength() is 0 ? null
            : (jobs[0].GetProperty("device").GetString()!, jobs[0].GetProperty("status").GetString()!, jobs[0].GetProperty("offset").GetInt64());
    }
}
