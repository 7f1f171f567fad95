using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>Forks that cannot be made, or not to the end: they are refused by name, and leave nothing.</summary>
public sealed class ForkFailureTests : ForkBed
{
    [Fact]
    public async Task No_fork_of_several_is_made_unless_all_names_are_free()
    {
        await SnapshotAsync("one");
        foreach (var fork in new[] { Scenario.Fork("one") with { Name = Original }, Scenario.Fork("one") with { Following = ["x", Original] } })
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(fork));
            Assert.Equal((ErrorKind.AlreadyExists, $"domain '{Original}'"), (error.Kind, error.Subject));
        }

        var odd = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one") with { Name = "../x" }));
        Assert.Equal(ErrorKind.InvalidInput, odd.Kind);
        Assert.Single(_world.All);
        Assert.Empty(_world.Catalog.Loans);
    }

    [Fact]
    public async Task A_disk_that_the_snapshot_does_not_keep_is_named()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new CreateSnapshot(Original)
        {
            Name = "half", DiskOnly = true, Disks = [.. Scenario.External("vda"), new DiskRequest("vdb", DiskMode.None)],
        });
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("half")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("'vdb'", error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_took_no_part_and_whose_layer_is_gone_is_named_too()
    {
        await SnapshotAsync("zero");
        await _world.RunAsync(new CreateSnapshot(Original)
        {
            Name = "half", DiskOnly = true, Disks = [.. Scenario.External("vda"), new DiskRequest("vdb", DiskMode.None)],
        });
        await _world.RunAsync(Scenario.Revert("zero") with { DiscardCurrent = true });
        var half = _world.Catalog.Find("half").Disks.Single(d => d.Target == "vdb");
        Assert.False(LayerGraph.Of(_world.Catalog).Has(half.Layer));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("half")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("'vdb'", error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_that_was_written_since_it_was_frozen_is_not_forked()
    {
        await SnapshotAsync("one");
        _world.Host.Modified["/images/web-a.qcow2"] = new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one")));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Single(_world.All);
    }

    [Fact]
    public async Task A_fork_warns_before_the_file_system_of_its_layers_is_full()
    {
        await SnapshotAsync("zero");
        await SnapshotAsync("one");
        Assert.DoesNotContain((await _world.RunAsync(Scenario.Fork("one"))).Plan.Warnings, IsOfRoom);
        _world.Host.Free = new ByteCount(1 << 30);
        Assert.Contains((await _world.RunAsync(Scenario.Fork("one") with { Name = "second" })).Plan.Warnings, IsOfRoom);

        static bool IsOfRoom(string warning) => warning.Contains("are left on the file system", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fork_that_cannot_be_made_leaves_nothing_and_one_that_cannot_be_started_stays()
    {
        await SnapshotAsync("one");
        foreach (var act in new[] { "link", "create" })
        {
            _world.Host.Acting = what =>
            {
                if (what.StartsWith(act, StringComparison.Ordinal))
                {
                    throw new IOException("no");
                }
            };
            await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one")));
            _world.Host.Acting = null;
            Assert.Single(_world.All);
            Inspection.CheckAll(_world);
        }

        _world.Host.Acting = what =>
        {
            if (what == "launch")
            {
                throw new IOException("no");
            }
        };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running }));
        _world.Host.Acting = null;
        Assert.Contains("'copy' is there", error.Problem, StringComparison.Ordinal);
        Assert.NotNull(Fork.Catalog.Head.Saved);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_half_made_fork_that_cannot_be_removed_is_told_and_holds_nobody_up()
    {
        await SnapshotAsync("one");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _world.Open().RunAsync(Scenario.Fork("one"), new RunOptions
        {
            OnEvent = e => _ = e.Point is OperationPoint.StepApplied ? throw new InvalidOperationException("killed") : 0,
        }));
        var left = Directory.GetDirectories(_world.Folder.Domains).Single(d => d != _world.Domain.Path);
        FileActs.Observer = (act, path) => _ = act is FileAct.Remove && path == left ? throw new IOException("it is busy") : 0;
        var made = await _world.RunAsync(Scenario.Fork("one"));
        Assert.Contains(made.Warnings, w => w.Contains("it is busy", StringComparison.Ordinal) && w.Contains(left, StringComparison.Ordinal));
        FileActs.Observer = null;
        await _world.RunAsync(Scenario.Fork("one") with { Name = "again" });
        Assert.False(Directory.Exists(left));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_domain_that_has_lost_its_catalog_is_no_fork_that_was_half_made()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        var folder = Fork.Folder;
        File.Delete(folder.CatalogRoot);
        Directory.CreateDirectory(folder.Journals);
        await File.WriteAllTextAsync($"{folder.Journals}/0badcafe.jsonl", "torn");
        Assert.Equal("web", Assert.Single((await _world.Open().ListAsync()).Domains).Catalog.Name);
        Assert.True(Directory.Exists(folder.Path));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one") with { Name = "again" }));
        Assert.Equal(ErrorKind.Damaged, error.Kind);
    }

    [Fact]
    public async Task While_a_fork_loads_its_memory_the_home_is_free_for_others()
    {
        await SnapshotAsync("one");
        bool? isFree = null;
        _world.Host.Acting = what =>
        {
            if (what == "launch")
            {
                using var home = FileLock.TryAcquire(_world.Folder.Lock);
                isFree = home is not null;
            }
        };
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        Assert.True(isFree);
    }
}
