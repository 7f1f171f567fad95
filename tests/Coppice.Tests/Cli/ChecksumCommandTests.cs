namespace Coppice.Tests.Cli;

/// <summary>Whoever froze something leaves a process behind that takes its checksum.</summary>
public sealed class ChecksumCommandTests : IDisposable
{
    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task What_froze_is_unverified_until_the_process_that_was_left_behind_has_read_it()
    {
        _desk.Variables.Remove("COPPICE_CHECKSUMS");
        await _desk.StartAsync();
        Assert.Empty(_desk.StartedAside);
        await _desk.DoAsync("snapshot create web one");
        var started = Assert.Single(_desk.StartedAside);
        Assert.Equal(["--home", _desk.Home, "checksum"], started.SkipLast(1));
        Assert.Contains("memory+disks, unverified", (await _desk.TypeAsync("snapshot", "list", "web")).Output, StringComparison.Ordinal);
        Assert.Contains("unverified: not all", (await _desk.TypeAsync("snapshot", "show", "web", "one")).Output, StringComparison.Ordinal);

        var taken = await _desk.TypeAsync([.. started]);
        Assert.Equal((0, "", ""), (taken.ExitCode, taken.Output, taken.Error));
        Assert.DoesNotContain("unverified", (await _desk.TypeAsync("snapshot", "list", "web")).Output, StringComparison.Ordinal);
        Assert.False((await _desk.TypeAsync("snapshot", "show", "web", "one", "--json")).Json.GetProperty("snapshot").GetProperty("unverified").GetBoolean());

        // Nothing froze since; and a fork has what the original has.
        await _desk.DoAsync("pause web", "resume web", "snapshot fork web one copy");
        Assert.Single(_desk.StartedAside);
        Assert.DoesNotContain("checksum", (await _desk.TypeAsync("--help")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_started_and_nothing_is_told_where_it_is_switched_off()
    {
        await _desk.StartAsync();
        await _desk.DoAsync("snapshot create web one");
        Assert.Empty(_desk.StartedAside);
        Assert.DoesNotContain("unverified", (await _desk.TypeAsync("snapshot", "list", "web")).Output, StringComparison.Ordinal);
        Assert.True((await _desk.TypeAsync("snapshot", "show", "web", "one", "--json")).Json.GetProperty("snapshot").GetProperty("unverified").GetBoolean());
    }
}
