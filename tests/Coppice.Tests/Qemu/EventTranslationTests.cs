using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

/// <summary>What QEMU's events mean to whoever watches.</summary>
public sealed class EventTranslationTests
{
    private static readonly ShortId s_job = new("f00dcafe");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, GuestEvent?> Plain => new()
    {
        { "RESET", """{"guest": true, "reason": "guest-reset"}""", new GuestEvent(GuestEventKind.Reset) { ByGuest = true } },
        { "RESET", """{"guest": false, "reason": "host-qmp-system-reset"}""", new GuestEvent(GuestEventKind.Reset) },
        { "SHUTDOWN", """{"guest": true, "reason": "guest-shutdown"}""", new GuestEvent(GuestEventKind.PoweredOff) { ByGuest = true } },
        { "SHUTDOWN", """{"guest": false, "reason": "host-qmp-quit"}""", new GuestEvent(GuestEventKind.PoweredOff) },
        { "STOP", "{}", new GuestEvent(GuestEventKind.Stopped) },
        { "RESUME", "{}", new GuestEvent(GuestEventKind.Resumed) },
        { "SUSPEND", "{}", new GuestEvent(GuestEventKind.Suspended) },
        { "WAKEUP", "{}", new GuestEvent(GuestEventKind.WokenUp) },
        { "GUEST_PANICKED", """{"action": "pause"}""", new GuestEvent(GuestEventKind.Panicked) },
        { "POWERDOWN", "{}", null },
        { "MIGRATION", """{"status": "completed"}""", null },
        { "JOB_STATUS_CHANGE", """{"id": "coppice-devices-f00dcafe", "status": "running"}""", null },
        { "JOB_STATUS_CHANGE", """{"id": "coppice-inside-f00dcafe", "status": "running"}""", null },
        { "JOB_STATUS_CHANGE", """{"id": "mirror", "status": "running"}""", null },
    };

    [Theory, MemberData(nameof(Plain))]
    public async Task What_a_guest_does_is_told_and_what_concerns_nobody_is_not(string name, string data, GuestEvent? expected)
    {
        await using var monitor = new FakeMonitor(FakeMonitor.Ok);
        await using var qmp = await monitor.ConnectAsync();
        Assert.Equal(expected, await new EventTranslation(qmp).OfAsync(Event(name, data), Cancellation));
    }

    [Fact]
    public async Task A_merge_is_told_whenever_it_has_come_further_and_not_when_it_only_pauses()
    {
        await using var monitor = new FakeMonitor(FakeMonitor.Ok);
        await using var qmp = await monitor.ConnectAsync();
        var translation = new EventTranslation(qmp);
        var told = new List<MergeState>();
        foreach (var status in new[] { "created", "running", "paused", "running", "ready", "standby", "ready", "waiting", "pending", "concluded", "null", "created" })
        {
            if (await translation.OfAsync(Event("JOB_STATUS_CHANGE", $$"""{"id": "coppice-{{s_job}}", "status": "{{status}}"}"""), Cancellation) is { } found)
            {
                Assert.Equal((GuestEventKind.JobChanged, s_job), (found.Kind, found.Job!.Id));
                told.Add(found.Job.State);
            }
        }

        Assert.Equal([MergeState.Running, MergeState.Ready, MergeState.Gone, MergeState.Running], told);
        var failed = await translation.OfAsync(
            Event("BLOCK_JOB_ERROR", $$"""{"device": "coppice-{{s_job}}", "operation": "write", "action": "stop"}"""), Cancellation);
        Assert.Equal(new JobChange(s_job, MergeState.Failed), failed?.Job);
    }

    [Theory]
    [InlineData("""{"device": "", "node-name": "l-2", "operation": "write", "action": "stop", "nospace": true}""", "vdb")]
    [InlineData("""{"device": "", "node-name": "l-1", "operation": "write", "action": "stop", "nospace": true}""", "vda")]
    [InlineData("""{"device": "", "node-name": "l-9", "operation": "write", "action": "stop", "nospace": true}""", null)]
    [InlineData("""{"device": "", "operation": "write", "action": "stop", "nospace": true}""", null)]
    [InlineData("""{"qom-path": "/machine/peripheral/disk-sda/virtio-backend", "operation": "write", "action": "stop", "nospace": true}""", "sda")]
    public async Task The_disk_of_a_failure_is_that_of_its_device_or_the_one_that_uses_the_node(string data, string? target)
    {
        await using var monitor = new FakeMonitor(line => $$"""
            {"return": [{"device": "", "node-name": "l-1", "qdev": "/machine/peripheral/disk-vda/virtio-backend"},
            {"device": "", "qdev": "disk-hda"}, {"device": "", "node-name": "l-2", "qdev": "disk-vdb"}], "id": {{FakeMonitor.Id(line)}}}
            """.ReplaceLineEndings("") + "\n");
        await using var qmp = await monitor.ConnectAsync();
        var told = await new EventTranslation(qmp).OfAsync(Event("BLOCK_IO_ERROR", data), Cancellation);
        Assert.Equal(new DiskFailure(target, IsWrite: true, FailureAction.Stopped, IsNoSpace: true), told?.Failure);
    }

    [Theory]
    [InlineData("report", FailureAction.Reported)]
    [InlineData("ignore", FailureAction.Ignored)]
    [InlineData("stop", FailureAction.Stopped)]
    public async Task What_the_guest_is_told_of_a_failure_is_told(string action, FailureAction expected)
    {
        await using var monitor = new FakeMonitor(_ => null, hangsUp: true);
        await using var qmp = await monitor.ConnectAsync();
        var told = await new EventTranslation(qmp).OfAsync(
            Event("BLOCK_IO_ERROR", $$"""{"node-name": "l-1", "operation": "read", "action": "{{action}}"}"""), Cancellation);
        Assert.Equal(new DiskFailure(null, IsWrite: false, expected, IsNoSpace: false), told?.Failure);
    }

    private static QmpEvent Event(string name, string data) => new(name, System.Text.Json.JsonDocument.Parse(data).RootElement);
}
