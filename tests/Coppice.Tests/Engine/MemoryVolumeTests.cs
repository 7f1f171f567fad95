using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>The memory volume of a home is there as long as somebody needs it, and nothing stays on it that nobody needs.</summary>
public sealed class MemoryVolumeTests : IDisposable
{
    private const string Name = World.Name;
    private static readonly ShortId s_nobody = new("0000abcd");
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task It_is_made_shown_and_removed()
    {
        var home = _world.Open();
        Assert.Null(await home.ShowVolumeAsync());
        await home.RemoveVolumeAsync();
        Assert.False(Directory.Exists(_world.Path1));
        await _world.DefineAsync();
        await home.MakeVolumeAsync(new NewMemoryVolume(new ByteCount(1 << 30)));
        Assert.Equal(_world.Folder.Volume, (await home.ShowVolumeAsync())!.Folder);
        var error = await HomeTests.FailAsync(() => home.MakeVolumeAsync(new NewMemoryVolume(new ByteCount(1 << 30))));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        await home.RemoveVolumeAsync();
        await home.RemoveVolumeAsync();
        Assert.Null(await home.ShowVolumeAsync());
    }

    [Fact]
    public async Task It_stays_while_a_domain_runs_on_it_or_keeps_memory_there()
    {
        await StartAsync();
        await RefusedAsync("has its RAM there", $"coppice stop {Name}");
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new KillDomain(Name));
        await RefusedAsync("keeps memory of snapshots there", $"coppice snapshot list {Name}");
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false));
        await _world.Open().RemoveVolumeAsync();
        Assert.Null(_world.Host.Volume);
    }

    [Fact]
    public async Task It_stays_for_a_snapshot_that_was_forgotten_and_can_be_put_back()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        var memory = _world.Catalog.Find("one").Memory.File!;
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: true));
        await _world.RunAsync(new KillDomain(Name));
        await RefusedAsync($"has memory there that no snapshot names: {memory}", $"coppice check {Name} --repair --orphans");
        await _world.RunAsync(new RepairDomain(Name, Orphans: true));
        await _world.Open().RemoveVolumeAsync();
    }

    [Fact]
    public async Task It_stays_for_a_domain_that_is_saved_there_and_for_a_tip()
    {
        await StartAsync();
        await _world.RunAsync(new SaveDomain(Name));
        await RefusedAsync("keeps memory", "undefine");
        await _world.StartAsync();
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "disks", DiskOnly = true });
        await _world.RunAsync(new RevertSnapshot(Name, "disks", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        await RefusedAsync("keeps memory", "undefine");
        await _world.RunAsync(new DropTips(Name) { AllBut = new TipRetention(0, null) });
        await _world.Open().RemoveVolumeAsync();
    }

    [Fact]
    public async Task A_domain_that_was_started_before_is_none_that_needs_it()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.AddVolume();
        await _world.SnapshotAsync("one");
        await _world.Open().RemoveVolumeAsync();
        Assert.Null(_world.Host.Volume);
        await _world.RunAsync(Scenario.Revert("one"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task It_stays_while_it_cannot_be_told_what_a_domain_keeps_there()
    {
        _world.AddVolume();
        await _world.DefineAsync();
        await File.WriteAllTextAsync(_world.Domain.CatalogRoot, "nonsense", TestContext.Current.CancellationToken);
        var error = await HomeTests.FailAsync(() => _world.Open().RemoveVolumeAsync());
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains($"domain '{World.Id}' cannot be read", error.Problem, StringComparison.Ordinal);
        Assert.NotNull(_world.Host.Volume);
    }

    [Fact]
    public async Task It_stays_while_the_process_of_a_domain_does_not_answer()
    {
        await StartAsync();
        _world.Host.ProcessesAnswer = false;
        var error = await Assert.ThrowsAnyAsync<Exception>(() => _world.Open().RemoveVolumeAsync());
        Assert.Equal(ErrorKind.WrongState, Assert.IsType<CoppiceException>(error).Kind);
        Assert.NotNull(_world.Host.Volume);
    }

    [Fact]
    public async Task The_RAM_of_no_process_is_found_and_goes_with_a_repair_and_that_of_a_guest_stays()
    {
        await StartAsync();
        var running = _world.Catalog.Head.Process!.Value;
        string[] own = [_world.Domain.Ram(running), _world.Domain.PrivateRam(running)];
        string[] left = [_world.Domain.Ram(s_nobody), _world.Domain.PrivateRam(s_nobody)];
        Write([.. own, .. left]);
        var found = await _world.Open().CheckAsync(Name);
        Assert.Equal(left.Select(p => $"RAM {p}").Order(), found.Select(f => f.Subject).Order());
        Assert.All(found, f => Assert.Equal((FindingKind.Leftover, true), (f.Kind, f.IsRepairable)));
        await _world.RunAsync(new RepairDomain(Name, Orphans: false));
        Assert.Empty(await _world.Open().CheckAsync(Name));
        Assert.All(own, p => Assert.True(File.Exists(p)));
        Assert.All(left, p => Assert.False(File.Exists(p)));
    }

    [Fact]
    public async Task The_RAM_of_a_process_that_lives_past_the_catalog_stays()
    {
        await StartAsync();
        _world.Host.State = _world.Host.State with
        {
            Processes = _world.Host.State.Processes.Add(s_nobody, new FakeProcess(_world.Catalog.Domain, [], DomainState.Paused, 0)),
        };
        Write(_world.Domain.Ram(s_nobody));
        Assert.Equal([FindingKind.Stray], (await _world.Open().CheckAsync(Name)).Select(f => f.Kind));
        await _world.RunAsync(new RepairDomain(Name, Orphans: true));
        Assert.True(File.Exists(_world.Domain.Ram(s_nobody)));
    }

    [Theory]
    [InlineData("memory/0000abcd.ram", OwnFileKind.Ram)]
    [InlineData("memory/0000abcd.mem", OwnFileKind.Memory)]
    [InlineData("../../volume/UUID/0000abcd.ram", OwnFileKind.Ram)]
    [InlineData("../../volume/UUID/0000abcd.mem", OwnFileKind.Memory)]
    [InlineData("../../volume/UUID/0000abcd.mem.0000beef.partial", OwnFileKind.Partial)]
    [InlineData("../../volume/other/0000abcd.ram", OwnFileKind.Foreign)]
    [InlineData("../../volume/UUID/mine.ram", OwnFileKind.Foreign)]
    [InlineData("images/vda/0000abcd.ram", OwnFileKind.Foreign)]
    public void What_lies_on_it_is_told_by_folder_and_name(string name, OwnFileKind kind)
    {
        var path = Path.GetFullPath($"{_world.Domain.Path}/{name.Replace("UUID", World.Id, StringComparison.Ordinal)}");
        Assert.Equal(kind, OwnFile.KindOf(_world.Domain, path));
    }

    private async Task StartAsync()
    {
        _world.AddVolume();
        await _world.DefineAsync();
        await _world.StartAsync();
    }

    private async Task RefusedAsync(string problem, string nextStep)
    {
        var error = await HomeTests.FailAsync(() => _world.Open().RemoveVolumeAsync());
        Assert.Equal((ErrorKind.WrongState, $"memory volume of {_world.Path1}"), (error.Kind, error.Subject));
        Assert.Contains($"domain '{Name}' {problem}", error.Problem, StringComparison.Ordinal);
        Assert.Contains(nextStep, error.NextStep, StringComparison.Ordinal);
        Assert.NotNull(_world.Host.Volume);
    }

    private static void Write(params string[] paths)
    {
        foreach (var path in paths)
        {
            DurableFolder.Create(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "RAM");
        }
    }
}
