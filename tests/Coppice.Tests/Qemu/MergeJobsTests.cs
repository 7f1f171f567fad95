using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

/// <summary>What QEMU is told of a merge, and what its answers mean (R197, R198).</summary>
public sealed class MergeJobsTests
{
    private static readonly ShortId s_job = new("f00dcafe");

    [Theory]
    [InlineData(
        MergeDirection.Commit, 2, "block-commit",
        """device":"l-00000003","base-node":"l-00000001","top-node":"l-00000002","backing-file":"1.qcow2"}""")]
    [InlineData(MergeDirection.Commit, 3, "block-commit", """device":"l-00000003","base-node":"l-00000002"}""")]
    [InlineData(
        MergeDirection.Stream, 3, "block-stream", """device":"l-00000003","base-node":"l-00000001","backing-file":"1.qcow2"}""")]
    [InlineData(
        MergeDirection.Stream, 2, "block-stream",
        """device":"l-00000002","base-node":"l-00000000","backing-file":"/images/base.qcow2"}""")]
    [InlineData(MergeDirection.Stream, 1, "block-stream", """device":"l-00000001"}""")]
    public async Task A_job_stops_at_errors_waits_to_be_finished_forgets_itself_and_names_images_as_their_headers_do(
        MergeDirection direction, int upper, string command, string layers)
    {
        var lines = new List<string>();
        await using var monitor = new FakeMonitor(line =>
        {
            lines.Add(line);
            return FakeMonitor.Ok(line);
        });
        await using var qmp = await monitor.ConnectAsync();
        await MergeJobs.BeginAsync(qmp, Request(direction, upper), TestContext.Current.CancellationToken);
        const string always = """
            "job-id":"coppice-f00dcafe","on-error":"stop","auto-finalize":false,"auto-dismiss":true
            """;
        var told = $"{{\"execute\":\"{command}\",\"arguments\":{{{always},\"{layers}";
        Assert.StartsWith(told, Assert.Single(lines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("running", "ok", MergeState.Running, null)]
    [InlineData("ready", "ok", MergeState.Ready, null)]
    [InlineData("pending", "ok", MergeState.Ready, null)]
    [InlineData("paused", "nospace", MergeState.Failed, "no space is left on the file system")]
    [InlineData("running", "failed", MergeState.Failed, "an image cannot be read or written")]
    [InlineData("what comes one day", "ok", MergeState.Running, null)]
    public async Task What_QEMU_says_of_a_job_tells_how_far_it_is(string status, string health, MergeState state, string? error)
    {
        await using var monitor = Answering($$"""
            [{"device": "drive0", "status": "ready"},
             {"device": "coppice-f00dcafe", "status": "{{status}}", "io-status": "{{health}}", "offset": 5, "len": 7}]
            """);
        await using var qmp = await monitor.ConnectAsync();
        var found = await MergeJobs.ObserveAsync(qmp, s_job, TestContext.Current.CancellationToken);
        Assert.Equal(new MergeObservation(s_job, state, new ByteCount(5), new ByteCount(7)) { Error = error }, found);
    }

    [Fact]
    public async Task A_job_that_QEMU_does_not_have_is_gone()
    {
        await using var monitor = Answering("""[{"device": "coppice-00000000", "status": "ready"}]""");
        await using var qmp = await monitor.ConnectAsync();
        Assert.Equal(MergeObservation.Gone(s_job), await MergeJobs.ObserveAsync(qmp, s_job, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_end_with_an_error_is_one_and_that_of_another_job_is_none()
    {
        await using var monitor = new FakeMonitor(line => FakeMonitor.Ok(line)
            + """{"event": "BLOCK_JOB_COMPLETED", "data": {"device": "coppice-00000000"}}""" + "\n"
            + """{"event": "BLOCK_JOB_COMPLETED", "data": {"device": "coppice-f00dcafe", "error": "no header"}}""" + "\n");
        await using var qmp = await monitor.ConnectAsync();
        var error = await Assert.ThrowsAsync<QmpRefusalException>(
            () => MergeJobs.FinalizeAsync(qmp, s_job, TestContext.Current.CancellationToken));
        Assert.Equal("no header", error.Description);
    }

    [Fact]
    public void Layers_that_do_not_build_on_each_other_are_not_merged()
    {
        var request = Request(MergeDirection.Commit, 2);
        Assert.Throws<CoppiceException>(() => MergePair.Of(request with { Lower = request.Upper }));
        Assert.Throws<CoppiceException>(() => MergePair.Of(request with { Lower = request.Chain[^1].Id }));
        Assert.Throws<CoppiceException>(() => MergePair.Of(request with { Chain = [] }));
    }

    [Fact]
    public void A_process_without_a_guest_has_the_closed_doors_and_monitors_of_one_that_has_and_no_machine()
    {
        var line = string.Join(' ', QemuCommandLine.Guestless);
        string[] parts =
        [
            "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-nodefaults", "-no-user-config",
            "path=qmp.sock,", "path=readers.sock,", "path=events.sock,", "pipe,id=guard", "-S", "-machine none",
        ];
        foreach (var part in parts)
        {
            Assert.Contains(part, line, StringComparison.Ordinal);
        }
    }

    private static FakeMonitor Answering(string jobs) =>
        new(line => $"{{\"return\": {jobs.ReplaceLineEndings("")}, \"id\": {FakeMonitor.Id(line)}}}\n");

    /// <summary>A merge of two neighbours of four layers; the lowest is in another folder.</summary>
    private static MergeRequest Request(MergeDirection direction, int upper)
    {
        var layers = Enumerable.Range(0, 4).Select(i => new Layer
        {
            Id = new ShortId($"{i:x8}"), Disk = "vda", Path = i == 0 ? "/images/base.qcow2" : $"/home/{i}.qcow2",
            Format = ImageFormat.Qcow2, VirtualSize = new ByteCount(1), Origin = LayerOrigin.Coppice,
            Parent = i == 0 ? null : new ShortId($"{i - 1:x8}"),
        }).Reverse().ToArray();
        return new MergeRequest(s_job, [.. layers], Lower: layers[4 - upper].Id, Upper: layers[3 - upper].Id, direction);
    }
}
