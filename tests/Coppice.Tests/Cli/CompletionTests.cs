using Coppice.Core;
using Coppice.Tests.Images;

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

    [Theory]
    [InlineData("$(touch X)", @"\$\(touch\ X\)")]
    [InlineData("`touch X`", @"\`touch\ X\`")]
    [InlineData("before upgrade", @"before\ upgrade")]
    [InlineData("a;b", @"a\;b")]
    [InlineData("plain", "plain")]
    public async Task A_name_is_nothing_but_a_word_to_the_shell(string name, string offered)
    {
        using var desk = new Desk();
        Assert.SkipUnless(Tool.Exists("bash"), "bash is not installed");
        var script = desk.File("complete.sh", (await desk.TypeAsync("completion", "bash")).AsPrinted);
        var names = desk.File("names", $"other\n{name}\n");
        var folder = Path.GetDirectoryName(script)!;

        var driver = desk.File("driver.sh", $$"""
            cd '{{folder}}'
            source '{{script}}'
            coppice() { cat '{{names}}'; }
            COMP_WORDS=(coppice show "$1") COMP_CWORD=2 COMP_LINE="coppice show $1"
            COMP_POINT=${#COMP_LINE}
            _coppice
            printf '%s\n' "${COMPREPLY[@]}"
            """);
        Assert.Equal($"{offered}\n", await Tool.RunAsync("bash", driver, name[..1]));
        Assert.Equal($"other\n{offered}\n", await Tool.RunAsync("bash", driver, ""));
        Assert.False(File.Exists($"{folder}/X"));
    }

    [Fact]
    public async Task Of_an_option_with_its_value_only_the_value_is_offered()
    {
        using var desk = new Desk();
        Assert.SkipUnless(Tool.Exists("bash"), "bash is not installed");
        var script = desk.File("complete.sh", (await desk.TypeAsync("completion", "bash")).AsPrinted);
        var driver = desk.File("driver.sh", $$"""
            source '{{script}}'
            coppice() { printf '%s\n' --from=base --from=before --to=base; }
            COMP_WORDS=(coppice list --from = b) COMP_CWORD=4 COMP_LINE="coppice list --from=b"
            COMP_POINT=${#COMP_LINE}
            _coppice
            printf '%s\n' "${COMPREPLY[@]}"
            """);
        Assert.Equal("base\nbefore\n", await Tool.RunAsync("bash", driver));
    }

    private static async Task<string[]> SuggestAsync(Desk desk, string line)
    {
        var typed = await desk.TypeAsync($"[suggest:{line.Length}]", line);
        Assert.Equal((0, ""), (typed.ExitCode, typed.Error));
        return [.. typed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(s => line.Contains('-') || !s.StartsWith('-'))];
    }
}
