using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

/// <summary>QEMU says that a migration is complete before it is done with it.</summary>
public sealed class MachineTests
{
    private const string Completed = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_guest_that_was_just_saved_is_reawakened_only_once_the_migration_is_over()
    {
        var statuses = new Queue<string>(["finish-migrate", "finish-migrate", "postmigrate"]);
        var sent = new List<string>();
        await using var monitor = new FakeMonitor(line =>
        {
            sent.Add(CommandOf(line));
            return CommandOf(line) is "query-status" ? Status(line, statuses.Dequeue()) : FakeMonitor.Ok(line);
        });
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        Assert.True(await machine.ReawakenAsync(Cancellation));
        Assert.Equal(["query-status", "query-status", "query-status", "cont", "stop"], sent);
    }

    [Fact]
    public async Task A_guest_that_was_not_saved_before_is_left_standing()
    {
        await using var monitor = new FakeMonitor(line => Status(line, "paused"));
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        Assert.False(await machine.ReawakenAsync(Cancellation));
    }

    // What QEMU 10 does: the refused migration is left in "setup" and in the way of the next, until it is cancelled.
    [Fact]
    public async Task Memory_is_saved_although_the_migration_before_is_still_on_the_list()
    {
        var (refusals, underWay) = (2, false);
        await using var monitor = new FakeMonitor(line =>
        {
            switch (CommandOf(line))
            {
                case "migrate" when underWay:
                    return Refusal(line, "There's a migration process in progress");
                case "migrate":
                    underWay = true;
                    return refusals-- > 0 ? Refusal(line, "duplicate yank instance") : FakeMonitor.Ok(line) + Completed;
                case "migrate_cancel":
                    underWay = false;
                    return FakeMonitor.Ok(line);
                default:
                    return Status(line, underWay ? "setup" : "cancelled");
            }
        });
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        await machine.SaveMemoryAsync(new Progress<StepProgress>(), Cancellation);
        Assert.Equal(-1, refusals);
    }

    [Fact]
    public async Task A_migration_that_does_not_end_although_it_was_cancelled_is_an_error()
    {
        await using var monitor = new FakeMonitor(line => Status(line, "cancelling"));
        await using var machine = new Machine(await monitor.ConnectAsync(), new SteppingClock());
        var error = await Assert.ThrowsAsync<CoppiceException>(machine.AbandonMigrationAsync);
        Assert.Equal(ErrorKind.Hypervisor, error.Kind);
    }

    [Fact]
    public async Task Any_other_refusal_to_save_is_told_at_once()
    {
        var asked = 0;
        await using var monitor = new FakeMonitor(line =>
        {
            asked++;
            return Refusal(line, "State blocked by a device");
        });
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        await Assert.ThrowsAsync<QmpRefusalException>(
            () => machine.SaveMemoryAsync(new Progress<StepProgress>(), Cancellation));
        Assert.Equal(1, asked);
    }

    private static string CommandOf(string line) =>
        System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("execute").GetString()!;

    private static string Status(string line, string status) =>
        $"{{\"return\": {{\"status\": \"{status}\"}}, \"id\": {FakeMonitor.Id(line)}}}\n";

    private static string Refusal(string line, string words) =>
        $"{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"{words}\"}}, \"id\": {FakeMonitor.Id(line)}}}\n";

    /// <summary>A second passes whenever somebody looks at it.</summary>
    private sealed class SteppingClock : TimeProvider
    {
        private long _seconds;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => ++_seconds;
    }
}
