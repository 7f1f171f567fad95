namespace Coppice.Tests.Cli;

/// <summary>What <c>check</c> prints, asks and ends with.</summary>
public sealed class CheckCommandTests : IDisposable
{
    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_home_with_which_nothing_is_wrong_passes()
    {
        await _desk.StartAsync();
        var typed = await _desk.TypeAsync("check");
        Assert.Equal((0, "nothing is wrong\n", ""), (typed.ExitCode, typed.Output, typed.Error));
        Assert.Equal(0, (await _desk.TypeAsync("check", "web", "--json")).Json.GetProperty("findings").GetArrayLength());
        Assert.Equal(3, (await _desk.TypeAsync("check", "nobody")).ExitCode);
    }

    [Fact]
    public async Task What_is_wrong_is_told_with_what_to_do_and_the_command_fails()
    {
        await _desk.StartAsync();
        await _desk.DoAsync("snapshot create web one");
        _desk.Host.State = _desk.Host.State with { Memories = _desk.Host.State.Memories.Clear() };
        Leave("vda.gone.0000abcd.qcow2.partial");
        var typed = await _desk.TypeAsync("check", "web");
        Assert.Equal(12, typed.ExitCode);
        Assert.StartsWith("damage  web: memory image ", typed.Output, StringComparison.Ordinal);
        Assert.Contains("snapshot 'one' cannot go on from it\n        restore it", typed.Output, StringComparison.Ordinal);
        Assert.EndsWith("2 things are wrong\n", typed.Output, StringComparison.Ordinal);

        var findings = (await _desk.TypeAsync("check", "--json")).Json.GetProperty("findings").EnumerateArray().ToArray();
        Assert.Equal(["missing", "leftover"], findings.Select(f => f.GetProperty("kind").GetString()));
        Assert.Equal(["damage", "fault"], findings.Select(f => f.GetProperty("severity").GetString()));
        Assert.Equal([null, "repair"], findings.Select(f => f.GetProperty("repair").GetString()));
    }

    [Fact]
    public async Task A_repair_lists_asks_mends_and_tells_what_is_left()
    {
        await _desk.DefineAsync();
        _desk.IsTerminal = true;
        var left = Leave("vda.gone.0000abcd.qcow2.partial");
        var orphan = Leave("vda.gone.0000abcd.qcow2");
        _desk.Host.State = _desk.Host.State.With(orphan, i => i with { Blocks = i.Blocks.Add(1, 1) });

        var refused = await _desk.TypeAsync("n\n", ["check", "web", "--repair"]);
        Assert.Equal(130, refused.ExitCode);
        Assert.Contains("Mend 1 of these? [y/N]", refused.Error, StringComparison.Ordinal);
        Assert.Contains(left, _desk.Host.State.Images.Keys);
        Assert.Equal(12, (await _desk.TypeAsync("check", "web", "--repair", "--plan")).ExitCode);
        Assert.Contains(left, _desk.Host.State.Images.Keys);

        var mended = await _desk.TypeAsync("y\n", ["check", "web", "--repair"]);
        Assert.Equal(0, mended.ExitCode);
        Assert.Contains("web: mended", mended.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(left, _desk.Host.State.Images.Keys);
        Assert.Contains(orphan, _desk.Host.State.Images.Keys);

        var forgotten = await _desk.TypeAsync("y\n", ["check", "--repair", "--orphans"]);
        Assert.Contains("and lose 1 files that no catalog names?", forgotten.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(orphan, _desk.Host.State.Images.Keys);
        Assert.Equal(2, (await _desk.TypeAsync("check", "--orphans")).ExitCode);
    }

    [Fact]
    public async Task What_an_interrupted_operation_hid_is_not_lost_before_anybody_has_seen_it()
    {
        await _desk.DefineAsync();
        var orphan = Leave("vda.gone.0000abcd.qcow2");
        Interrupt();
        _desk.IsTerminal = true;
        var settled = await _desk.TypeAsync("y\n", ["check", "web", "--repair", "--orphans"]);
        Assert.Contains("Mend 1 of these? [y/N]", settled.Error, StringComparison.Ordinal);
        Assert.Contains("run it again", settled.Error, StringComparison.Ordinal);
        Assert.Contains(orphan, _desk.Host.State.Images.Keys);

        var again = await _desk.TypeAsync("y\n", ["check", "web", "--repair", "--orphans"]);
        Assert.Contains("and lose 1 files that no catalog names?", again.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("run it again", again.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(orphan, _desk.Host.State.Images.Keys);
    }

    /// <summary>A command was killed before it had done anything.</summary>
    private void Interrupt()
    {
        var journals = $"{Directory.GetDirectories($"{_desk.Home}/domains").Single()}/journal";
        Directory.CreateDirectory(journals);
        File.WriteAllText($"{journals}/0000dead.jsonl", "");
    }

    private string Leave(string name)
    {
        var domain = Directory.GetDirectories($"{_desk.Home}/domains").Single();
        var path = $"{domain}/images/vda/{name}";
        _desk.AddImage(path);
        return path;
    }
}
