using Coppice.Core;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

public sealed class QmpConnectionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_find_their_commands_whatever_their_order()
    {
        string? first = null;
        await using var monitor = new FakeMonitor(line =>
        {
            if (first is not null)
            {
                return $"{{\"return\": 2, \"id\": {FakeMonitor.Id(line)}}}\n{{\"return\": 1, \"id\": {FakeMonitor.Id(first)}}}\r\n";
            }

            first = line;
            return null;
        });
        await using var qmp = await monitor.ConnectAsync();
        var one = qmp.ExecuteAsync("one", null, Cancellation);
        var two = qmp.ExecuteAsync("two", null, Cancellation);
        Assert.Equal((1, 2), ((await one).GetInt32(), (await two).GetInt32()));
        Assert.Equal(new Version(7, 2, 22), qmp.Version);
    }

    [Fact]
    public async Task What_happens_while_QEMU_accepts_comes_before_its_greeting()
    {
        await using var monitor = new FakeMonitor(FakeMonitor.Ok, "{\"event\": \"BLOCK_JOB_READY\"}\n" + FakeMonitor.Greeting);
        await using var qmp = await monitor.ConnectAsync();
        Assert.Equal(new Version(7, 2, 22), qmp.Version);
    }

    [Fact]
    public async Task A_refusal_has_qemus_words()
    {
        await using var monitor = new FakeMonitor(
            line => $"{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"no\"}}, \"id\": {FakeMonitor.Id(line)}}}\n");
        await using var qmp = await monitor.ConnectAsync();
        var refusal = await Assert.ThrowsAsync<QmpRefusalException>(() => qmp.ExecuteAsync("cont", null, Cancellation));
        Assert.Equal(("cont", "GenericError", "no"), (refusal.Command, refusal.ErrorClass, refusal.Description));
    }

    [Fact]
    public async Task Events_wait_until_they_are_asked_for()
    {
        await using var monitor = new FakeMonitor(line =>
            "{\"event\": \"STOP\"}\n{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n" + FakeMonitor.Ok(line));
        await using var qmp = await monitor.ConnectAsync();
        await qmp.ExecuteAsync("stop", null, Cancellation);
        var found = await qmp.WaitEventAsync(e => e.Name == "MIGRATION", TimeSpan.FromSeconds(5), Cancellation);
        Assert.Equal("completed", found!.Text("status"));
        Assert.Null(await qmp.WaitEventAsync(_ => true, TimeSpan.FromMilliseconds(1), Cancellation));
    }

    [Fact]
    public async Task What_came_before_an_answer_is_there_when_the_answer_is_without_waiting()
    {
        await using var monitor = new FakeMonitor(line => "{\"event\": \"STOP\"}\n{\"event\": \"SHUTDOWN\"}\n" + FakeMonitor.Ok(line));
        await using var qmp = await monitor.ConnectAsync();
        Assert.Null(qmp.TakeEvent(_ => true));
        await qmp.ExecuteAsync("query-status", null, Cancellation);
        Assert.Equal("SHUTDOWN", qmp.TakeEvent(e => e.Name == "SHUTDOWN")!.Name);
        Assert.Null(qmp.TakeEvent(_ => true));
    }

    public static TheoryData<string, bool> Nonsense => new()
    {
        { "nonsense\n", false },
        { "[1]\n", false },
        { "{}\n", false },
        { "{\"error\": 3, \"return\"\n", false },
        { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\\ud800\"}, \"id\": 2}\n", false },
        { "{\"event\": \"\\udc00\"}\n", false },
        { "{\"\\ud800\": {}, \"return\": {}, \"id\": 2}\n", false },
        { "{\"return\": ", true },
        { "", true },
        { new string(' ', QmpLines.MaximumBytes + 1), false },
        { "{\"return\": " + new string('[', 5000) + "\n", false },
    };

    [Theory]
    [MemberData(nameof(Nonsense), DisableDiscoveryEnumeration = true)]
    public async Task A_peer_that_breaks_the_protocol_is_left(string said, bool hangsUp)
    {
        await using var monitor = new FakeMonitor(_ => said, hangsUp: hangsUp);
        await using var qmp = await monitor.ConnectAsync();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => qmp.ExecuteAsync("query-status", null, Cancellation));
        Assert.Equal((ErrorKind.Hypervisor, "domain 'web'"), (error.Kind, error.Subject));
    }

    [Fact]
    public async Task A_guest_that_goes_down_at_once_has_taken_the_command_all_the_same()
    {
        await Parallel.ForAsync(0, 500, TestContext.Current.CancellationToken, async (_, cancellation) =>
        {
            await using var monitor = new FakeMonitor(FakeMonitor.Ok, hangsUp: true);
            await using var qmp = await monitor.ConnectAsync();
            await qmp.ExecuteAsync("system_powerdown", null, cancellation);
        });
    }

    [Fact]
    public async Task A_peer_that_says_nothing_is_not_waited_for()
    {
        await using var monitor = new FakeMonitor(_ => null, greeting: "");
        var error = await Assert.ThrowsAsync<CoppiceException>(() => monitor.ConnectAsync(TimeSpan.FromMilliseconds(50)));
        Assert.Contains("does not answer", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flood_of_events_leaves_only_the_newest()
    {
        await using var monitor = new FakeMonitor(line =>
            string.Concat(Enumerable.Range(0, 10_000).Select(i => $"{{\"event\": \"E{i}\"}}\n")) + FakeMonitor.Ok(line));
        await using var qmp = await monitor.ConnectAsync();
        await qmp.ExecuteAsync("stop", null, Cancellation);
        var found = await qmp.WaitEventAsync(_ => true, TimeSpan.FromSeconds(5), Cancellation);
        Assert.NotEqual("E0", found!.Name);
    }
}
