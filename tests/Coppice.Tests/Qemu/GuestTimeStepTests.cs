using System.Globalization;
using System.Text.Json;
using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>The step that sets a guest's clock never fails: what did not come about is told, with what to do about it.</summary>
public sealed class GuestTimeStepTests : IAsyncLifetime
{
    private static readonly ShortId s_process = new("00000001");
    private static readonly DomainDefinition s_definition = new()
    {
        Id = new DomainId(Guid.Empty),
        Name = "web",
        Memory = new ByteCount(64 << 20),
        Devices =
        [
            new CharacterDevice { Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix, Name = "other" },
            new CharacterDevice
            {
                Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix, Name = GuestAgentChannel.Name,
            },
        ],
    };

    private readonly QemuHypervisor _hypervisor = new(new QemuOptions(), TimeProvider.System);
    private readonly HomeFolder _home = new(Directory.CreateTempSubdirectory("cg-").FullName);

    private RunFolder Run => RunFolder.Of(_home, s_process);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Run.Path);
        await File.WriteAllBytesAsync(Run.WentOn, [], Cancellation);
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).StartAsync("/bin/sleep", ["60"], Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).KillAsync(CancellationToken.None);
        Directory.Delete(_home.Path, recursive: true);
    }

    [Fact]
    public async Task The_agents_own_channel_is_asked_and_gets_the_time_of_the_moment()
    {
        await using var agent = new FakeAgent(FakeAgent.Good, path: Run.Socket("channel1.sock"));
        var before = TimeProvider.System.GetUtcNow();
        var report = await SetAsync();
        Assert.Null(report.Warning);
        Assert.Contains("guest's clock set (it was -", report.Mechanism, StringComparison.Ordinal);
        var time = JsonDocument.Parse(agent.Heard.Last()).RootElement.GetProperty("arguments").GetProperty("time").GetInt64();
        Assert.InRange(DateTimeOffset.UnixEpoch.AddTicks(time / 100), before, TimeProvider.System.GetUtcNow());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refusal_counts_only_if_the_clock_is_wrong_afterwards(bool isSet)
    {
        var refused = false;
        await using var agent = new FakeAgent(
            line => line switch
            {
                _ when line.Contains("guest-set-time", StringComparison.Ordinal) => Refuse(),
                _ when line.Contains("guest-get-time", StringComparison.Ordinal) && refused && isSet => $"{{\"return\": {Now()}}}\n",
                _ => FakeAgent.Good(line),
            },
            path: Run.Socket("channel1.sock"));
        var report = await SetAsync();
        Assert.Equal(isSet, report.Warning is null);
        if (!isSet)
        {
            Assert.Contains("refuses guest-set-time: hwclock failed", report.Warning, StringComparison.Ordinal);
            Assert.Contains("hwclock --hctosys", report.Warning, StringComparison.Ordinal);
        }

        string Refuse()
        {
            refused = true;
            return "{\"error\": {\"class\": \"GenericError\", \"desc\": \"hwclock failed\"}}\n";
        }
    }

    [Theory]
    [InlineData("running", true, "cannot be reached")]
    [InlineData("running", false, "install and start qemu-guest-agent")]
    [InlineData("paused", true, "does not run")]
    public async Task A_guest_that_cannot_be_asked_is_a_warning(string status, bool isOpen, string reason)
    {
        var report = await SetAsync(status, isOpen);
        Assert.Contains(reason, report.Warning, StringComparison.Ordinal);
        Assert.StartsWith("the clock of the guest of 'web' was not set", report.Warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"error\": {\"desc\": \"\\ud800\"}}\n")]
    [InlineData("{\"error\": {\"desc\": \"\u00C3(\"}}\n")]
    [InlineData("{\"\\ud800\": 1, \"return\": 1}\n")]
    public async Task Words_of_a_hostile_guest_are_a_warning(string said)
    {
        await using var agent = new FakeAgent(
            line => line.Contains("guest-get-time", StringComparison.Ordinal) ? said : FakeAgent.Good(line), path: Run.Socket("channel1.sock"));
        Assert.Contains("breaks its protocol", (await SetAsync()).Warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_hangs_costs_one_limit_for_the_whole_step()
    {
        await using var agent = new FakeAgent(
            line => line.Contains("guest-set-time", StringComparison.Ordinal) ? null : FakeAgent.Good(line), path: Run.Socket("channel1.sock"));
        var report = await SetAsync(time: new FastClock());
        Assert.Contains("it took longer than 5 s", report.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_has_yet_to_go_on_is_asked_again_with_the_take_over()
    {
        File.Delete(Run.WentOn);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => SetAsync("paused"));
        Assert.Equal((ErrorKind.WrongState, "the guest of domain 'web'"), (error.Kind, error.Subject));

        // A take-over that could not write its note does not repeat itself.
        Assert.Contains("cannot be reached", (await SetAsync("running")).Warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_monitor_that_refuses_is_a_warning()
    {
        await using var monitor = new FakeMonitor(
            line => $"{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"no\"}}, \"id\": {FakeMonitor.Id(line)}}}\n", path: Run.Commands);
        Assert.NotNull((await ApplyAsync()).Warning);
    }

    [Fact]
    public async Task A_guest_that_is_gone_needs_no_clock()
    {
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).KillAsync(Cancellation);
        Assert.Equal(StepReport.Nothing, await ApplyAsync());
    }

    private static string Now() =>
        ((TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100).ToString(CultureInfo.InvariantCulture);

    private async Task<StepReport> SetAsync(string status = "running", bool isOpen = true, TimeProvider? time = null)
    {
        await using var monitor = new FakeMonitor(
            line => line switch
            {
                _ when line.Contains("query-status", StringComparison.Ordinal) => Answer(line, $$"""{"status": "{{status}}"}"""),
                _ when line.Contains("query-chardev", StringComparison.Ordinal) => Answer(line, Backends(isOpen)),
                _ => FakeMonitor.Ok(line),
            },
            path: Run.Commands);
        return await ApplyAsync(time);
    }

    private static string Backends(bool isOpen) =>
        $$"""[{"label": "channel0", "frontend-open": true}, 7, {"label": "channel1", "frontend-open": {{(isOpen ? "true" : "false")}}}]""";

    private static string Answer(string line, string value) => $"{{\"return\": {value}, \"id\": {FakeMonitor.Id(line)}}}\n";

    private Task<StepReport> ApplyAsync(TimeProvider? time = null)
    {
        var hypervisor = time is null ? _hypervisor : new QemuHypervisor(new QemuOptions(), time);
        return hypervisor.ApplyAsync(
            hypervisor.SetGuestTime(s_process, s_definition),
            new StepContext(_home.Domain(s_definition.Id), new ShortId("0badcafe"), new Progress<StepProgress>()), Cancellation);
    }

    /// <summary>Nobody has to wait as long as the limits say.</summary>
    private sealed class FastClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / 20 : dueTime, period);
    }
}
