using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What a TPM keeps: made once, part of every snapshot, never lost without a word.</summary>
public sealed class TpmTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    private string[] States => [.. _world.Host.State.Images.Keys.Where(k => k.StartsWith(_world.Domain.TpmFolder, StringComparison.Ordinal))];

    [Fact]
    public async Task It_is_made_with_the_domain_and_goes_with_it()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        Assert.Equal([_world.Domain.Tpm(_world.Catalog.Head.Tpm!.Value)], States);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false));
        Assert.Empty(States);
    }

    [Fact]
    public async Task Another_definition_keeps_it_and_one_without_a_TPM_is_refused()
    {
        await _world.DefineAsync();
        Assert.Null(_world.Catalog.Head.Tpm);
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        var before = _world.Catalog.Head.Tpm;
        await _world.RunAsync(new DefineDomain(World.Tpm() with { VirtualCpus = 2 }));
        Assert.Equal(before, _world.Catalog.Head.Tpm);

        var error = await HomeTests.FailAsync(_world.DefineAsync);
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("undefine", error.NextStep, StringComparison.Ordinal);
        Assert.Equal(before, _world.Catalog.Head.Tpm);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_snapshot_has_a_copy_and_a_revert_makes_another()
    {
        await DefineAndStartAsync();
        await _world.SnapshotAsync("one");
        var (snapshot, before) = (_world.Catalog.Find("one"), _world.Catalog.Head.Tpm);
        Assert.Equal(2, States.Length);
        _world.Host.Tick();

        await _world.RunAsync(Scenario.Revert("one"));
        var head = _world.Catalog.Head.Tpm;
        Assert.DoesNotContain(head, (ShortId?[])[snapshot.Tpm, before]);
        Assert.Equal(before, Assert.Single(_world.Catalog.Tips).Head.Tpm);
        Inspection.CheckAll(_world);

        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal(before, _world.Catalog.Head.Tpm);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.DoesNotContain(_world.Domain.Tpm(snapshot.Tpm!.Value), States);
    }

    [Fact]
    public async Task What_it_has_learned_while_no_disk_was_written_is_kept_by_a_revert()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "off", Disks = [.. Scenario.External("vda", "vdb")] });
        var before = _world.Catalog.Head.Tpm;
        await _world.RunAsync(new StartDomain(World.Name, Paused: false));
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(Scenario.Revert("off"));
        Assert.Equal(before, Assert.Single(_world.Catalog.Tips).Head.Tpm);
    }

    [Fact]
    public async Task A_snapshot_from_before_the_domain_had_one_leads_back_to_a_domain_without()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "before", Disks = [.. Scenario.External("vda", "vdb")] });
        await DefineAndStartAsync();
        await _world.RunAsync(Scenario.Revert("before"));
        Assert.Null(_world.Catalog.Head.Tpm);
        Assert.NotNull(Assert.Single(_world.Catalog.Tips).Head.Tpm);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_define_that_fails_leaves_none()
    {
        _world.Host.Acting = what =>
        {
            if (what.StartsWith("create ", StringComparison.Ordinal))
            {
                throw new CoppiceException(ErrorKind.Hypervisor, "TPM", "cannot be made");
            }
        };
        await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Tpm())));
        Assert.Empty(States);
        Assert.False(_world.Exists);
    }

    [Fact]
    public async Task What_a_killed_define_left_of_one_is_removed_by_the_next()
    {
        Directory.CreateDirectory(_world.Domain.Tpm(new ShortId("0badcafe")));
        await File.WriteAllTextAsync($"{_world.Domain.Tpm(new ShortId("0badcafe"))}/tpm2-00.permall", "half");
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        Assert.False(Directory.Exists(_world.Domain.Tpm(new ShortId("0badcafe"))));
    }

    private async Task DefineAndStartAsync()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        await _world.StartAsync();
    }
}
