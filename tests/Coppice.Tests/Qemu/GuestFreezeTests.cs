using System.Collections.Concurrent;
using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>
/// A guest is frozen for the length of the pause and never longer than its limit, whatever its agent says and whatever becomes
/// of the manager.
/// </summary>
public sealed class GuestFreezeTests : IAsyncLifetime
{
    private static readonly ShortId s_process = new("00000001");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly DomainDefinition s_definition = new()
    {
        Id = new DomainId(Guid.Empty),
        Name = "web",
        Memory = new ByteCount(64 << 20),
        Devices =
        [
            new CharacterDevice
            {
                Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix, Name = GuestAgentChannel.Name,
            },
        ],
    };

    private readonly QemuHypervisor _hypervisor = new(new QemuOptions(), new AgentClock());
    private readonly HomeFolder _home = new(Directory.CreateTempSubdirectory("cf-").FullName);

    /// <summary>What monitor and agent were told, in the order of time.</summary>
    private readonly ConcurrentQueue<string> _heard = new();

    private RunFolder Run => RunFolder.Of(_home, s_process);

    private DomainFolder Folder => _home.Domain(s_definition.Id);

    private StepContext Context => new(Folder, new ShortId("0badcafe"), new Progress<StepProgress>());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Run.Path);
        Directory.CreateDirectory(Folder.Path);
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).StartAsync("/bin/sleep", ["60"], Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await Guard.WaitForOthersAsync(Folder, TimeProvider.System, CancellationToken.None);
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).KillAsync(CancellationToken.None);
        Directory.Delete(_home.Path, recursive: true);
    }

    [Fact]
    public async Task The_guest_is_frozen_just_before_it_stops_and_thawed_just_after_it_goes_on()
    {
        await using var agent = Agent(Obedient);
        await using var monitor = Monitor();
        var report = await ApplyAsync();
        Assert.Equal(["status", "freeze", "stop", "cont", "thaw"], Told());
        Assert.NotNull(report.Pause);
        Assert.Contains("file systems frozen by the agent", report.Mechanism, StringComparison.Ordinal);
        Assert.Equal(["freeze", "stop", "cont", "thaw"], report.Timings.Select(t => t.Name));
        Assert.False(File.Exists(Run.Frozen(Context.Operation)));
    }

    [Theory]
    [InlineData("{\"error\": {\"class\": \"GenericError\", \"desc\": \"failed to freeze /srv\"}}\n", "refuses guest-fsfreeze-freeze: failed to freeze /srv")]
    [InlineData("{\"return\": 0}\n", "froze no file system")]
    [InlineData("{\"return\": -1}\n", "breaks its protocol")]
    [InlineData("{\"return\": 99999999999999999999}\n", "breaks its protocol")]
    [InlineData("frozen!\n", "breaks its protocol")]
    [InlineData(null, "did not answer 'guest-fsfreeze-freeze' within 20 s")]
    public async Task A_freeze_that_fails_even_half_way_is_thawed_at_once_and_the_guest_is_not_paused(string? said, string problem)
    {
        await using var agent = Agent(line => line.Contains("fsfreeze-freeze", StringComparison.Ordinal) ? said : Obedient(line));
        var (error, told) = await FailAsync();
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.Contains("web", error.Subject, StringComparison.Ordinal);
        Assert.Equal(["status", "freeze", "thaw"], told);
        Assert.False(File.Exists(Run.Frozen(Context.Operation)));
    }

    [Fact]
    public async Task An_agent_that_hangs_for_good_has_the_thaw_on_its_channel_and_keeps_nobody_from_its_domain()
    {
        await using var agent = Agent(line => line.Contains("status", StringComparison.Ordinal) || !_heard.Contains("freeze") ? Obedient(line) : null);
        var (error, told) = await FailAsync();
        Assert.Contains("may stay frozen until its agent goes on", error.Problem, StringComparison.Ordinal);
        Assert.Equal(["status", "freeze", "thaw"], told);
        Assert.False(File.Exists(Run.Frozen(Context.Operation)));
    }

    [Fact]
    public async Task A_guest_that_thawed_before_its_disks_were_snapshotted_is_an_error()
    {
        await using var agent = Agent(line => line.Contains("thaw", StringComparison.Ordinal) ? "{\"return\": 1}\n" : Obedient(line));
        var (error, told) = await FailAsync();
        Assert.Contains("had 2 file systems frozen, and only 1 still were", error.Problem, StringComparison.Ordinal);
        Assert.Equal(["status", "freeze", "stop", "cont", "thaw"], told);
    }

    [Fact]
    public async Task What_somebody_else_has_frozen_is_neither_frozen_nor_thawed()
    {
        await using var agent = Agent(line => line.Contains("status", StringComparison.Ordinal) ? "{\"return\": \"frozen\"}\n" : Obedient(line));
        var (error, told) = await FailAsync();
        Assert.Contains("by somebody else", error.Problem, StringComparison.Ordinal);
        Assert.Equal(["status"], told);
    }

    [Fact]
    public async Task The_next_command_thaws_what_a_dead_one_left_frozen_and_nothing_else()
    {
        await using var agent = Agent(Obedient);
        await using (Monitor())
        {
            await _hypervisor.UndoAsync(Step(), Context, Cancellation);
        }

        Assert.DoesNotContain("thaw", Told());
        await File.WriteAllBytesAsync(Run.Frozen(Context.Operation), [], Cancellation);
        await using (Monitor())
        {
            await _hypervisor.UndoAsync(Step(), Context, Cancellation);
        }

        Assert.Equal("thaw", Told()[^1]);
        Assert.False(File.Exists(Run.Frozen(Context.Operation)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_guard_thaws_a_guest_whose_manager_has_died_or_takes_too_long(bool dies)
    {
        await using var agent = Agent(Obedient);
        using var guard = await ArmAsync(agent, dies ? s_patience : TimeSpan.FromSeconds(0.05));
        if (dies)
        {
            guard.Dispose();
        }

        while (!_heard.Contains("thaw"))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), Cancellation).WaitAsync(s_patience, Cancellation);
        }

        // It has heard that the guest has thawed, and does not go on to try it.
        await Guard.WaitForOthersAsync(Folder, TimeProvider.System, Cancellation);
        Assert.InRange(_heard.Count(h => h == "thaw"), 1, 11);
    }

    [Fact]
    public async Task A_guard_that_was_sent_home_thaws_nobody()
    {
        await using var agent = Agent(Obedient);
        using var guard = await ArmAsync(agent, s_patience);
        await guard.DisarmAsync();
        Assert.DoesNotContain("thaw", _heard);
    }

    private async Task<Guard> ArmAsync(FakeAgent agent, TimeSpan limit)
    {
        await using var connection = await agent.ConnectAsync();
        var order = new GuardOrder(Folder, Context.Operation, Run, null) { Frozen = new FrozenGuest(connection.Handle, limit) };
        return await Guard.ArmAsync(order, TimeProvider.System, Cancellation);
    }

    /// <summary>The step fails, and is undone as an engine would.</summary>
    /// <returns>Why, and what monitor and agent had been told until then.</returns>
    private async Task<(CoppiceException Error, string[] Told)> FailAsync()
    {
        CoppiceException error;
        await using (Monitor())
        {
            error = await Assert.ThrowsAsync<CoppiceException>(ApplyAsync);
        }

        var told = Told();
        await using (Monitor())
        {
            await _hypervisor.UndoAsync(Step(), Context, Cancellation);
        }

        return (error, told);
    }

    private Task<StepReport> ApplyAsync() => _hypervisor.ApplyAsync(Step(), Context, Cancellation);

    private Step Step() => _hypervisor.Checkpoint(
        new CheckpointRequest(s_process, DomainState.Running, MemoryImage.None, [], default), s_definition);

    private static string? Obedient(string line) => line switch
    {
        _ when line.Contains("fsfreeze-status", StringComparison.Ordinal) => "{\"return\": \"thawed\"}\n",
        _ when line.Contains("guest-fsfreeze", StringComparison.Ordinal) => "{\"return\": 2}\n",
        _ when line.Contains("guest-sync\"", StringComparison.Ordinal) => $"{{\"return\": {FakeAgent.Id(line)}}}\n",
        _ => FakeAgent.Good(line),
    };

    private FakeAgent Agent(Func<string, string?> answer) => new(
        line =>
        {
            Hear(line, "fsfreeze-status", "status", "fsfreeze-freeze", "freeze", "fsfreeze-thaw", "thaw");
            return answer(line);
        },
        path: Run.Socket("channel0.sock"));

    private FakeMonitor Monitor()
    {
        File.Delete(Run.Commands);
        return new FakeMonitor(
            line =>
            {
                Hear(line, "\"stop\"", "stop", "\"cont\"", "cont");
                return line.Contains("query-chardev", StringComparison.Ordinal)
                    ? $$"""{"return": [{"label": "channel0", "frontend-open": true}], "id": {{FakeMonitor.Id(line)}}}""" + "\n"
                    : FakeMonitor.Ok(line);
            },
            path: Run.Commands);
    }

    private void Hear(string line, params string[] words)
    {
        foreach (var pair in words.Chunk(2).Where(pair => line.Contains(pair[0], StringComparison.Ordinal)))
        {
            _heard.Enqueue(pair[1]);
        }
    }

    /// <summary>What they were told; a thaw that is repeated counts once.</summary>
    private string[] Told()
    {
        var told = _heard.ToArray();
        return [.. told.Where((t, i) => i == 0 || t != told[i - 1])];
    }

    /// <summary>Nobody has to wait as long as agents may take; all else takes its time.</summary>
    private sealed class AgentClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime.TotalSeconds is 5 or 20 ? dueTime / 40 : dueTime, period);
    }
}
