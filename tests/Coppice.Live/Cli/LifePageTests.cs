using System.Text.RegularExpressions;
using Coppice.Core;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Cli;

/// <summary>
/// docs/life.md, the whole life of a tree with what the command printed: lived through again on a real guest. The trees on the
/// page must be those that come out. With <c>COPPICE_LIFE</c> the page is written there instead of compared.
/// </summary>
public sealed partial class LifePageTests
{
    private const string Web = "web", Mood = "mood";
    private static readonly string s_page = Path.Combine(WitnessGuest.RepositoryRoot(), "docs/life.md");

    [Fact]
    public async Task The_trees_of_docs_life_are_those_that_a_real_guest_leaves()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootEditedAsync((xml, _) => xml
            .Replace("<memory ", "<genid/><memory ", StringComparison.Ordinal)
            .Replace(" device='disk'", " device='disk' snapshot='external'", StringComparison.Ordinal));
        await domain.RunAsync(new RenameDomain(LiveDomain.Name, Web));
        await using var cli = new CliHome { Starter = ["env", $"COPPICE_HOME={domain.HomePath}"] };
        var page = new LifePage(cli, domain);
        await CheckpointAsync(page, domain);
        await BranchAsync(page, domain);
        await ForkAsync(page, domain);
        await MergeAsync(page, domain);
        if (Environment.GetEnvironmentVariable("COPPICE_LIFE") is { Length: > 0 } path)
        {
            await File.WriteAllTextAsync(path, page.ToString());
        }
        else
        {
            Assert.Equal(Trees(await File.ReadAllTextAsync(s_page)), Trees(page.ToString()));
        }
    }

    private static async Task CheckpointAsync(LifePage page, LiveDomain domain)
    {
        await SayAsync(domain, "good");
        page.Head("Checkpoint", "The guest runs; it has a word in its RAM and one on its disk, both *good*. It runs on after a short pause.");
        await page.RunAsync("snapshot create web clean");
        await page.TreeAsync();

        await SayAsync(domain, "broken");
        page.Head("Break it, and revert", "Both words are *broken* now. What is left behind is kept as a tip, RAM included.");
        await page.RunAsync("snapshot revert web clean");
        Assert.Equal(("good", "good"), await HearAsync(domain));
        page.Say("The guest did not boot: both words are *good* again.");
        await page.TreeAsync();

        page.Head("Undo", "It was not meant. The tip is the head again, both words are *broken*, and what was left is a tip.");
        await page.RunAsync("snapshot undo web");
        Assert.Equal(("broken", "broken"), await HearAsync(domain));
        await page.TreeAsync();
    }

    private static async Task BranchAsync(LifePage page, LiveDomain domain)
    {
        page.Head("Branch", "The broken state is worth a name. A branch of *clean* has one too, and is gone to; nothing is copied.");
        await page.RunAsync("snapshot create web broken");
        await page.RunAsync("snapshot create web idea --branch clean");
        await page.RunAsync("snapshot revert web idea");
        Assert.Equal(("good", "good"), await HearAsync(domain));
        await SayAsync(domain, "better");
        await page.RunAsync("snapshot create web release");
        await page.TreeAsync();
    }

    private static async Task ForkAsync(LifePage page, LiveDomain domain)
    {
        page.Head("Fork ten", "Ten VMs of their own go on from *release*, as it is in RAM and on disk. Frozen files are shared by hard link.");
        await page.RunAsync("snapshot fork web release test --count 10");
        await page.RunAsync("start test-1");
        Assert.Equal(("better", "better"), await HearAsync(domain, "test-1"));
        page.Say("The word in the fork's RAM is *better*, as it was at *release*; the original runs on beside it.");
        await page.RunAsync("list");
    }

    private static async Task MergeAsync(LifePage page, LiveDomain domain)
    {
        page.Head("Compare", "Read natively from the images, while both VMs run.");
        await page.RunAsync("snapshot diff web clean release");
        await page.RunAsync("snapshot usage web");

        page.Head("Delete and merge", "Two steps more, of which the first was one too many: what it froze is merged, while the guest writes.");
        await page.RunAsync("snapshot create web step-1 --disk-only");
        await SayAsync(domain, "best");
        await page.RunAsync("snapshot create web step-2 --disk-only");
        await page.RunAsync("snapshot delete web step-1 --plan");
        await page.RunAsync("snapshot delete web step-1");
        page.Say("*clean* has two children, and a branch that has all that it has. It goes all the same.");
        await page.RunAsync("snapshot delete web clean");
        page.Say("On *release* build *step-2* and ten forks, one of which runs. The files of *web* before, and how many names each has:");
        await page.FilesAsync();
        await page.RunAsync("snapshot delete web release");
        page.Say("And after: the name of its memory went, which the forks have under names of their own. What it froze stays for those who build on it.");
        await page.FilesAsync();
        await page.TreeAsync();
        Assert.Equal(("best", "best"), await HearAsync(domain));
        Assert.Equal(("better", "better"), await HearAsync(domain, "test-1"));

        page.Head("Tidy", "Everything is what it was, and where it belongs; the old can go.");
        await page.RunAsync("snapshot verify web --take");
        await page.RunAsync("tips list web");
        await page.RunAsync("tips drop web --all");
        await page.RunAsync("prune web --keep-last 2");
        await page.RunAsync("gc web");
        await page.RunAsync("check web");
        await page.TreeAsync();
        Assert.Equal(("best", "best"), await HearAsync(domain));
    }

    private static async Task SayAsync(LiveDomain domain, string word)
    {
        await using var witness = await domain.ConnectAsync(Web);
        await witness.PutAsync("vda", 0, word);
        await witness.SetAsync(Mood, word);
    }

    private static async Task<(string Disk, string? Memory)> HearAsync(LiveDomain domain, string name = Web)
    {
        await using var witness = await domain.ConnectAsync(name);
        return (await witness.ReadAsync("vda", 0), await witness.GetAsync(Mood));
    }

    /// <summary>The commands, and the names in the trees: sizes, times and ids are of one day.</summary>
    private static string[] Trees(string page) =>
        [.. page.Split('\n').Select(l => TreeLine().Match(l)).Where(m => m.Success).Select(m => Id().Replace(m.Value.TrimEnd(), "…"))];

    [GeneratedRegex("^(\\$ .*|[│├─ ]*[○◌●] .*?)(?=  |$)")]
    private static partial Regex TreeLine();

    [GeneratedRegex("(?<=tip )[0-9a-f]{8}")]
    private static partial Regex Id();
}
