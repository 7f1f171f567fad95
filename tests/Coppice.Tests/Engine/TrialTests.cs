using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>Whether a guest comes up from a snapshot is found out in a fork that nobody sees afterwards.</summary>
public sealed class TrialTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("one", true, TrialEnd.Answers)]
    [InlineData("off", true, TrialEnd.Answers)]
    [InlineData("one", false, TrialEnd.Runs)]
    public async Task A_guest_that_comes_up_is_told_and_its_fork_is_gone_with_all_that_it_had(string snapshot, bool agent, TrialEnd end)
    {
        await GrowAsync(agent);
        var (tree, processes) = (Inspection.Tree(_world.Catalog), _world.Host.State.Processes.Keys.ToArray());
        var files = Files();
        var result = await TryAsync(snapshot);
        Assert.Equal(new GuestTrial(end), result.Trial);
        Assert.Empty(result.Warnings);
        Assert.Equal(Name, Assert.Single(_world.All).Catalog.Name);
        Assert.Equal(tree, Inspection.Tree(result.Catalog!));
        Assert.Equal(processes, _world.Host.State.Processes.Keys);
        Assert.Equal(files, Files());
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_guest_that_does_not_come_up_is_told_with_the_reason_and_leaves_nothing_either()
    {
        await GrowAsync();
        _world.Host.GuestsComeUp = false;
        var result = await TryAsync("one");
        Assert.Equal((TrialEnd.Failed, "its kernel has panicked"), (result.Trial!.End, result.Trial.Problem));
        Assert.Single(_world.All);
    }

    [Fact]
    public async Task What_cannot_be_started_has_not_come_up()
    {
        await GrowAsync();
        _world.Host.Acting = what =>
        {
            if (what == "launch")
            {
                throw new CoppiceException(ErrorKind.Hypervisor, "memory image", "is not what QEMU expects");
            }
        };
        var result = await TryAsync("one");
        Assert.Equal(TrialEnd.Failed, result.Trial!.End);
        Assert.Contains("is not what QEMU expects", result.Trial.Problem, StringComparison.Ordinal);
        Assert.Single(_world.All);
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => TryAsync("nowhere"))).Kind);
    }

    [Theory]
    [InlineData(ErrorKind.Storage)]
    [InlineData(ErrorKind.Forbidden)]
    [InlineData(ErrorKind.MissingCapability)]
    public async Task Trouble_of_the_host_is_no_word_on_the_snapshot_and_leaves_nothing_either(ErrorKind kind)
    {
        await GrowAsync();
        _world.Host.Acting = what =>
        {
            if (what == "launch")
            {
                throw new CoppiceException(kind, "this host", "has no room");
            }
        };
        Assert.Equal(kind, (await HomeTests.FailAsync(() => TryAsync("one"))).Kind);
        Assert.Single(_world.All);
    }

    [Fact]
    public async Task What_is_only_tried_out_is_not_forked()
    {
        await GrowAsync();
        await _world.RunAsync(new ForkSnapshot(Name, "one", "left") { IsTrial = true });
        using var held = FileLock.TryAcquire(_world.Fork("left").Folder.Trial)!;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new ForkSnapshot("left", "one", "copy")));
        Assert.Equal((ErrorKind.WrongState, "domain 'left'"), (error.Kind, error.Subject));
    }

    [Fact]
    public async Task While_it_is_tried_it_has_no_cable_and_nobody_throws_it_away_and_afterwards_whoever_comes_next_does()
    {
        await _world.RunAsync(new DefineDomain(World.OnNetworks() with { Devices = [.. World.OnNetworks().Devices.SkipLast(1), new NetworkDevice()] }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var seen = 0;
        _world.Host.Acting = what =>
        {
            if (what != "try")
            {
                return;
            }

            seen++;
            var (folder, trial) = _world.All.Single(d => d.Catalog.Name != Name);
            Assert.Equal(Persistence.Trial, trial.Persistence);
            Assert.Equal([0, 1], _world.Host.State.Processes[trial.Head.Process!.Value].Pulled);
            Assert.Null(FileLock.TryAcquire(folder.Trial));
            throw new OperationCanceledException();
        };
        await HomeTests.FailAsync(() => TryAsync("one"));
        Assert.Equal(1, seen);
        Assert.Single(_world.All);
    }

    [Fact]
    public async Task A_fork_that_outlived_who_tried_it_goes_with_its_process_at_the_next_look_unless_it_was_let_stay()
    {
        await GrowAsync();
        var fork = new ForkSnapshot(Name, "one", "left") { State = ForkState.Running, IsTrial = true };
        await _world.RunAsync(fork);
        Assert.Equal([Name], (await _world.Open().ListAsync(TestContext.Current.CancellationToken)).Domains.Select(d => d.Catalog.Name));
        Assert.Single(_world.All);
        Assert.Single(_world.Host.State.Processes);

        await _world.RunAsync(fork);
        using (FileLock.TryAcquire(_world.Fork("left").Folder.Trial)!)
        {
            Assert.Equal(2, (await _world.Open().ListAsync(TestContext.Current.CancellationToken)).Domains.Length);
            await _world.RunAsync(new PersistDomain("left"));
        }

        Assert.Equal(2, (await _world.Open().ListAsync(TestContext.Current.CancellationToken)).Domains.Length);
        Assert.Empty((await _world.Open().CheckAsync("left", TestContext.Current.CancellationToken)).Where(f => f.Severity is not Severity.Note));
    }

    private string[] Files() => [.. _world.Host.State.Images.Keys, .. _world.Host.State.Memories.Keys];

    private Task<OperationResult> TryAsync(string snapshot) => _world.RunAsync(new TrySnapshot(Name, snapshot, TimeSpan.Zero));

    private async Task GrowAsync(bool agent = false)
    {
        await _world.RunAsync(new DefineDomain(agent ? World.Agent() : World.Definition()));
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
    }
}

public sealed class TrialCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    [Fact]
    public Task A_crash_anywhere_leaves_the_tree_as_it_was_and_no_fork() => TryEveryPointAsync("try a snapshot");
}
