using Coppice.Core;
using Coppice.Files;

namespace Coppice.Live.Tree;

/// <summary>Nodes are deleted that several others build on, also while nothing runs (R14, R35, R67, R68).</summary>
public sealed class DeleteTests
{
    [Fact]
    public async Task A_node_below_three_branches_goes_and_then_all_do_and_every_disk_is_as_it_was()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "root", DiskOnly = true });
        await SayAsync(domain, "middle");
        await domain.CreateAsync("middle");
        foreach (var branch in new[] { "left", "right" })
        {
            await SayAsync(domain, branch);
            await domain.CreateAsync(branch);
            await domain.RevertAsync("middle", discard: true);
        }

        await SayAsync(domain, "head");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));

        // Below "middle" there is one layer, above it there are three: two are relinked by us, if it is not streamed.
        var deleted = await domain.RunAsync(Delete("root") with { Direction = MergeDirection.Commit, Wait = true });
        Assert.Contains(deleted.Steps, s => s.Kind == "qemu.finish-merge");
        Assert.Empty(domain.QemuProcesses);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        foreach (var branch in new[] { "left", "right", "middle" })
        {
            await domain.RevertAsync(branch, discard: branch != "left");
            Assert.Equal(branch, await HearAsync(domain));
        }

        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, []) { Scope = DeleteScope.All, Wait = true });
        Assert.Equal("middle", await HearAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new CollectGarbage(LiveDomain.Name) { Wait = true });
        var view = await domain.ShowAsync();
        Assert.Empty(view.Catalog.Snapshots);
        Assert.Empty(view.Catalog.Jobs);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("middle", await HearAsync(domain));
    }

    [Fact]
    public async Task The_file_that_stays_gets_its_name_at_once_where_nothing_has_it_open_and_else_when_the_domain_is_off()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        foreach (var name in new[] { "one", "two", "three" })
        {
            await SayAsync(domain, name);
            await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = name, DiskOnly = true });
        }

        await SayAsync(domain, "head");
        await domain.RunAsync(Delete("two") with { Direction = MergeDirection.Commit, FinalNames = [new(null, "live.qcow2")], Wait = true });
        Assert.Equal("live.qcow2", Assert.Single((await domain.ShowAsync()).Renames).Name);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new CollectGarbage(LiveDomain.Name));
        Assert.Equal(1, Files(domain).Single(f => f.Key.EndsWith("/live.qcow2", StringComparison.Ordinal)).Value);

        await domain.RunAsync(Delete("three") with { Direction = MergeDirection.Commit, FinalNames = [new("vda", "off 2:1.qcow2")], Wait = true });
        Assert.EndsWith("/off 2:1.qcow2", Assert.Single(Files(domain).Keys, f => f.EndsWith(".qcow2", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        Assert.DoesNotContain(await domain.Home.CheckAsync(null), f => f.Severity is not Severity.Note);
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("head", await HearAsync(domain));
    }

    [Fact]
    public async Task A_node_with_two_branches_and_a_running_fork_goes_while_both_guests_write_and_neither_notices()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "root", DiskOnly = true });
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("node");
        await domain.CreateAsync("left");
        await domain.RevertAsync("node", discard: true);
        await domain.CreateAsync("right");
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "node", "fork") { State = ForkState.Running });
        var before = Files(domain);
        await domain.RunAsync(Delete("node") with { Wait = true });
        var after = Files(domain);
        TestContext.Current.TestOutputHelper!.WriteLine($"before\n{string.Join('\n', before)}\nafter\n{string.Join('\n', after)}");

        // Three build on its layer, so that stays under both its names; its memory is the fork's alone now.
        Assert.EndsWith(".mem", Assert.Single(before.Keys.Except(after.Keys)), StringComparison.Ordinal);
        Assert.Equal([2, 2], after.Where(f => f.Key.EndsWith(".qcow2", StringComparison.Ordinal) && f.Value > 1).Select(f => f.Value));
        Assert.Equal(2, domain.QemuProcesses.Length);
        Assert.Equal(["left", "right", "root"], (await domain.ShowAsync()).Catalog.Snapshots.Values.Select(s => s.Name).Order());
        await CheckpointTests.VerifyAsync(domain, boot);
        await CheckpointTests.VerifyAsync(domain, boot, "fork");
        await domain.RevertAsync("left", discard: true);
        await CheckpointTests.VerifyAsync(domain, boot);
        await domain.RunAsync(new RevertSnapshot("fork", "node", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        await CheckpointTests.VerifyAsync(domain, boot, "fork");
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Theory]
    [InlineData(MemoryMode.External, DiskMode.External, MergeDirection.Stream)]
    [InlineData(MemoryMode.Internal, DiskMode.Internal, MergeDirection.Commit)]
    public async Task What_is_kept_inside_an_image_is_deleted_below_a_guest_that_writes_to_another_and_goes_once_that_is_merged(
        MemoryMode memory, DiskMode second, MergeDirection direction)
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await SayEverywhereAsync(domain, "one");
        await domain.CreateAsync("one");
        await SayEverywhereAsync(domain, "inside");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "inside",
            Memory = new MemoryRequest(memory),
            Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", second)],
        });
        await SayEverywhereAsync(domain, "later");
        await domain.CreateAsync("later");
        await SayEverywhereAsync(domain, "head");
        await domain.RunAsync(Delete("inside") with { Wait = true });
        var view = await domain.ShowAsync();
        Assert.Equal(["later", "one"], view.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.Empty(view.Catalog.Jobs);
        Assert.Equal(second is DiskMode.Internal ? 2 : 1, view.Left.Length);
        Assert.All(view.Left, l => Assert.Contains("internal snapshot", l.Reason, StringComparison.Ordinal));
        Assert.Equal("head, head, head", await HearEverywhereAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        foreach (var name in new[] { "one", "later" })
        {
            await domain.RevertAsync(name, discard: true);
            Assert.Equal($"{name}, {name}, {name}", await HearEverywhereAsync(domain));
        }

        // A commit keeps the image that it is inside of, and has to wait for the guest that writes to the other one.
        await domain.RunAsync(Delete("later") with { Direction = direction, Wait = true });
        if (direction is MergeDirection.Commit)
        {
            await domain.RunAsync(new KillDomain(LiveDomain.Name));
            await domain.RunAsync(new CollectGarbage(LiveDomain.Name) { Wait = true });
            await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        }

        Assert.Empty((await domain.ShowAsync()).Left);
        Assert.Empty(Directory.GetFiles(domain.HomePath, "*.qcow2", SearchOption.AllDirectories).SelectMany(InsideOf));
        Assert.EndsWith(", later, later", await HearEverywhereAsync(domain), StringComparison.Ordinal);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RevertAsync("one", discard: true);
        Assert.Equal("one, one, one", await HearEverywhereAsync(domain));
    }

    /// <summary>The layers and memory images of all domains, and how many names each has.</summary>
    private static SortedDictionary<string, int> Files(LiveDomain domain) => new(Directory
        .EnumerateFiles($"{domain.HomePath}/domains", "*", SearchOption.AllDirectories)
        .Where(p => Path.GetExtension(p) is ".qcow2" or ".mem")
        .ToDictionary(p => p, p => FileSystem.Look(p)!.Links));

    private static DeleteSnapshot Delete(string name) => new(LiveDomain.Name, name, metadataOnly: false);

    private static IEnumerable<string> InsideOf(string path)
    {
        using var image = Coppice.Images.Qcow2Image.Open(path);
        return [.. image.ReadSnapshots().Select(s => s.Name)];
    }

    private static async Task SayAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.PutAsync("vda", 0, text);
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return await witness.ReadAsync("vda", 0);
    }

    private static async Task SayEverywhereAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("note", text);
        await witness.PutAsync("vda", 0, text);
        await witness.PutAsync("vdb", 0, text);
    }

    private static async Task<string> HearEverywhereAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return $"{await witness.GetAsync("note")}, {await witness.ReadAsync("vda", 0)}, {await witness.ReadAsync("vdb", 0)}";
    }
}
