using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

public sealed class HomeTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task An_empty_home_lists_nothing_and_makes_nothing()
    {
        var list = await _world.Open().ListAsync();
        Assert.Empty(list.Domains);
        Assert.Empty(list.Broken);
        Assert.False(Directory.Exists(_world.Path1));
    }

    [Fact]
    public async Task A_domain_is_found_by_name_and_by_uuid_and_by_nothing_else()
    {
        await _world.DefineAsync();
        var id = World.Definition().Id.ToString();
        Assert.Equal(World.Name, (await _world.Open().ShowAsync(id)).Catalog.Name);
        Assert.Equal(id, (await _world.Open().ShowAsync(World.Name)).Catalog.Domain.ToString());
        foreach (var name in new[] { "", "..", "../domains/" + id, "/etc/passwd", "web\n", new string('x', 5000) })
        {
            Assert.Equal(ErrorKind.NotFound, (await FailAsync(() => _world.Open().ShowAsync(name))).Kind);
        }
    }

    [Fact]
    public async Task A_home_whose_empty_folders_a_backup_left_out_is_a_home()
    {
        await _world.DefineAsync();
        foreach (var folder in Directory.EnumerateDirectories(_world.Path1, "*", SearchOption.AllDirectories).Reverse()
            .Where(f => !Directory.EnumerateFileSystemEntries(f).Any()).ToArray())
        {
            Directory.Delete(folder);
        }

        await _world.SnapshotAsync("one");
        Assert.Equal("one", Assert.Single(_world.Catalog.Snapshots.Values).Name);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task RAM_and_disks_go_back_together()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var taken = await _world.SnapshotAsync("one");
        var counter = CrashPoints.Acknowledged(_world);
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal(counter, CrashPoints.Acknowledged(_world));
        Assert.Equal("fake checkpoint", taken.Mechanism);
        Assert.NotNull(taken.Pause);
        Inspection.CheckAll(_world);

        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal(counter + 1, CrashPoints.Acknowledged(_world));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_second_command_waits_and_then_names_the_holder()
    {
        await _world.DefineAsync();
        CoppiceException? busy = null;
        await _world.Open().RunAsync(
            new StartDomain(World.Name, Paused: false),
            new RunOptions
            {
                OnEvent = e => busy ??= FailAsync(() => _world.Open().RunAsync(
                    new KillDomain(World.Name), new RunOptions { LockWait = TimeSpan.FromMilliseconds(30) })).GetAwaiter().GetResult(),
            });

        Assert.Equal(ErrorKind.Busy, busy!.Kind);
        Assert.Contains($"process {Environment.ProcessId}", busy.Problem, StringComparison.Ordinal);
        Assert.Contains("'start'", busy.Problem, StringComparison.Ordinal);
        Assert.Contains("since", busy.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_commands_at_once_both_happen()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => _world.SnapshotAsync($"s{i}"))));
        Assert.Equal(4, _world.Catalog.Snapshots.Count);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Readers_see_whole_catalogs_while_snapshots_come_and_go()
    {
        await _world.DefineAsync();
        var off = new CreateSnapshot(World.Name) { Name = "s", Disks = [.. Scenario.External("vda", "vdb")] };
        await _world.RunAsync(off);
        using var done = new CancellationTokenSource();
        var reader = Task.Run(() =>
        {
            do
            {
                Assert.Single(_world.Catalog.Snapshots);
            }
            while (!done.IsCancellationRequested);
        });
        for (var i = 0; i < 20; i++)
        {
            await _world.RunAsync(new EditSnapshot(World.Name, i == 0 ? "s" : $"s{i - 1}", $"s{i}", null));
        }

        await done.CancelAsync();
        await reader;
    }

    [Theory]
    [InlineData("{ \"version\": 9, \"future\": true }", "has version 9, and this Coppice reads version 8")]
    [InlineData("{ \"version\": 8 }", "cannot be read")]
    [InlineData("{}", "cannot be read")]
    [InlineData("", "cannot be read")]
    [InlineData("not json", "cannot be read")]
    [InlineData("[[[[[[", "cannot be read")]
    public async Task A_root_that_is_not_understood_is_refused_and_hides_no_other(string content, string problem)
    {
        await _world.DefineAsync();
        var other = World.Definition("other", 2);
        _world.AddImage(other.Disks[0].Source!);
        _world.AddImage(other.Disks[1].Source!);
        await _world.RunAsync(new DefineDomain(other));
        await File.WriteAllTextAsync(_world.Domain.CatalogRoot, content);

        var list = await _world.Open().ListAsync();
        Assert.Equal("other", Assert.Single(list.Domains).Catalog.Name);
        var error = Assert.Single(list.Broken).Error;
        Assert.Equal(ErrorKind.Damaged, error.Kind);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.Equal(ErrorKind.Damaged, (await FailAsync(() => _world.RunAsync(new StartDomain(World.Definition().Id.ToString(), false)))).Kind);
        Assert.Equal(content, await File.ReadAllTextAsync(_world.Domain.CatalogRoot));
    }

    [Fact]
    public async Task Any_field_that_a_root_lacks_or_has_beyond_is_refused()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        var lines = await File.ReadAllLinesAsync(_world.Domain.CatalogRoot);
        for (var i = 0; i < lines.Length; i++)
        {
            // Whole properties on one line, so that what remains is still JSON.
            if (lines[i].EndsWith(',') && lines[i].Contains("\": ", StringComparison.Ordinal))
            {
                await File.WriteAllLinesAsync(_world.Domain.CatalogRoot, lines.Where((_, n) => n != i));
                Assert.Throws<CoppiceException>(() => _world.Catalog);
                await File.WriteAllLinesAsync(
                    _world.Domain.CatalogRoot, lines.Select((l, n) => n == i ? l.Replace("\": ", "x\": ", StringComparison.Ordinal) : l));
                Assert.Throws<CoppiceException>(() => _world.Catalog);
            }
        }
    }

    [Fact]
    public async Task The_root_says_on_one_line_how_the_last_operation_ended()
    {
        await _world.DefineAsync();
        var result = await _world.RunAsync(new StartDomain(World.Name, Paused: false));
        Assert.Single(
            await File.ReadAllLinesAsync(_world.Domain.CatalogRoot), l => l == $"  \"last\": \"committed {result.Plan.Id}\",");
    }

    [Fact]
    public async Task A_switch_that_cannot_be_judged_stops_everything_and_changes_nothing()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var states = await CrashPoints.CollectAsync(_world, 0, e => _world.Open().RunAsync(
            new CreateSnapshot(World.Name), new RunOptions { OnEvent = e }));
        var inside = states.First(s => s.Label == "complete memory");
        inside.Disk.WriteTo(_world.Path1);
        // One disk has moved and the other has not, which no transaction does.
        var (id, process) = inside.Host.Processes.Single();
        _world.Host.State = inside.Host with
        {
            Processes = inside.Host.Processes.SetItem(id, process with { Drives = process.Drives.SetItem(0, process.Drives[0] with { Path = "/images/web-a.qcow2" }) }),
        };
        _world.Host.ManagerDies();
        var (disk, host) = (DiskImage.Read(_world.Path1).Text, _world.Host.State);

        var error = await FailAsync(() => _world.RunAsync(new PauseDomain(World.Name)));
        Assert.Equal(ErrorKind.Uncertain, error.Kind);
        Assert.Contains("snapshot create", error.Subject, StringComparison.Ordinal);
        Assert.Equal(disk, DiskImage.Read(_world.Path1).Text);
        Assert.Equal(host, _world.Host.State);
        Assert.Single((await _world.Open().ListAsync()).Domains);
        Assert.Equal(World.Name, (await _world.Open().ShowAsync(World.Name)).Catalog.Name);

        // The way out that the error names: a process that is dead counts as moved.
        Assert.Contains("coppice kill web", error.NextStep, StringComparison.Ordinal);
        var killed = await _world.RunAsync(new KillDomain(World.Name));
        Assert.True(killed.Executed);
        Assert.Contains(killed.Warnings, w => w.Contains("was undone; the guest keeps the layers", StringComparison.Ordinal));
        Assert.Null(_world.Catalog.Head.Process);
        Assert.Empty(_world.Catalog.Snapshots);
        Inspection.CheckAll(_world);
        await _world.StartAsync();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_definition_that_is_damaged_and_not_in_force_hinders_no_plain_command()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "old", Disks = [.. Scenario.External("vda", "vdb")] });
        var old = _world.Domain.Definition(_world.Catalog.Head.Definition);
        await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }));
        await _world.StartAsync();
        await File.WriteAllTextAsync(old, "broken");
        await FailAsync(() => _world.SnapshotAsync("refused"));

        Request[] plain = [new PauseDomain(World.Name), new ResumeDomain(World.Name), new KillDomain(World.Name)];
        foreach (var request in plain)
        {
            Assert.True((await _world.RunAsync(request)).Executed);
        }

        Assert.Equal(DomainState.Off, Inspection.StateOf(_world));
    }

    [Fact]
    public async Task A_snapshot_is_read_with_its_definition_while_definitions_are_reclaimed()
    {
        await _world.DefineAsync();
        var off = new CreateSnapshot(World.Name) { Name = "s", Disks = [.. Scenario.External("vda", "vdb")] };
        await _world.RunAsync(off);
        using var done = new CancellationTokenSource();
        var reader = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                try
                {
                    var document = await _world.Open().ReadSnapshotAsync(World.Name, "s");
                    Assert.StartsWith("<domain", document.Domain, StringComparison.Ordinal);
                }
                catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
                {
                    // Between two snapshots of that name.
                }
            }
        });
        for (var i = 0; i < 30 && !reader.IsCompleted; i++)
        {
            await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount((i + 2L) << 20) }));
            await _world.RunAsync(new DeleteSnapshot(World.Name, "s", metadataOnly: false));
            await _world.RunAsync(off);
        }

        await done.CancelAsync();
        await reader;
    }

    [Fact]
    public async Task A_domain_whose_records_are_broken_is_found_by_name_and_says_what_is_wrong()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        var record = Assert.Single(Directory.GetFiles(_world.Domain.CatalogRecords));
        await File.WriteAllTextAsync(record, "broken");
        var error = await FailAsync(() => _world.Open().ShowAsync(World.Name));
        Assert.Contains(record, error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clean_up_that_fails_is_a_warning_and_done_by_the_next_command()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Acting = what =>
        {
            if (what.StartsWith("remove", StringComparison.Ordinal))
            {
                throw new CoppiceException(ErrorKind.Storage, what, "is not allowed today");
            }
        };
        var deleted = await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.Contains("is not allowed today", Assert.Single(deleted.Warnings), StringComparison.Ordinal);
        Assert.Empty(_world.Catalog.Snapshots);
        await _world.SnapshotAsync("two");

        _world.Host.Acting = null;
        var next = await _world.SnapshotAsync("three");
        Assert.Contains("was finished", Assert.Single(next.Warnings), StringComparison.Ordinal);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_handler_that_throws_abandons_the_operation_and_is_heard()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => _world.Open().RunAsync(
            new CreateSnapshot(World.Name),
            new RunOptions { OnEvent = e => { if (e.Point is OperationPoint.Committing) { throw new TimeoutException(); } } }));
        Assert.Single(Directory.GetFiles(_world.Domain.Journals));
        await _world.SnapshotAsync("next");
        Assert.Empty(Directory.GetFiles(_world.Domain.Journals));
        Inspection.CheckAll(_world);
    }

    internal static async Task<CoppiceException> FailAsync(Func<Task> act) => await Assert.ThrowsAsync<CoppiceException>(act);
}
