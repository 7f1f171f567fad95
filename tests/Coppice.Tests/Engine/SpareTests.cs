using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Processes that wait for a revert: it takes one if there is one, and nothing is ever lost or left behind with them.</summary>
public sealed class SpareTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_revert_takes_the_one_that_waits_longest_and_starts_none(bool hasVolume)
    {
        await TakenAsync(hasVolume);
        await _world.RunAsync(Warm(2));
        var (first, second) = (_world.Catalog.Spares[0], _world.Catalog.Spares[1]);
        Assert.Equal(3, _world.Host.State.Processes.Count);

        var reverted = await _world.RunAsync(Revert());
        Assert.Contains("in a spare that waited", reverted.Plan.Mechanism, StringComparison.Ordinal);
        Assert.DoesNotContain(reverted.Plan.Steps, s => s.Kind is "machine.launch");
        Assert.Equal(first.Process, _world.Catalog.Head.Process);
        Assert.Equal(first.Disks, _world.Catalog.Head.Disks);
        Assert.Equal([second.Process], _world.Catalog.Spares.Select(s => s.Process));
        Assert.Equal(DomainState.Running, _world.Host.State.Processes[first.Process].State);
        await _world.RunAsync(Revert());
        Assert.Contains("in a new process", (await _world.RunAsync(Revert())).Plan.Mechanism, StringComparison.Ordinal);
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task One_that_stood_still_is_left_standing_if_that_is_asked()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(1));
        await _world.RunAsync(Revert() with { State = RevertState.Paused });
        Assert.Equal(DomainState.Paused, _world.Host.State.Processes[_world.Catalog.Head.Process!.Value].State);
    }

    [Fact]
    public async Task As_many_wait_as_were_asked_for_and_those_that_wait_already_count()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(2));
        var two = _world.Catalog.Spares.Select(s => s.Process).ToArray();
        await _world.RunAsync(Warm(3));
        Assert.Equal(two, _world.Catalog.Spares.Select(s => s.Process).Take(2));
        await NothingIsLeftAsync(waiting: 3);
        await _world.RunAsync(Warm(1));
        Assert.Equal(two[..1], _world.Catalog.Spares.Select(s => s.Process));
        await NothingIsLeftAsync(waiting: 1);
        await _world.RunAsync(Warm(0));
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task One_that_ended_is_not_taken_and_the_next_command_tidies_it_up()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(2));
        _world.Host.State = _world.Host.State.Without(_world.Catalog.Spares[0].Process);
        Assert.Equal(_world.Catalog.Spares[1].Process, (await _world.RunAsync(Revert())).Catalog!.Head.Process);
        await NothingIsLeftAsync(waiting: 0);

        await _world.RunAsync(Warm(2));
        _world.Host.LosePower();
        await _world.RunAsync(new StartDomain(Name, Paused: false));
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task Those_of_a_snapshot_end_with_it()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(2));
        var deleted = await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false));
        Assert.Contains(deleted.Plan.Warnings, w => w.Contains("2 spare(s) of snapshot 'one' end", StringComparison.Ordinal));
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task Those_of_a_domain_end_with_it()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(1, "two"));
        await _world.RunAsync(new KillDomain(Name));
        Assert.Single(_world.Host.State.Processes);
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        Assert.Empty(_world.Host.State.Processes);
    }

    [Fact]
    public async Task Those_that_have_an_image_open_end_before_it_is_merged_into()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(1, "two"));
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false));
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task They_go_on_waiting_while_snapshots_are_taken_and_the_guest_is_stopped_and_started()
    {
        await TakenAsync();
        await _world.RunAsync(Warm(1));
        await _world.SnapshotAsync("three");
        await _world.RunAsync(new RenameDomain(Name, "other"));
        await _world.RunAsync(new KillDomain("other"));
        await _world.RunAsync(new StartDomain("other", Paused: false));
        Assert.True(_world.Host.State.Processes[Assert.Single(_world.Catalog.Spares).Process].Waits);
        Assert.Contains("in a spare that waited", (await _world.RunAsync(Revert() with { Domain = "other" })).Plan.Mechanism, StringComparison.Ordinal);
    }

    [Fact]
    public async Task None_waits_for_a_snapshot_without_memory_or_that_shares_a_disk_with_the_guest()
    {
        await TakenAsync();
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "disks", Memory = new MemoryRequest(MemoryMode.None) });
        await RefusedAsync(Warm(1, "disks"), ErrorKind.WrongState, "has no memory");
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "part", Disks = [new DiskRequest("vdb", DiskMode.None)] });
        await RefusedAsync(Warm(1, "part"), ErrorKind.WrongState, "does not keep disk 'vdb'");
        await NothingIsLeftAsync(waiting: 0);
    }

    [Fact]
    public async Task Their_budget_and_the_room_for_their_RAM_are_kept_or_nothing_is_done()
    {
        await TakenAsync(mebibytes: 80);
        await _world.RunAsync(Warm(2) with { Budget = new ByteCount(2 << 20) });
        await RefusedAsync(Warm(3) with { Budget = new ByteCount(2 << 20) }, ErrorKind.WrongState, "--budget");
        await RefusedAsync(Warm(WarmSnapshot.Most), ErrorKind.Storage, "and not for 62");
        await NothingIsLeftAsync(waiting: 2);
    }

    [Fact]
    public async Task What_cannot_be_meant_is_refused()
    {
        await TakenAsync();
        await RefusedAsync(Warm(-1), ErrorKind.InvalidInput, "ask for 0 to");
        await RefusedAsync(Warm(WarmSnapshot.Most + 1), ErrorKind.InvalidInput, "ask for 0 to");
        await RefusedAsync(Warm(1) with { Lifetime = TimeSpan.FromSeconds(5) }, ErrorKind.InvalidInput, "would end before");
    }

    [Fact]
    public async Task One_is_taken_where_there_is_no_room_for_another_guest_beside_it()
    {
        await TakenAsync(mebibytes: 64);
        await _world.RunAsync(Warm(1));
        var volume = _world.Host.Volume!;
        _world.Host.Volume = volume with { Size = new ByteCount((32L << 20) + MemoryVolume.DeviceState.Bytes + (1 << 20)) };
        var reverted = await _world.RunAsync(Revert() with { DiscardCurrent = false });
        Assert.Contains("in a spare that waited", reverted.Plan.Mechanism, StringComparison.Ordinal);
        Assert.Equal(MemoryFormat.Mapped, Assert.Single(_world.Catalog.Tips).Memory.Format);
    }

    private async Task TakenAsync(bool hasVolume = true, long mebibytes = 1 << 20)
    {
        await _world.DefineAsync();
        if (hasVolume)
        {
            _world.AddVolume(mebibytes: mebibytes);
        }

        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
    }

    private async Task RefusedAsync(Request request, ErrorKind kind, string words)
    {
        var before = _world.Host.State;
        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => _world.RunAsync(request));
        Assert.Equal(kind, refusal.Kind);
        Assert.Contains(words, $"{refusal.Problem}; {refusal.NextStep}", StringComparison.Ordinal);
        Assert.Equal(before, _world.Host.State);
    }

    private async Task NothingIsLeftAsync(int waiting)
    {
        Assert.Equal(waiting, _world.Catalog.Spares.Length);
        Assert.Equal(waiting, _world.Host.State.Processes.Count(p => p.Value.Waits));
        var findings = await _world.Open().CheckAsync(null, TestContext.Current.CancellationToken);
        Assert.DoesNotContain(findings, f => f.Kind is not FindingKind.Busy);
        Assert.All(_world.Host.State.Processes.Keys, p => Assert.Contains(p, _world.Catalog.Processes));
    }

    private static WarmSnapshot Warm(int count, string snapshot = "one") => new(Name, snapshot, count);

    private static RevertSnapshot Revert() => new(Name, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false);
}
