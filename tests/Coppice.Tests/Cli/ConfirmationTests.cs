namespace Coppice.Tests.Cli;

public sealed class ConfirmationTests
{
    [Theory]
    [InlineData("kill web")]
    [InlineData("snapshot delete web one")]
    [InlineData("tips drop web --all")]
    [InlineData("snapshot revert web one --discard-current")]
    [InlineData("snapshot revert web one --discard-descendants")]
    [InlineData("snapshot create web two --branch one --current --checkpoint-memory none")]
    [InlineData("undefine web --snapshots")]
    public async Task On_a_terminal_what_loses_something_is_done_only_after_a_yes(string line)
    {
        using var desk = new Desk { IsTerminal = true };
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one");
        if (line.StartsWith("undefine", StringComparison.Ordinal))
        {
            await desk.DoAsync("kill web --yes");
        }

        var no = await desk.TypeAsync("n\n", line.Split(' '));
        var nothing = await desk.TypeAsync("", line.Split(' '));
        var yes = await desk.TypeAsync("yes\n", line.Split(' '));

        Assert.Equal((130, 130, 0), (no.ExitCode, nothing.ExitCode, yes.ExitCode));
        Assert.Contains("[y/N]", no.Error, StringComparison.Ordinal);
        Assert.Contains("nothing was done", no.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_discards_descendants_is_told_that_the_domain_as_it_is_may_be_one()
    {
        using var desk = new Desk { IsTerminal = true };
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one");
        var asked = await desk.TypeAsync("n\n", ["snapshot", "revert", "web", "one", "--discard-descendants"]);
        Assert.Contains("what it is now", asked.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kill web", "--yes")]
    [InlineData("kill web", "-y")]
    [InlineData("kill web", "--plan")]
    [InlineData("snapshot delete web one", "--plan")]
    public async Task Nobody_is_asked_who_said_yes_or_only_wants_the_plan(string line, string option)
    {
        using var desk = new Desk { IsTerminal = true };
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one");

        var typed = await desk.TypeAsync("n\n", [.. line.Split(' '), option]);

        Assert.Equal(0, typed.ExitCode);
        Assert.DoesNotContain("[y/N]", typed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_script_is_not_asked()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        var typed = await desk.TypeAsync("kill", "web");

        Assert.Equal((0, ""), (typed.ExitCode, typed.Error));
    }
}
