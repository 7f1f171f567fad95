using Coppice.Core;
using Coppice.Files;

namespace Coppice.Live.Tree;

/// <summary>Branches of a real guest: what was abandoned comes back with its memory and its disk, and what was not touched leaves nothing.</summary>
public sealed class BranchTests
{
    private const string Name = LiveDomain.Name;

    [Fact]
    public async Task Memory_and_disk_of_both_branches_return_after_create_revert_create_R162()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        await domain.CreateAsync("one");
        await SayAsync(domain, "second");
        var branched = await domain.RunAsync(new CreateSnapshot(Name)
        {
            Name = "two",
            Memory = new MemoryRequest(MemoryMode.External, Path.Combine(domain.Folder, "two.mem")),
            Branch = new BranchRequest("one", IsCurrent: true)
            {
                Checkpoint = "left", LeftMemory = new MemoryRequest(MemoryMode.External, Path.Combine(domain.Folder, "left.mem")),
            },
        });
        Assert.NotNull(branched.Pause);
        Assert.Equal("first, first", await HearAsync(domain));
        await SayAsync(domain, "third");

        // The layers of the branch that was left are as they were when its record was written: nothing says that they are not.
        var back = await domain.RunAsync(Revert("left") with { Checkpoint = new CreateSnapshot(Name) { Name = "three" } });
        Assert.Empty(back.Plan.Warnings);
        Assert.Equal("second, second", await HearAsync(domain));

        // Both that have the memory of 'one' in common, each under a name of its own, bring it back, also the one that is left alone.
        await domain.RevertAsync("three", discard: true);
        Assert.Equal("third, third", await HearAsync(domain));
        Assert.Equal(2, FileSystem.Look(Path.Combine(domain.Folder, "two.mem"))!.Links);
        File.Delete((await domain.ShowAsync()).Catalog.Find("one").Memory.File!);
        await domain.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: true));
        await domain.RevertAsync("two", discard: true);
        Assert.Equal("first, first", await HearAsync(domain));
        Assert.Empty((await domain.ShowAsync()).Catalog.Tips);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task A_guest_that_stood_still_since_its_snapshot_leaves_no_tip_and_one_that_ran_does_R169()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.RunAsync(new PauseDomain(Name));
        await domain.CreateAsync("still");
        await domain.RevertAsync("still");
        Assert.Empty((await domain.ShowAsync()).Catalog.Tips);
        await domain.RevertAsync("still");
        Assert.Empty((await domain.ShowAsync()).Catalog.Tips);

        await domain.RunAsync(new ResumeDomain(Name));
        await SayAsync(domain, "ran");
        await domain.RunAsync(new PauseDomain(Name));
        await domain.RevertAsync("still");
        var tip = Assert.Single((await domain.ShowAsync()).Catalog.Tips);

        // It was paused, so it stands when it is returned to.
        await domain.RunAsync(new RevertToTip(Name, tip.Id.Value, Force: false));
        await domain.RunAsync(new ResumeDomain(Name));
        Assert.Equal("ran, ran", await HearAsync(domain));
        await domain.RunAsync(new DropTips(Name) { AllBut = new TipRetention(0, null) });
        Assert.Single(Directory.GetFiles((await domain.ShowAsync()).Folder.MemoryFolder));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    private static RevertSnapshot Revert(string snapshot) =>
        new(Name, snapshot, RevertState.AsTaken, DiscardCurrent: false, Force: false);

    private static async Task SayAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("note", text);
        await witness.PutAsync("vda", 0, text);
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return $"{await witness.GetAsync("note")}, {await witness.ReadAsync("vda", 0)}";
    }
}
