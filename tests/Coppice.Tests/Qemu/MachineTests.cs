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

    [Fact]
    public async Task Memory_is_saved_although_the_migration_before_is_still_on_the_list()
    {
        var refusals = 2;
        await using var monitor = new FakeMonitor(
            line => refusals-- > 0 ? Refusal(line, "duplicate yank instance") : FakeMonitor.Ok(line) + Completed);
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        await machine.SaveMemoryAsync(new Progress<StepProgress>(), Cancellation);
        Assert.Equal(-1, refusals);
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
}
