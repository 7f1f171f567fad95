using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A guest that goes on from memory gets network cards of its own while it runs (R228).</summary>
public sealed class NewCardTests : IDisposable
{
    private const string Original = World.Name, Copy = "copy";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_fork_with_memory_has_new_cards_in_its_guest_and_cables_as_the_snapshot_had_them()
    {
        await SnapshotAsync(Bridged(1), Bridged(2) with { LinkIsUp = false }, new NetworkDevice { Mac = Mac(3) });
        var atStart = new List<FakeProcess>();
        _world.Host.Acting = what => atStart.AddRange(what == "unplug card" ? [ProcessOf(Copy)] : Array.Empty<FakeProcess>());
        await ForkAsync();
        Assert.Equal([0, 1], atStart[0].Pulled.Order());
        Assert.Equal([1], ProcessOf(Copy).Pulled.Order());
        Assert.Equal(CardsOf(Copy).Select(c => c.Mac), ProcessOf(Copy).Cards.Values);
        Assert.Empty(ProcessOf(Copy).Cards.Values.Intersect(atStart[0].Cards.Values.Concat(ProcessOf(Original).Cards.Values)));
        await _world.RunAsync(new CreateSnapshot(Copy) { Name = "later" });
        await _world.RunAsync(new RevertSnapshot(Copy, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Equal([0, 1], ProcessOf(Copy).Pulled.Order());
        await _world.RunAsync(new RevertSnapshot(Copy, "later", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Equal([1], ProcessOf(Copy).Pulled.Order());
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task One_that_boots_has_new_addresses_anyway()
    {
        await SnapshotAsync(Bridged(1));
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "disks", DiskOnly = true });
        await _world.RunAsync(Scenario.Fork("disks") with { Network = ForkNetwork.Renewed });
        Assert.Null(CardsOf(Copy).Single().LinkIsUp);
        Assert.NotEqual(Mac(1), CardsOf(Copy).Single().Mac);
    }

    [Fact]
    public async Task A_guest_that_keeps_its_card_leaves_a_fork_with_pulled_cables_and_is_asked_again()
    {
        await SnapshotAsync(Bridged(1));
        _world.Host.GuestsObey = false;
        var failed = await HomeTests.FailAsync(ForkAsync);
        Assert.Equal(ErrorKind.WrongState, failed.Kind);
        Assert.Contains("the fork 'copy' is there and runs, and has kept net0 with the cable pulled", failed.Problem, StringComparison.Ordinal);
        Assert.Contains("net0 new", failed.NextStep, StringComparison.Ordinal);
        Assert.Equal((DomainState.Running, 0), (ProcessOf(Copy).State, ProcessOf(Copy).Pulled.Single()));
        Inspection.CheckAll(_world);
        _world.Host.GuestsObey = true;
        await _world.RunAsync(new RenewCard(Copy, "net0", IsUp: true));
        Assert.Equal((CardsOf(Copy).Single().Mac, true), (ProcessOf(Copy).Cards.Values.Single(), ProcessOf(Copy).Pulled.IsEmpty));
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task One_card_that_stays_keeps_no_other_from_being_replaced_and_is_told_alone(int stubborn)
    {
        await SnapshotAsync(Bridged(1), Bridged(2) with { LinkIsUp = false });
        var asked = 0;
        _world.Host.Acting = what => _ = what == "unplug card" && asked++ == stubborn ? throw new IOException("no") : 0;
        var failed = await HomeTests.FailAsync(ForkAsync);
        _world.Host.Acting = null;
        Assert.Equal(2, asked);
        Assert.Contains($"and runs, and has kept net{stubborn} with the cable pulled", failed.Problem, StringComparison.Ordinal);
        var command = $"coppice link copy net{stubborn} new";
        Assert.EndsWith(stubborn == 0 ? command : $"{command}, then coppice link copy net1 down", failed.NextStep, StringComparison.Ordinal);
        Assert.DoesNotContain($"net{1 - stubborn}", failed.NextStep, StringComparison.Ordinal);
        Assert.Equal(stubborn == 0 ? [0, 1] : [1], ProcessOf(Copy).Pulled.Order());
        Assert.Equal(CardsOf(Copy)[1 - stubborn].Mac, ProcessOf(Copy).Cards[1 - stubborn]);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task All_cards_that_stay_are_told_with_what_replaces_each()
    {
        await SnapshotAsync(Bridged(1), Bridged(2) with { LinkIsUp = false });
        _world.Host.GuestsObey = false;
        var failed = await HomeTests.FailAsync(ForkAsync);
        Assert.Contains("has kept net0, net1 with the cable pulled", failed.Problem, StringComparison.Ordinal);
        Assert.EndsWith(
            "coppice link copy net0 new; coppice link copy net1 new, then coppice link copy net1 down", failed.NextStep, StringComparison.Ordinal);
        Assert.Equal([0, 1], ProcessOf(Copy).Pulled.Order());
    }

    [Fact]
    public async Task A_card_that_is_let_go_of_late_is_missed_until_the_new_one_is_there()
    {
        await SnapshotAsync(Bridged(1));
        _world.Host.State = FakeHost.Set(
            _world.Host.State, _world.Catalog.Head.Process!.Value, p => p with { Cards = p.Cards.Clear() });
        foreach (var request in new DomainRequest[] { new CreateSnapshot(Original) { Name = "two" }, new SetLink(Original, "net0", IsUp: false) })
        {
            var refused = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Contains("coppice link web net0 new", refused.NextStep, StringComparison.Ordinal);
        }

        Assert.Contains(
            await _world.Open().CheckAsync(Original), f => f is { Kind: FindingKind.Unplugged, Subject: "network card net0" });
        await _world.RunAsync(new PauseDomain(Original));
        await _world.RunAsync(new RenewCard(Original, Mac(1), IsUp: true));
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "two" });
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_cannot_be_replaced_is_refused_before_anything_is_made()
    {
        await SnapshotAsync(Bridged(1), new NetworkDevice { Mac = Mac(2), Address = new VirtioMmioAddress() });
        Assert.Contains("net1", (await RefusedAsync(ErrorKind.MissingCapability, ForkState.Running)).Subject, StringComparison.Ordinal);
        Assert.Contains("--start", (await RefusedAsync(ErrorKind.InvalidInput, ForkState.Off)).NextStep, StringComparison.Ordinal);
        Assert.Contains("--start", (await RefusedAsync(ErrorKind.InvalidInput, ForkState.Paused)).NextStep, StringComparison.Ordinal);
        var running = await HomeTests.FailAsync(() => _world.RunAsync(new RenewCard(Original, "net1", IsUp: true)));
        Assert.Equal(ErrorKind.MissingCapability, running.Kind);
        await _world.RunAsync(new PauseDomain(Original));
        var paused = await HomeTests.FailAsync(() => _world.RunAsync(new RenewCard(Original, "net0", IsUp: true)));
        Assert.Contains("coppice resume", paused.NextStep, StringComparison.Ordinal);
        await _world.RunAsync(new SaveDomain(Original));
        var saved = await HomeTests.FailAsync(() => _world.RunAsync(new RenewCard(Original, "net0", IsUp: true)));
        Assert.Contains("coppice start", saved.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_network_card_there_is_none_to_replace()
    {
        await SnapshotAsync();
        var refused = await RefusedAsync(ErrorKind.WrongState, ForkState.Running);
        Assert.Contains("has no network card", refused.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_card_of_a_domain_that_is_off_is_another_at_its_next_start()
    {
        await SnapshotAsync(Bridged(1));
        await _world.RunAsync(new KillDomain(Original));
        await _world.RunAsync(new RenewCard(Original, "net0", IsUp: false));
        await _world.StartAsync();
        var process = ProcessOf(Original);
        Assert.DoesNotContain(Mac(1), process.Cards.Values);
        Assert.Equal([0], process.Pulled.Order());
    }

    private async Task<CoppiceException> RefusedAsync(ErrorKind kind, ForkState state)
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one") with { Network = ForkNetwork.Renewed, State = state }));
        Assert.Equal(kind, error.Kind);
        Assert.Single(_world.All);
        return error;
    }

    private Task<OperationResult> ForkAsync() =>
        _world.RunAsync(Scenario.Fork("one") with { Network = ForkNetwork.Renewed, State = ForkState.Running });

    private async Task SnapshotAsync(params NetworkDevice[] cards)
    {
        await _world.RunAsync(new DefineDomain(World.Definition() with { Devices = [.. World.Definition().Devices, .. cards] }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
    }

    private static string Mac(int number) => $"52:54:00:00:00:0{number}";

    private static NetworkDevice Bridged(int number) => new() { Mac = Mac(number), Tap = new TapDevice { Bridge = World.Bridge } };

    private FakeProcess ProcessOf(string name) => _world.Host.State.Processes[_world.Fork(name).Catalog.Head.Process!.Value];

    private NetworkDevice[] CardsOf(string name) => [.. Inspection.DefinitionOf(_world.Fork(name)).Devices.OfType<NetworkDevice>()];
}
