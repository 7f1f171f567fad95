using Coppice.Core;

namespace Coppice.Tests.Cli;

public sealed class CompletionTests
{
    [Fact]
    public async Task Domains_are_offered_by_name()
    {
        using var desk = new Desk();
        await desk.DefineAsync("web");
        await desk.DefineAsync("db");

        Assert.Equal(["db", "web"], await SuggestAsync(desk, "show "));
        Assert.Equal(["web"], await SuggestAsync(desk, "start w"));
    }

    [Fact]
    public async Task Snapshots_are_offered_of_the_domain_that_was_typed()
    {
        using var desk = new Desk();
        await desk.DefineAsync("web");
        await desk.DoAsync("snapshot create web base", "snapshot create web before-upgrade");

        Assert.Equal(["base", "before-upgrade"], await SuggestAsync(desk, "snapshot revert web b"));
        Assert.Equal(["base", "before-upgrade"], await SuggestAsync(desk, "snapshot list web --from b"));
        Assert.Empty(await SuggestAsync(desk, "snapshot show nosuch b"));
    }

    [Fact]
    public async Task Nothing_is_asked_or_settled_for_it()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        var document = desk.File("t.xml", (await desk.TypeAsync("dumpxml", "web")).AsPrinted);
        await desk.DoAsync("undefine web", $"define {document} --transient", "snapshot create web base");
        desk.Host.Asked = () => Assert.Fail("a process was asked");
        Assert.Equal(["web"], await SuggestAsync(desk, "show "));
        Assert.Equal(["base"], await SuggestAsync(desk, "snapshot show web "));
        desk.Host.LosePower();
        Assert.Equal(["web"], await SuggestAsync(desk, "show "));
        Assert.Equal(["base"], await SuggestAsync(desk, "snapshot show web "));
        Assert.Contains("was transient and has ended", (await desk.TypeAsync("show", "web")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_and_options_are_offered()
    {
        using var desk = new Desk();

        Assert.Equal(["snapshot"], await SuggestAsync(desk, "sna"));
        Assert.Equal(["--disk", "--disk-only"], await SuggestAsync(desk, "snapshot create web --dis"));
    }

    [Fact]
    public async Task A_home_that_cannot_be_read_offers_nothing_and_says_nothing()
    {
        using var desk = new Desk { Opening = () => throw new CoppiceException(ErrorKind.Storage, "home", "is gone") };

        Assert.Empty(await SuggestAsync(desk, "show w"));
    }

    [Fact]
    public async Task The_script_is_bash_and_asks_through_the_directive()
    {
        using var desk = new Desk();

        var script = await desk.TypeAsync("completion", "bash");

        Assert.Contains("[suggest:$at]", script.Output, StringComparison.Ordinal);
        Assert.Contains("complete ", script.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await desk.TypeAsync("completion", "tcsh")).ExitCode);
    }

    private static async Task<string[]> SuggestAsync(Desk desk, string line)
    {
        var typed = await desk.TypeAsync($"[suggest:{line.Length}]", line);
        Assert.Equal((0, ""), (typed.ExitCode, typed.Error));
        return [.. typed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(s => line.Contains('-') || !s.StartsWith('-'))];
    }
}
