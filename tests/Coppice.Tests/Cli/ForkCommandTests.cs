namespace Coppice.Tests.Cli;

/// <summary>What is typed to fork a domain, and what is printed.</summary>
public sealed class ForkCommandTests
{
    [Fact]
    public async Task A_fork_is_told_like_any_operation_by_the_name_of_the_new_domain()
    {
        using var desk = await StartedAsync();
        var planned = await desk.TypeAsync("snapshot", "fork", "web", "base", "copy", "--plan", "--json");
        Assert.Equal(("copy", "base"), (Text(planned, "plan", "domain"), planned.Json.GetProperty("plan").GetProperty("snapshot").GetProperty("name").GetString()));
        var typed = await desk.TypeAsync("snapshot", "fork", "web", "base", "copy", "--start");
        Desk.Succeeded(typed);
        Assert.StartsWith("copy: now on snapshot 'base'", typed.Output, StringComparison.Ordinal);
        Assert.Equal(["copy", "web"], await NamesAsync(desk));
    }

    [Fact]
    public async Task Several_are_numbered_and_none_is_made_if_one_name_is_taken()
    {
        using var desk = await StartedAsync();
        Desk.Succeeded(await desk.TypeAsync("snapshot", "fork", "web", "base", "ci", "--count", "3"));
        Assert.Equal(["ci-1", "ci-2", "ci-3", "web"], await NamesAsync(desk));
        await desk.DoAsync("undefine ci-1 --snapshots --yes");
        var failed = await desk.TypeAsync("snapshot", "fork", "web", "base", "ci", "--count", "3", "--json");
        Assert.Equal(4, failed.ExitCode);
        Assert.Empty(failed.Json.GetProperty("results").EnumerateArray());
        Assert.Equal(["ci-2", "ci-3", "web"], await NamesAsync(desk));
    }

    [Fact]
    public async Task A_domain_is_forked_as_it_is_now_by_a_snapshot_that_stays()
    {
        using var desk = await StartedAsync();
        Desk.Succeeded(await desk.TypeAsync("snapshot", "fork", "web", "--live", "copy", "--paused"));
        Assert.Equal(["copy", "web"], await NamesAsync(desk));
        Assert.Equal("fork-copy", (await desk.TypeAsync("snapshot", "current", "web")).Output.Trim());
        Assert.Equal("paused", Text(await desk.TypeAsync("show", "copy", "--json"), "domain", "state"));
    }

    [Theory]
    [InlineData("copy --new-nic", "--start")]
    [InlineData("copy --new-nic --start", "has no network card")]
    [InlineData("other", "exists already")]
    public async Task A_domain_that_cannot_be_forked_as_it_is_now_gets_no_snapshot(string words, string problem)
    {
        using var desk = await StartedAsync(words.Contains("--start", StringComparison.Ordinal) ? "" : "<interface type='user'><model type='virtio'/></interface>");
        await desk.DefineAsync("other");
        var typed = await desk.TypeAsync(["snapshot", "fork", "web", "--live", .. words.Split(' ')]);
        Assert.NotEqual(0, typed.ExitCode);
        Assert.Contains(problem, typed.Error, StringComparison.Ordinal);
        Assert.Equal("base", (await desk.TypeAsync("snapshot", "current", "web")).Output.Trim());
    }

    [Fact]
    public async Task A_fork_that_fails_after_its_snapshot_was_taken_says_how_to_go_on()
    {
        using var desk = await StartedAsync();
        desk.Host.Acting = what => _ = what.StartsWith("link", StringComparison.Ordinal) ? throw new IOException("no") : 0;
        var typed = await desk.TypeAsync("snapshot", "fork", "web", "--live", "copy", "--paused");
        desk.Host.Acting = null;
        Assert.NotEqual(0, typed.ExitCode);
        const string Again = "coppice snapshot fork web fork-copy copy --paused";
        Assert.Contains(Again, typed.Error, StringComparison.Ordinal);
        await desk.DoAsync(Again["coppice ".Length..]);
        Assert.Equal(["copy", "web"], await NamesAsync(desk));
    }

    [Theory]
    [InlineData("web base", "needs DOMAIN SNAPSHOT NEW")]
    [InlineData("web base copy --live", "write DOMAIN --live NEW")]
    [InlineData("web base copy --count 0", "--count is a number from 1")]
    [InlineData("web base copy --start --paused", "exclude each other")]
    [InlineData("web base copy --network up", "write down or keep")]
    [InlineData("web base copy --new-nic --network keep", "exclude each other")]
    public async Task What_makes_no_sense_is_refused(string words, string problem)
    {
        using var desk = await StartedAsync();
        var typed = await desk.TypeAsync(["snapshot", "fork", .. words.Split(' ')]);
        Assert.Equal(2, typed.ExitCode);
        Assert.Contains(problem, typed.Error, StringComparison.Ordinal);
    }

    private static async Task<Desk> StartedAsync(string devices = "")
    {
        var desk = new Desk();
        await desk.DefineAsync("web", devices);
        await desk.DoAsync("start web", "snapshot create web base");
        return desk;
    }

    private static async Task<string[]> NamesAsync(Desk desk) =>
        [.. (await desk.TypeAsync("list", "--json")).Json.GetProperty("domains").EnumerateArray().Select(d => d.GetProperty("name").GetString()!)];

    private static string? Text(Typed typed, string answer, string member) => typed.Json.GetProperty(answer).GetProperty(member).GetString();
}
