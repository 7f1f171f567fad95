using System.Diagnostics;
using Coppice.Tests.Images;

namespace Coppice.Tests.Cli;

/// <summary>Domains that start with the host, and those that exist only while they run (R166), as they are typed.</summary>
public sealed class AutostartTests
{
    [Fact]
    public async Task Every_domain_that_is_marked_and_does_not_run_is_started_and_nothing_else()
    {
        using var desk = new Desk();
        foreach (var name in (string[])["off", "saved", "plain", "runs"])
        {
            await desk.DefineAsync(name);
        }

        await desk.DoAsync(
            "autostart off", "autostart saved", "autostart runs", "start runs", "start saved", "save saved", "autostart plain",
            "autostart plain --off");
        Assert.Contains("saved  saved", (await desk.TypeAsync("list")).Output, StringComparison.Ordinal);
        Assert.Contains("started with the host", (await desk.TypeAsync("show", "off")).Output, StringComparison.Ordinal);

        var planned = await desk.TypeAsync("start", "--autostart", "--plan", "--json");
        Assert.Equal(2, planned.Json.GetProperty("plans").GetArrayLength());
        var started = await desk.TypeAsync("start", "--autostart", "--json");
        Assert.Equal(0, started.ExitCode);
        Assert.Equal(["off", "saved"], started.Json.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("domain").GetString()));
        Assert.Equal(3, desk.Host.State.Processes.Count);
        Assert.Equal("nothing to do\n", (await desk.TypeAsync("start", "--autostart")).Output);
    }

    [Fact]
    public async Task One_that_fails_is_told_and_keeps_none_of_the_others_from_starting()
    {
        using var desk = new Desk();
        foreach (var name in (string[])["a", "b", "c"])
        {
            await desk.DefineAsync(name);
            await desk.DoAsync($"autostart {name}");
        }

        desk.Host.State = desk.Host.State with
        {
            Images = desk.Host.State.Images.RemoveRange(desk.Host.State.Images.Keys.Where(p => p.EndsWith("/a.qcow2", StringComparison.Ordinal))),
        };
        Directory.CreateDirectory($"{desk.Home}/domains/00000000-0000-0000-0000-00000000000f/catalog");
        File.WriteAllText($"{desk.Home}/domains/00000000-0000-0000-0000-00000000000f/catalog/root.json", "{}");

        var typed = await desk.TypeAsync("start", "--autostart");
        Assert.Equal(12, typed.ExitCode);
        Assert.Contains("a.qcow2", typed.Error, StringComparison.Ordinal);
        Assert.Contains("00000000000f", typed.Error, StringComparison.Ordinal);
        Assert.Contains("b: started", typed.Output, StringComparison.Ordinal);
        Assert.Contains("c: started", typed.Output, StringComparison.Ordinal);
        var again = (await desk.TypeAsync("start", "--autostart", "--json")).Json;
        Assert.Equal(2, again.GetProperty("errors").GetArrayLength());
        Assert.Equal(0, again.GetProperty("results").GetArrayLength());
    }

    [Fact]
    public async Task What_was_started_before_it_was_cancelled_is_told()
    {
        using var desk = new Desk();
        foreach (var name in (string[])["a", "b", "c"])
        {
            await desk.DefineAsync(name);
            await desk.DoAsync($"autostart {name}");
        }

        var launched = 0;
        desk.Host.Acting = what =>
        {
            if (what.StartsWith("launch", StringComparison.Ordinal) && ++launched == 2)
            {
                throw new OperationCanceledException();
            }
        };
        var typed = await desk.TypeAsync("start", "--autostart");
        Assert.Equal(130, typed.ExitCode);
        Assert.StartsWith("a: started", typed.Output, StringComparison.Ordinal);
        Assert.Contains("was cancelled", typed.Error, StringComparison.Ordinal);
        Assert.Single(desk.Host.State.Processes);
    }

    [Theory]
    [InlineData("list")]
    [InlineData("show web")]
    [InlineData("snapshot list web")]
    public async Task A_transient_domain_that_stays_although_it_has_ended_is_told(string line)
    {
        foreach (var json in (bool[])[false, true])
        {
            using var desk = new Desk();
            await desk.DefineAsync();
            var document = desk.File("t.xml", (await desk.TypeAsync("dumpxml", "web")).AsPrinted);
            await desk.DoAsync("undefine web", $"define {document} --transient", "snapshot create web one");
            desk.Host.LosePower();
            var typed = await desk.TypeAsync((json ? $"{line} --json" : line).Split(' '));
            Assert.Equal(0, typed.ExitCode);
            var told = json ? typed.Json.GetProperty("warnings")[0].GetString() : typed.Error;
            Assert.Contains("it stays, off", told, StringComparison.Ordinal);
            Assert.DoesNotContain("it stays", (await desk.TypeAsync(line.Split(' '))).Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("start")]
    [InlineData("start web --autostart")]
    [InlineData("start --autostart --anew")]
    [InlineData("start --autostart --paused")]
    [InlineData("define web.xml --paused")]
    public async Task What_contradicts_itself_is_refused(string line)
    {
        using var desk = new Desk();
        Assert.Equal(2, (await desk.TypeAsync(line.Split(' '))).ExitCode);
    }

    [Fact]
    public async Task A_transient_domain_is_made_from_a_document_or_from_options_and_goes()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        var document = desk.File("t.xml", (await desk.TypeAsync("dumpxml", "web")).AsPrinted);
        await desk.DoAsync("undefine web", $"define {document} --transient --paused");
        Assert.Contains("transient, gone when it ends", (await desk.TypeAsync("show", "web")).Output, StringComparison.Ordinal);
        Assert.Contains("paused", (await desk.TypeAsync("list")).Output, StringComparison.Ordinal);
        var killed = await desk.TypeAsync("kill", "web");
        Assert.Equal(0, killed.ExitCode);
        Assert.StartsWith("web: off", killed.Output, StringComparison.Ordinal);

        desk.AddImage("/images/b.qcow2");
        await desk.DoAsync("create web --disk /images/b.qcow2 --memory 64M --transient");
        Assert.Equal("transient", (await desk.TypeAsync("show", "web", "--json")).Json.GetProperty("domain").GetProperty("persistence").GetString());
        await desk.DoAsync("persist web", "kill web");
        Assert.Equal(0, (await desk.TypeAsync("show", "web")).ExitCode);
    }

    [Fact]
    public async Task What_the_unit_starts_is_a_command_of_ours()
    {
        var line = Assert.Single(Unit().Split('\n'), l => l.StartsWith("ExecStart=", StringComparison.Ordinal));
        var words = line["ExecStart=".Length..].Split(' ');
        Assert.Equal("@PREFIX@/bin/coppice", words[0]);
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync("autostart web", string.Join(' ', words[1..]));
        Assert.Single(desk.Host.State.Processes);
    }

    [Fact]
    public async Task Systemd_finds_nothing_wrong_with_the_unit()
    {
        Assert.SkipUnless(Tool.Exists("systemd-analyze"), "systemd-analyze is not installed");
        using var folder = new TempFolder();
        Directory.CreateDirectory($"{folder.Path}/bin");
        File.CreateSymbolicLink($"{folder.Path}/bin/coppice", "/bin/true");
        var unit = $"{folder.Path}/coppice-autostart.service";
        await File.WriteAllTextAsync(unit, Unit().Replace("@PREFIX@", folder.Path, StringComparison.Ordinal), TestContext.Current.CancellationToken);

        using var verify = Process.Start(new ProcessStartInfo("systemd-analyze", ["verify", unit]) { RedirectStandardError = true })!;
        var complaints = await verify.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await verify.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("coppice-autostart", complaints, StringComparison.Ordinal);
        Assert.True(verify.ExitCode == 0 || complaints.Length > 0, $"it ended with {verify.ExitCode}");
    }

    private static string Unit()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists($"{folder.FullName}/packaging/coppice-autostart.service"))
            {
                return File.ReadAllText($"{folder.FullName}/packaging/coppice-autostart.service");
            }
        }

        throw new FileNotFoundException("packaging/coppice-autostart.service");
    }
}
