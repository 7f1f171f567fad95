using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Where a home has a memory volume, memory is a clone of the RAM on it; wherever that cannot be it is a stream, as ever.</summary>
public sealed class MappedMemoryTests : IDisposable
{
    private const string Name = World.Name, Copy = "copy";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Live_with_a_file_is_refused_where_the_RAM_is_a_file_and_written_in_the_background_elsewhere()
    {
        var live = new CreateSnapshot(Name) { Name = "one", Live = true, Memory = new MemoryRequest(MemoryMode.External, File: "/images/one.mem") };
        await _world.DefineAsync();
        await _world.StartAsync();
        Assert.Contains("background stream", (await _world.RunAsync(live)).Plan.Mechanism, StringComparison.Ordinal);
        await _world.RunAsync(new KillDomain(Name));
        _world.AddVolume();
        await _world.StartAsync();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(live with { Name = "two", Memory = new MemoryRequest(MemoryMode.External, File: "/images/two.mem") }));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains("leave the file out", error.NextStep, StringComparison.Ordinal);
        Assert.Contains("mapped", (await _world.RunAsync(live with { Name = "two", Memory = null })).Plan.Mechanism, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_domain_that_is_started_where_there_is_a_volume_keeps_its_memory_there()
    {
        await StartAsync();
        Assert.Equal(new RamPlace(_world.Domain.Ram(_world.Catalog.Head.Process!.Value), IsClonable: true), Ram(_world.Catalog));
        var taken = await _world.SnapshotAsync("one");
        Assert.Contains("external memory (mapped)", taken.Plan.Mechanism, StringComparison.Ordinal);
        Assert.Equal((MemoryFormat.Mapped, false), Kept("one"));
        Assert.Equal($"{_world.Folder.Volume}/{World.Id}", Path.GetDirectoryName(Memory("one").File));
        await GoesBackAsync("one");
    }

    [Fact]
    public async Task One_that_was_started_before_takes_streams_until_it_is_started_anew()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.AddVolume();
        await _world.SnapshotAsync("one");
        Assert.Equal(MemoryFormat.Stream, Memory("one").Format);
        Assert.Equal(_world.Domain.MemoryFolder, Path.GetDirectoryName(Memory("one").File));
        var view = await _world.Open().ShowMemoryAsync(Name);
        Assert.Null(view.Ram);
        Assert.Equal(new MemoryWay(MemoryFormat.Mapped), view.AfterStart);

        await _world.RunAsync(new KillDomain(Name));
        await _world.StartAsync();
        await _world.SnapshotAsync("two");
        Assert.Equal(MemoryFormat.Mapped, Memory("two").Format);
        Assert.NotNull((await _world.Open().ShowMemoryAsync(Name)).Ram);
        await GoesBackAsync("one");
        await GoesBackAsync("two");
    }

    [Fact]
    public async Task Memory_that_is_to_go_to_a_file_of_ones_own_is_a_stream()
    {
        await StartAsync();
        var file = $"{_world.Path1}/mine.mem";
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "one", Memory = new MemoryRequest(MemoryMode.External, File: file) });
        Assert.Equal((file, MemoryFormat.Stream), (Memory("one").File, Memory("one").Format));
        await GoesBackAsync("one");
    }

    [Theory]
    [InlineData(false, MemoryFormat.Mapped)]
    [InlineData(true, MemoryFormat.Stream)]
    public async Task What_is_saved_must_outlive_the_host(bool isVolatile, MemoryFormat format)
    {
        await StartAsync(isVolatile);
        var saved = await _world.RunAsync(new SaveDomain(Name));
        Assert.Contains(isVolatile ? "memory (stream)" : "memory (mapped)", saved.Plan.Mechanism, StringComparison.Ordinal);
        var image = _world.Catalog.Head.Saved!.Image;
        Assert.Equal((format, false), (image.Format, image.IsVolatile));
        Assert.Equal(_world.Domain.MemoryFolderFor(format, hasVolume: true), Path.GetDirectoryName(image.File));
        await _world.StartAsync();
        Assert.NotNull(Ram(_world.Catalog));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Memory_on_a_volatile_volume_says_so_also_in_a_fork()
    {
        await StartAsync(isVolatile: true);
        await _world.SnapshotAsync("one");
        Assert.Equal((MemoryFormat.Mapped, true), Kept("one"));
        await _world.RunAsync(Scenario.Fork("one"));
        Assert.True(_world.Fork(Copy).Catalog.Find("one").Memory.IsVolatile);
    }

    [Fact]
    public async Task A_fork_has_the_memory_under_a_second_name_in_its_own_folder_on_the_volume()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        var (folder, catalog) = _world.Fork(Copy);
        var memory = catalog.Find("one").Memory;
        Assert.Equal($"{folder.VolumeFolder}/{Path.GetFileName(Memory("one").File)}", memory.File);
        Assert.Equal(2, _world.Host.State.NamesOf(memory.File!).Length);
        Assert.Equal(folder.Ram(catalog.Head.Process!.Value), Ram(catalog)!.Path);
        await _world.RunAsync(new CreateSnapshot(Copy) { Name = "own" });
        Assert.Equal(MemoryFormat.Mapped, _world.Fork(Copy).Catalog.Find("own").Memory.Format);
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_revert_leaves_is_mapped_and_returned_to()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        var reverted = await _world.RunAsync(Scenario.Revert("one"));
        Assert.Contains("memory (mapped) in a new process", reverted.Plan.Mechanism, StringComparison.Ordinal);
        var tip = Assert.Single(_world.Catalog.Tips).Memory;
        Assert.Equal((MemoryFormat.Mapped, _world.Domain.VolumeFolder), (tip.Format, Path.GetDirectoryName(tip.File)));
        await _world.RunAsync(new UndoRevert(Name));
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_branch_with_memory_of_its_own_has_it_beside_the_other_one()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new CreateSnapshot(Name)
        {
            Name = "two", Branch = new BranchRequest("one", IsCurrent: false), Memory = new MemoryRequest(MemoryMode.External),
        });
        Assert.Equal(MemoryFormat.Mapped, Memory("two").Format);
        Assert.Equal(_world.Host.State.IdentityOf(Memory("one").File!), _world.Host.State.IdentityOf(Memory("two").File!));
        await GoesBackAsync("two");
    }

    [Fact]
    public async Task An_undefined_domain_leaves_nothing_on_the_volume()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        Directory.CreateDirectory(_world.Domain.VolumeFolder);
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        Assert.Empty(_world.Host.State.Memories);
        Assert.False(Directory.Exists(_world.Domain.VolumeFolder));
    }

    [Fact]
    public async Task A_fork_that_a_killed_command_left_half_made_leaves_nothing_there_either()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        await Assert.ThrowsAnyAsync<Exception>(() => CrashTests.RunAsync(_world, Scenario.Fork("one"), e =>
        {
            if (e.Point is OperationPoint.StepApplied && e.Step?.Kind is "store.link")
            {
                throw new InvalidTimeZoneException("killed");
            }
        }));
        var folder = _world.Folder.Domain(DomainId.Parse(Path.GetFileName(
            Directory.GetDirectories(_world.Folder.Domains).Single(d => d != _world.Domain.Path))));
        Directory.CreateDirectory(folder.VolumeFolder);
        Assert.Single((await _world.Open().ListAsync()).Domains);
        Assert.False(Directory.Exists(folder.VolumeFolder));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_mapped_image_in_a_home_without_a_volume_gets_RAM_that_is_nobody_elses()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(ExportTests.Export(_world));
        _world.Host.Volume = null;
        await _world.RunAsync(ExportTests.Import(_world));
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        var (folder, catalog) = _world.Fork(Copy);
        Assert.Equal((MemoryFormat.Mapped, folder.MemoryFolder), (catalog.Find("one").Memory.Format, Path.GetDirectoryName(catalog.Find("one").Memory.File)));
        Assert.Equal(new RamPlace(folder.PrivateRam(catalog.Head.Process!.Value), IsClonable: false), Ram(catalog));
        await _world.RunAsync(new CreateSnapshot(Copy) { Name = "own" });
        Assert.Equal(MemoryFormat.Stream, _world.Fork(Copy).Catalog.Find("own").Memory.Format);
        _world.Host.Tick();
    }

    [Fact]
    public async Task What_was_volatile_is_not_any_more_once_it_was_imported_into_a_folder()
    {
        await StartAsync(isVolatile: true);
        await _world.SnapshotAsync("one");
        await _world.RunAsync(ExportTests.Export(_world));
        await _world.RunAsync(ExportTests.Import(_world));
        var (folder, catalog) = _world.Fork(Copy);
        Assert.All(catalog.Memories.Where(m => m.File is not null), m => Assert.Equal((folder.MemoryFolder, false), (Path.GetDirectoryName(m.File), m.IsVolatile)));
    }

    [Fact]
    public async Task A_forgotten_snapshot_whose_memory_lies_on_the_volume_is_put_back()
    {
        await StartAsync(isVolatile: true);
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        var before = Memory("one");
        await _world.DumpAsync("one", d => d);
        await _world.ForgetAsync("one");
        await _world.RunAsync(new RedefineSnapshot(Name, _world.Dumped!, IsCurrent: false));
        Assert.Equal(before, Memory("one"));
        await GoesBackAsync("one");
    }

    private async Task StartAsync(bool isVolatile = false)
    {
        _world.AddVolume(isVolatile);
        await _world.DefineAsync();
        await _world.StartAsync();
    }

    private MemoryImage Memory(string snapshot) => _world.Catalog.Find(snapshot).Memory;

    private (MemoryFormat Format, bool IsVolatile) Kept(string snapshot) => (Memory(snapshot).Format, Memory(snapshot).IsVolatile);

    private RamPlace? Ram(Catalog catalog) => _world.Host.State.Processes[catalog.Head.Process!.Value].Ram;

    private async Task GoesBackAsync(string snapshot)
    {
        var then = _world.Host.State.Memories[Memory(snapshot).File!].Counter;
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert(snapshot) with { DiscardCurrent = true });
        Assert.Equal(then, _world.Host.State.Processes[_world.Catalog.Head.Process!.Value].Counter);
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }
}
