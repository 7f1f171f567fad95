using System.Text.RegularExpressions;
using Coppice.Contracts;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>
/// Each kind of damage is found and named, and a repair mends what can be mended and touches nothing else: the tree, what it names and
/// what its guests wrote are the same after it.
/// </summary>
public sealed class CheckTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    public static TheoryData<string> Operations => [.. Sampling.Of(Scenario.All.Keys, 16)];

    [Theory, MemberData(nameof(Operations))]
    public async Task Nothing_is_wrong_after_an_operation_that_ended(string name)
    {
        Sampling.TellSeed();
        await Scenario.All[name].SetUpAsync(_world);
        await _world.RunAsync(Scenario.All[name].RequestIn(_world));
        Assert.DoesNotContain(await _world.Open().CheckAsync(null), f => f.Severity is not Severity.Note);
    }

    /// <summary>What somebody does to a domain that runs, with snapshots, a tip and an internal snapshot.</summary>
    private static readonly Dictionary<string, (FindingKind Kind, bool IsMended, Func<World, Task> Act)> s_damages = new(StringComparer.Ordinal)
    {
        ["memory is removed"] = (FindingKind.Missing, false, w => On(w, s => s with { Memories = s.Memories.Remove(Snapshot(w).Memory.File!) })),
        ["a layer is removed"] = (FindingKind.Missing, false, w => On(w, s => s with { Images = s.Images.Remove(Snapshot(w).Layers[0].Path) })),
        ["a chain is changed"] = (FindingKind.Altered, false, w => On(w, s => s.With(HeadPath(w), i => i with { Backing = "/images/more.qcow2" }))),
        ["a layer is written"] = (FindingKind.Rewritten, false, w =>
        {
            w.Host.Modified[Snapshot(w).Layers[0].Path] = TimeProvider.System.GetUtcNow().AddHours(1);
            return Task.CompletedTask;
        }),
        ["an internal snapshot is removed (R55)"] = (FindingKind.Missing, false, w => On(w, s =>
            s.With(s.Images.First(i => !i.Value.Internals.IsEmpty).Key, i => i with { Internals = i.Internals.Clear() }))),
        ["an internal snapshot is made (R52)"] = (FindingKind.UnknownInternal, false, w => On(w, s =>
            s.With(HeadPath(w), i => i with { Internals = i.Internals.Add("mine", new FakeInternal(i.Blocks, null)) }))),
        ["a definition is removed"] = (FindingKind.Missing, false, w => File(w, w.Domain.Definition(w.Catalog.Head.Definition), null)),
        ["a definition is damaged"] = (FindingKind.Unreadable, false, w => File(w, w.Domain.Definition(w.Catalog.Head.Definition), "<domain")),
        ["the process is moved"] = (FindingKind.Moved, false, w => OnProcess(w, p =>
            p with { Drives = [p.Drives[0] with { Path = "/images/more.qcow2" }, .. p.Drives[1..]] })),
        ["a disk is let go of"] = (FindingKind.Unplugged, false, w => OnProcess(w, p =>
            p with { Drives = [p.Drives[0], p.Drives[1] with { IsPlugged = false }] })),
        ["the process hangs"] = (FindingKind.Silent, false, w => { w.Host.ProcessesAnswer = false; return Task.CompletedTask; }),
        ["another process runs"] = (FindingKind.Stray, false, w => On(w, s => s with
        {
            Processes = s.Processes.Add(new ShortId("feedfeed"), new FakeProcess(w.Catalog.Domain, [], DomainState.Paused, 0)),
        })),
        ["a run folder is left"] = (FindingKind.Leftover, true, w =>
        {
            w.Host.Deserted.Add(new ShortId("feedfeed"), w.Catalog.Domain);
            return Task.CompletedTask;
        }),
        ["the head gets another name"] = (FindingKind.Shared, false, w => { w.Host.Link(HeadPath(w), "/images/alias"); return Task.CompletedTask; }),
        ["a frozen image is torn"] = (FindingKind.Corrupt, false, w => OnOther(w, ImageHealth.Corrupt)),
        ["a frozen image leaks"] = (FindingKind.Leaking, true, w => OnOther(w, ImageHealth.Leaking)),
        ["a layer is half made"] = (FindingKind.Leftover, true, w => Orphan(w, "images/vda/vda.gone.0000abcd.qcow2.partial")),
        ["memory is half written"] = (FindingKind.Leftover, true, w => Orphan(w, "memory/0000abcd.mem.0000beef.partial")),
        ["an empty layer is unknown"] = (FindingKind.Orphan, false, w => Orphan(w, "images/vda/vda.gone.0000abcd.qcow2")),
        ["a layer is unknown"] = (FindingKind.Orphan, false, w => Orphan(w, "images/vda/vda.gone.0000abcd.qcow2", written: true)),
        ["memory is unknown"] = (FindingKind.Orphan, false, w => Orphan(w, "memory/0000abcd.mem")),
        ["a TPM is unknown"] = (FindingKind.Orphan, false, w => Orphan(w, "tpm/0000abcd", written: true)),
        ["a definition is unknown"] = (FindingKind.Orphan, false, w => File(w, w.Domain.Definition(new ShortId("0000abcd")), "<domain/>")),
        ["a user keeps a file there"] = (FindingKind.Orphan, false, w => Orphan(w, "images/vda/notes.txt")),
        ["a user keeps a file there that seems half made"] = (FindingKind.Orphan, false, w => Orphan(w, "images/vda/film.partial")),
        ["a record is left"] = (FindingKind.Leftover, true, w => File(w, $"{w.Domain.CatalogRecords}/{Guid.Empty}-7.json", "{}")),
        ["a root is half written"] = (FindingKind.Leftover, true, w => File(w, w.Domain.CatalogRoot + ".new", "{")),
    };

    public static TheoryData<string> Damages => [.. s_damages.Keys];

    [Theory, MemberData(nameof(Damages))]
    public async Task Damage_is_found_and_a_repair_mends_what_it_can_and_changes_nothing_else(string damage)
    {
        await GrowAsync();
        var (kind, isMended, act) = s_damages[damage];
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
        await act(_world);

        var (before, tree) = (_world.Host.State, Inspection.Tree(_world.Catalog));
        var found = await _world.Open().CheckAsync(World.Name);
        Assert.Equal(before, _world.Host.State);
        Assert.Contains(found, f => f.Kind == kind && f.Domain == World.Name && f.NextStep.Length > 0 && (f.IsRepairable && !f.Forgets) == isMended);
        Assert.All(found, f => Assert.Equal(kind, f.Kind));

        await _world.RunAsync(new RepairDomain(World.Name, Orphans: false));
        await _world.RunAsync(new RepairDomain(World.Name, Orphans: false));
        Assert.Equal(isMended ? [] : found.Select(f => f.Subject), (await _world.Open().CheckAsync(World.Name)).Select(f => f.Subject));
        Assert.Equal(tree, Inspection.Tree(_world.Catalog));
        var left = _world.Host.State;
        Assert.True(isMended || before.Images.Keys.SequenceEqual(left.Images.Keys), "an image is gone");
        Assert.All(Named(), path => Assert.Equal(before.Images.GetValueOrDefault(path)?.Blocks, left.Images.GetValueOrDefault(path)?.Blocks));
        Assert.Equal(before.Memories.Keys.Intersect(Named()), left.Memories.Keys.Intersect(Named()));
    }

    [Fact]
    public async Task What_a_forgotten_snapshot_kept_goes_only_if_that_is_asked_for()
    {
        await GrowAsync();
        await _world.ForgetAsync("two");
        var found = await OrphansAsync();
        Assert.NotEmpty(found);
        Assert.All(found, f => Assert.True(f is { Kind: FindingKind.Orphan, Forgets: true, Severity: Severity.Note }));
        var repaired = await _world.RunAsync(new RepairDomain(World.Name, Orphans: false));
        Assert.Contains("--orphans", Assert.Single(repaired.Plan.Warnings), StringComparison.Ordinal);
        Inspection.CheckAll(_world);
        Assert.Equal(found.Select(f => f.Subject), (await OrphansAsync()).Select(f => f.Subject));

        await _world.RunAsync(new RepairDomain(World.Name, Orphans: true));
        Assert.Empty(await OrphansAsync());
        _world.Forgotten.Clear();
        Inspection.CheckAll(_world);

        // What others build on is told as well, and is nobody's to repair.
        async Task<Finding[]> OrphansAsync() =>
            [.. (await _world.Open().CheckAsync(World.Name)).Where(f => f.Kind is not FindingKind.Unnamed)];
    }

    [Fact]
    public async Task A_forgotten_snapshot_before_which_nothing_was_written_comes_back_after_a_repair()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        _world.Host.Tick();
        await _world.SnapshotExternalAsync("two");
        await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        await _world.DumpAsync("two", d => d);
        await _world.ForgetAsync("two");
        await _world.RunAsync(new RepairDomain(World.Name, Orphans: false));
        await _world.RunAsync(new RedefineSnapshot(World.Name, _world.Dumped!, IsCurrent: false));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_file_among_layers_with_a_name_of_its_own_may_be_a_merged_one_and_is_never_removed()
    {
        await GrowAsync();
        await Orphan(_world, "images/vda/final.qcow2", written: true);
        await _world.RunAsync(new RepairDomain(World.Name, Orphans: true));
        var found = Assert.Single(await _world.Open().CheckAsync(World.Name), f => f.Kind is FindingKind.Orphan);
        Assert.Contains("--final-name", found.Problem, StringComparison.Ordinal);
        Assert.Contains("snapshot create --redefine", found.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_orphan_that_another_domain_uses_is_not_removed()
    {
        await GrowAsync();
        await Orphan(_world, "images/vda/vda.gone.0000abcd.qcow2", written: true);
        var orphan = $"{_world.Domain.Path}/images/vda/vda.gone.0000abcd.qcow2";
        _world.AddImage("/images/shop-b.raw");
        _world.Host.Link(orphan, "/images/shop-a.qcow2");
        await _world.RunAsync(new DefineDomain(World.Definition("shop", 2)));

        Assert.False(Assert.Single(await _world.Open().CheckAsync(World.Name), f => f.Kind is FindingKind.Orphan).IsRepairable);
        await _world.RunAsync(new RepairDomain(World.Name, Orphans: true));
        Assert.Contains(orphan, _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task No_orphan_is_removed_while_a_domain_cannot_be_read_that_might_need_it()
    {
        await GrowAsync();
        await Orphan(_world, "images/vda/vda.gone.0000abcd.qcow2");
        Directory.CreateDirectory($"{_world.Folder.Domains}/{Guid.Empty}/catalog");
        await File(_world, $"{_world.Folder.Domains}/{Guid.Empty}/catalog/root.json", "nonsense");

        var found = await _world.Open().CheckAsync(null);
        Assert.Contains(found, f => f.Kind is FindingKind.Unreadable);
        Assert.Contains(found, f => f.Kind is FindingKind.Orphan && !f.IsRepairable && f.NextStep.Contains("cannot be read", StringComparison.Ordinal));
        await _world.RunAsync(new RepairDomain(World.Name, Orphans: true));
        Assert.Contains($"{_world.Domain.Path}/images/vda/vda.gone.0000abcd.qcow2", _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task An_interrupted_operation_is_told_and_judged_no_further_until_a_repair_has_settled_it()
    {
        await GrowAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => CrashTests.RunAsync(_world, new CreateSnapshot(World.Name), e =>
        {
            if (e.Point is OperationPoint.StepApplied)
            {
                throw new InvalidTimeZoneException("killed");
            }
        }));
        await Orphan(_world, "images/vda/vda.gone.0000abcd.qcow2.partial");
        Assert.Equal(FindingKind.Unfinished, Assert.Single(await _world.Open().CheckAsync(World.Name)).Kind);
        using (FileLock.TryAcquire(_world.Domain.Lock))
        {
            var busy = Assert.Single(await _world.Open().CheckAsync(World.Name));
            Assert.Equal((FindingKind.Busy, Severity.Note), (busy.Kind, busy.Severity));
        }

        await _world.RunAsync(new RepairDomain(World.Name, Orphans: false));
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Who_borrows_without_the_owners_knowledge_is_told_and_a_repair_lets_it_know()
    {
        await GrowAsync();
        await _world.RunAsync(Scenario.Fork("one"));
        Assert.Empty(await _world.Open().CheckAsync("copy"));
        var root = Regex.Replace(await System.IO.File.ReadAllTextAsync(_world.Domain.CatalogRoot), @"""loans"": \[[^\]]*\]", @"""loans"": []");
        await System.IO.File.WriteAllTextAsync(_world.Domain.CatalogRoot, root);
        Assert.Empty(_world.Catalog.Loans);

        var found = await _world.Open().CheckAsync(null);
        Assert.NotEmpty(found);
        Assert.All(found, f => Assert.Equal((FindingKind.Unlent, "copy", true), (f.Kind, f.Domain, f.IsRepairable)));
        await _world.RunAsync(new RepairDomain("copy", Orphans: false));
        Assert.Empty(await _world.Open().CheckAsync(null));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_check_waits_for_no_lock()
    {
        await GrowAsync();
        using var held = FileLock.TryAcquire(_world.Domain.Lock);
        using var home = FileLock.TryAcquire(_world.Folder.Lock);
        Assert.Empty(await _world.Open().CheckAsync(null));
    }

    [Fact]
    public async Task What_is_half_made_while_somebody_holds_the_home_is_not_called_left_over()
    {
        await GrowAsync();
        var folder = $"{_world.Folder.Domains}/{Guid.Empty}";
        Directory.CreateDirectory($"{folder}/definitions");
        Directory.CreateDirectory($"{_world.Folder.Domains}/{new Guid(9, 0, 0, new byte[8])}/catalog");
        await File(_world, $"{_world.Folder.Domains}/{new Guid(9, 0, 0, new byte[8])}/catalog/root.json.other", "");
        using (FileLock.TryAcquire(_world.Folder.Lock))
        {
            var busy = Assert.Single(await _world.Open().CheckAsync(null));
            Assert.Equal((FindingKind.Busy, Severity.Note), (busy.Kind, busy.Severity));
        }

        Assert.Equal([FindingKind.Unreadable, FindingKind.Leftover], (await _world.Open().CheckAsync(null)).Select(f => f.Kind));
    }

    [Fact]
    public async Task A_domain_that_is_undefined_during_a_check_of_all_is_none()
    {
        await GrowAsync();
        var root = _world.Domain.CatalogRoot;
        _world.Host.Asked = () => System.IO.File.Delete(root);
        Assert.Empty(await _world.Open().CheckAsync(null));
    }

    [Fact]
    public async Task What_belongs_to_no_domain_is_found_with_the_home()
    {
        await GrowAsync();
        var nobody = new DomainId(Guid.Empty);
        _world.Host.Deserted.Add(new ShortId("0000dead"), nobody);
        await On(_world, s => s with { Processes = s.Processes.Add(new ShortId("0000face"), new FakeProcess(nobody, [], DomainState.Running, 0)) });
        Directory.CreateDirectory($"{_world.Folder.Domains}/{nobody}/definitions");
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
        Directory.Delete($"{_world.Folder.Domains}/{nobody}", recursive: true);
        Assert.Equal(
            [FindingKind.Stray, FindingKind.Leftover], (await _world.Open().CheckAsync(null)).Select(f => f.Kind));
    }

    /// <summary>A domain that runs, with snapshots of all kinds and a tip.</summary>
    private async Task GrowAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        _world.Host.Tick();
    }

    private IEnumerable<string> Named() => LayerGraph.Of(_world.Catalog).All.Select(l => l.Path)
        .Concat(_world.Catalog.Memories.Select(m => m.File).OfType<string>());

    private static Snapshot Snapshot(World world) => world.Catalog.Find("two");

    private static string HeadPath(World world) => LayerGraph.Of(world.Catalog)[world.Catalog.Head.Disks[0].Layer].Path;

    private static Task On(World world, Func<FakeHostState, FakeHostState> change)
    {
        world.Host.State = change(world.Host.State);
        return Task.CompletedTask;
    }

    private static Task OnProcess(World world, Func<FakeProcess, FakeProcess> change) =>
        On(world, s => FakeHost.Set(s, world.Catalog.Head.Process!.Value, change));

    /// <summary>An image that the process of the domain does not have open.</summary>
    private static Task OnOther(World world, ImageHealth health) =>
        On(world, s => s.With(Snapshot(world).Layers[0].Path, i => i with { Health = health }));

    private static Task Orphan(World world, string name, bool written = false)
    {
        var path = $"{world.Domain.Path}/{name}";
        if (name.StartsWith("memory/", StringComparison.Ordinal))
        {
            return On(world, s => s with { Memories = s.Memories.Add(path, new FakeMemory(1, true)) });
        }

        world.AddImage(path);
        return On(world, s => written ? s.With(path, i => i with { Blocks = i.Blocks.Add(1, 1) }) : s);
    }

    private static Task File(World world, string path, string? content)
    {
        if (content is null)
        {
            System.IO.File.Delete(path);
        }
        else
        {
            System.IO.File.WriteAllText(path, content);
        }

        return Task.CompletedTask;
    }
}
