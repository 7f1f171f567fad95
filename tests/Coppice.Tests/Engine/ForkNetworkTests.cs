using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What the network cards of a fork become: addresses and cables of its own, and no tap device that another has (R228).</summary>
public sealed class ForkNetworkTests : ForkBed
{
    [Fact]
    public async Task It_has_a_name_a_uuid_a_generation_id_and_addresses_of_its_own()
    {
        var card = new NetworkDevice { Mac = "52:54:00:00:00:01", Forwards = [new PortForward { Ranges = [new PortRange(2222, 2222, 22)] }] };
        var bridged = new NetworkDevice { Mac = "52:54:00:00:00:02", Tap = new TapDevice { Bridge = World.Bridge } };
        await _world.RunAsync(new DefineDomain(World.Definition() with
        {
            GenerationId = Guid.Parse("11111111-1111-1111-1111-111111111111"), Devices = [.. World.Definition().Devices, card, bridged],
        }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "disks", DiskOnly = true });
        var result = await _world.RunAsync(Scenario.Fork("one"));
        Assert.Contains(result.Plan.Warnings, w => w.Contains("port forwards", StringComparison.Ordinal));
        var (before, after) = (DefinitionOf(_world.Domain, _world.Catalog), DefinitionOf(Fork.Folder, Fork.Catalog));
        Assert.Equal(Fork.Catalog.Domain, after.Id);
        Assert.DoesNotContain(after.GenerationId, (Guid?[])[null, before.GenerationId]);
        NetworkDevice[] cards = [.. after.Devices.OfType<NetworkDevice>()];
        Assert.Empty(cards[0].Forwards);
        Assert.Equal([null, false], cards.Select(c => c.LinkIsUp));
        Assert.Empty(cards.Select(c => c.Mac).Intersect([card.Mac, bridged.Mac]));

        await _world.RunAsync(Scenario.Fork("disks") with { Name = "boots" });
        Assert.Equal([null, null], CardsOf("boots").Select(c => c.LinkIsUp));
        await _world.RunAsync(Scenario.Fork("one") with { Name = "same", Network = ForkNetwork.Keep });
        Assert.Equal([card.Mac, bridged.Mac], CardsOf("same").Select(c => c.Mac));
        Assert.Single(CardsOf("same")[0].Forwards);
    }

    [Fact]
    public async Task A_pulled_cable_is_plugged_in_whatever_the_domain_does_and_stays_so()
    {
        await _world.RunAsync(new DefineDomain(World.Definition() with
        {
            Devices = [.. World.Definition().Devices, new NetworkDevice(), new NetworkDevice { Tap = new TapDevice { Bridge = World.Bridge } }],
        }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new SetLink(Copy, "net0", IsUp: false));
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        Assert.Equal([0, 1], ProcessOf(Fork.Catalog).Pulled);
        await _world.RunAsync(new SetLink(Copy, CardsOf(Copy)[1].Mac!, IsUp: true));
        Assert.Equal([0], ProcessOf(Fork.Catalog).Pulled);
        var same = await _world.RunAsync(new SetLink(Copy, "net1", IsUp: true));
        Assert.Empty(same.Plan.Steps);
        await _world.RunAsync(new KillDomain(Copy));
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        Assert.Equal([0], ProcessOf(Fork.Catalog).Pulled);
        Inspection.CheckAll(_world);

        _world.Host.Acting = what => _ = what.StartsWith("cable", StringComparison.Ordinal) ? throw new IOException("no") : 0;
        await HomeTests.FailAsync(() => _world.RunAsync(new SetLink(Copy, "net0", IsUp: true)));
        _world.Host.Acting = null;
        Assert.Equal([false, true], CardsOf(Copy).Select(c => c.LinkIsUp));
        var missing = await HomeTests.FailAsync(() => _world.RunAsync(new SetLink(Copy, "net2", IsUp: true)));
        Assert.Equal(ErrorKind.NotFound, missing.Kind);
        Assert.Contains("net1", missing.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tap_device_that_only_one_can_have_is_refused_by_name()
    {
        await _world.RunAsync(new DefineDomain(World.OnNetworks()));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains(World.Tap, error.Problem, StringComparison.Ordinal);
        Assert.Single(_world.All);
    }
}
