using Coppice.Core;
using Coppice.Qemu.Agent;

namespace Coppice.Tests.Qemu;

/// <summary>What the guest says is never trusted, never waited for without a limit, and never taken for the answer to something else.</summary>
public sealed class GuestAgentTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(100);
    private static readonly DateTimeOffset s_then = DateTimeOffset.FromUnixTimeSeconds(1_000_000_000);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_conversation_begins_with_a_sentinel_and_an_id_and_a_time_is_nanoseconds_since_1970()
    {
        await using var peer = new FakeAgent(FakeAgent.Good);
        await using var agent = await peer.ConnectAsync();
        Assert.Equal(s_then, await agent.ReadTimeAsync(s_long, Cancellation));
        await agent.SetTimeAsync(s_then.AddMilliseconds(5), s_long, Cancellation);
        var heard = peer.Heard.ToArray();
        Assert.Equal(3, heard.Length);
        Assert.StartsWith($"{FakeAgent.Sentinel}{{\"execute\":\"guest-sync-delimited\"", heard[0], StringComparison.Ordinal);
        Assert.Equal("{\"execute\":\"guest-get-time\"}", heard[1]);
        Assert.Equal("{\"execute\":\"guest-set-time\",\"arguments\":{\"time\":1000000000005000000}}", heard[2]);
    }

    public static TheoryData<string> Stale => new()
    {
        "{\"return\": 7}\n",
        "{\"return\": {\"online\"",
        $"{FakeAgent.Sentinel}{{\"return\": 7}}\n",
        $"{FakeAgent.Sentinel}{FakeAgent.Sentinel}\n\n{FakeAgent.Sentinel}[]\n{FakeAgent.Sentinel}nonsense\n",
        $"{FakeAgent.Sentinel}{{\"return\": 1e400}}\n{FakeAgent.Sentinel}{{\"return\": \"7\"}}\n{FakeAgent.Sentinel}{{}}\n",
        $"{FakeAgent.Sentinel}{{\"return\": ",
        new string('x', AgentLines.MaximumLineBytes * 3) + "\n",
        $"{FakeAgent.Sentinel}{new string('[', 5000)}\n",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n",
    };

    [Theory]
    [MemberData(nameof(Stale), DisableDiscoveryEnumeration = true)]
    public async Task What_was_said_before_is_taken_for_no_answer(string before)
    {
        await using var peer = new FakeAgent(FakeAgent.Good, before);
        await using var agent = await peer.ConnectAsync();
        Assert.Equal(s_then, await agent.ReadTimeAsync(s_long, Cancellation));
    }

    [Fact]
    public async Task Words_that_come_byte_by_byte_are_put_together()
    {
        await using var peer = new FakeAgent(FakeAgent.Good, $"{FakeAgent.Sentinel}{{\"return\": 7}}\n", piece: 1);
        await using var agent = await peer.ConnectAsync();
        Assert.Equal(s_then, await agent.ReadTimeAsync(s_long, Cancellation));
    }

    public static TheoryData<string, bool> Nonsense => new()
    {
        { "nonsense\n", false },
        { "\n", false },
        { "[1]\n", false },
        { "{}\n", false },
        { "{\"return\": \"soon\"}\n", false },
        { "{\"return\": 1e300}\n", false },
        { "{\"error\": {\"desc\": \"\\ud800\"}}\n", false },
        { "{\"error\": {\"desc\": \"\u00C3(\"}}\n", false },
        { "{\"\\ud800\": 1, \"return\": 1}\n", false },
        { "{\"return\": 99999999999999999999}\n", false },
        { "{\"return\": " + new string('[', 5000) + "\n", false },
        { new string('x', AgentLines.MaximumLineBytes + 1), false },
        { "{\"return\": 1", true },
        { "", true },
    };

    [Theory]
    [MemberData(nameof(Nonsense), DisableDiscoveryEnumeration = true)]
    public async Task An_agent_that_breaks_the_protocol_or_goes_is_an_error(string said, bool hangsUp)
    {
        var turn = 0;
        await using var peer = new FakeAgent(
            line => turn++ == 0 ? FakeAgent.Synchronised(line) + (hangsUp ? said : "") : said, hangsUp: hangsUp);
        await using var agent = await peer.ConnectAsync();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => agent.ReadTimeAsync(s_long, Cancellation));
        Assert.Equal((ErrorKind.Hypervisor, "the agent"), (error.Kind, error.Subject));
    }

    public static TheoryData<string> Floods => new()
    {
        new string('x', 1 << 16),
        new string('\n', 1 << 16),
        new string(FakeAgent.Sentinel, 1 << 16),
        string.Concat(Enumerable.Repeat($"{FakeAgent.Sentinel}{{\"return\": 7}}\n", 4000)),
    };

    [Theory]
    [MemberData(nameof(Floods), DisableDiscoveryEnumeration = true)]
    public async Task A_flood_is_left_after_a_while_and_takes_no_room(string wave)
    {
        await using var peer = new FakeAgent(_ => null, string.Concat(Enumerable.Repeat(wave, 2 * AgentLines.MaximumBytes / wave.Length)));
        await using var agent = await peer.ConnectAsync();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => agent.ReadTimeAsync(s_long, Cancellation));
        Assert.Contains("breaks its protocol", error.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("{\"return\": 7}\n")]
    public async Task One_that_does_not_answer_is_not_waited_for(string before)
    {
        await using var peer = new FakeAgent(_ => null, before);
        await using var agent = await peer.ConnectAsync();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => agent.ReadTimeAsync(s_short, Cancellation));
        Assert.Contains("did not answer", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_does_not_even_listen_is_not_waited_for()
    {
        using var heard = new SemaphoreSlim(0);
        await using var peer = new FakeAgent(_ =>
        {
            heard.Wait(Cancellation);
            return null;
        });
        await using var agent = await peer.ConnectAsync();
        var long_ = new System.Text.Json.Nodes.JsonObject { ["text"] = new string('x', 8 << 20) };
        await Assert.ThrowsAsync<CoppiceException>(() => agent.ExecuteAsync("guest-ping", long_, s_short, Cancellation));
        heard.Release(10);
    }

    [Fact]
    public async Task An_answer_that_comes_late_is_not_taken_for_the_next_one()
    {
        var late = "";
        await using var peer = new FakeAgent(line =>
        {
            if (line.Contains("guest-ping", StringComparison.Ordinal))
            {
                late = "{\"return\": 13}\n";
                return null;
            }

            var said = late + FakeAgent.Good(line);
            late = "";
            return said;
        });
        await using var agent = await peer.ConnectAsync();
        await Assert.ThrowsAsync<CoppiceException>(() => agent.ExecuteAsync("guest-ping", null, s_short, Cancellation));
        Assert.Equal(s_then, await agent.ReadTimeAsync(s_long, Cancellation));
        Assert.Equal(2, peer.Heard.Count(l => l.Contains("guest-sync-delimited", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_refusal_has_the_agents_words_but_not_all_of_them_and_the_conversation_goes_on()
    {
        var words = new string('n', 5000);
        await using var peer = new FakeAgent(line => line.Contains("guest-set-time", StringComparison.Ordinal)
            ? $"{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"{words}\"}}}}\n"
            : FakeAgent.Good(line));
        await using var agent = await peer.ConnectAsync();
        var refusal = await Assert.ThrowsAsync<AgentRefusalException>(() => agent.SetTimeAsync(s_then, s_long, Cancellation));
        Assert.InRange(refusal.Message.Length, 10, 300);
        Assert.Equal(s_then, await agent.ReadTimeAsync(s_long, Cancellation));
        Assert.Single(peer.Heard, l => l.Contains("guest-sync-delimited", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_channel_at_which_QEMU_does_not_listen_is_an_error()
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(
            () => GuestAgent.ConnectAsync("/nonexistent/agent.sock", "the agent", TimeProvider.System, Cancellation));
        Assert.Contains("cannot be reached", error.Problem, StringComparison.Ordinal);
    }
}
