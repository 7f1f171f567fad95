namespace Coppice.Tests.Cli;

/// <summary>Deleting and merging, as it is typed.</summary>
public sealed class JobCommandTests
{
    [Fact]
    public async Task Deleting_waits_for_the_merges_unless_it_is_told_not_to_and_the_next_command_finishes_them()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web a", "snapshot create web b", "snapshot create web c", "snapshot create web d");
        await desk.DoAsync("snapshot delete web b");
        Assert.Equal("no merges\n", (await desk.TypeAsync("job", "list", "web")).Output);

        desk.Host.MergesGoOnWhenAsked = false;
        await desk.DoAsync("snapshot delete web c --no-wait");
        var job = (await desk.TypeAsync("job", "list", "web", "--json")).Json.GetProperty("jobs")[0];
        Assert.Equal(("vda", "running"), (job.GetProperty("disk").GetString(), job.GetProperty("state").GetString()));
        var id = await IdAsync(desk);
        Assert.Contains("% of 12 KiB", (await desk.TypeAsync("job", "show", "web", id)).Output, StringComparison.Ordinal);
        desk.Host.MergesGoOnWhenAsked = true;
        await desk.DoAsync($"job wait web {id}");
        Assert.Equal("no merges\n", (await desk.TypeAsync("job", "list", "web")).Output);
        Assert.Equal("a d", await desk.NamesAsync("snapshot list web --name"));
    }

    [Fact]
    public async Task A_merge_that_is_given_up_is_gone_and_gc_begins_another()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web a", "snapshot create web b", "snapshot create web c");
        desk.Host.MergesGoOnWhenAsked = false;
        await desk.DoAsync("snapshot delete web b --no-wait");
        var id = await IdAsync(desk);
        Desk.Succeeded(await desk.TypeAsync("job", "cancel", "web", id));
        var gone = await desk.TypeAsync("job", "show", "web", id);
        Assert.Equal(3, gone.ExitCode);
        Assert.Contains("coppice job list web", gone.Error, StringComparison.Ordinal);
        foreach (var command in new[] { "snapshot tree web", "show web", "check web" })
        {
            var told = (await desk.TypeAsync(command.Split(' '))).Output;
            Assert.Contains("it was not merged yet, or its merge was given up", told, StringComparison.Ordinal);
            Assert.Contains("merge it: coppice gc web", told, StringComparison.Ordinal);
        }

        Desk.Succeeded(await desk.TypeAsync("gc", "--all", "--no-wait"));
        Assert.NotEqual(id, await IdAsync(desk));
        desk.Host.MergesGoOnWhenAsked = true;
        await desk.DoAsync("gc web", "kill web --yes", "snapshot delete-all web");
        Assert.Equal("", await desk.NamesAsync("snapshot list web --name"));
    }

    [Fact]
    public async Task Several_are_deleted_at_once_also_with_what_is_below_them()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync("snapshot create web a", "snapshot create web b", "snapshot create web c", "snapshot create web d");
        await desk.DoAsync("snapshot delete web a c");
        Assert.Equal("b d", await desk.NamesAsync("snapshot list web --name"));
        await desk.DoAsync("snapshot delete web b --children-only");
        Assert.Equal("b", await desk.NamesAsync("snapshot list web --name"));
        var refused = await desk.TypeAsync("snapshot", "delete", "web", "b", "--discard");
        Assert.Equal(7, refused.ExitCode);
        await desk.DoAsync("snapshot delete web b --children");
        Assert.Equal("", await desk.NamesAsync("snapshot list web --name"));
    }

    [Fact]
    public async Task The_file_that_a_merge_leaves_is_named_and_what_waits_for_the_guest_to_end_is_shown_R201()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web a", "snapshot create web b", "snapshot create web c");
        Assert.NotEqual(0, (await desk.TypeAsync("snapshot", "delete", "web", "b", "--final-name", "../web.qcow2")).ExitCode);
        Assert.NotEqual(0, (await desk.TypeAsync("snapshot", "delete", "web", "b", "--discard", "--final-name", "web.qcow2")).ExitCode);
        await desk.DoAsync("snapshot delete web b --final-name vda=web.qcow2");
        var waits = (await desk.TypeAsync("show", "web")).Output;
        Assert.Contains("to web.qcow2: the domain has the file open", waits, StringComparison.Ordinal);
        await desk.DoAsync("kill web --yes", "gc web");
        Assert.DoesNotContain("web.qcow2:", (await desk.TypeAsync("show", "web")).Output, StringComparison.Ordinal);
        Assert.Contains(desk.Host.State.Images.Keys, p => p.EndsWith("/web.qcow2", StringComparison.Ordinal));
    }

    private static async Task<string> IdAsync(Desk desk)
    {
        var printed = (await desk.TypeAsync("job", "list", "web", "--json")).AsPrinted;
        return System.Text.Json.JsonDocument.Parse(printed).RootElement.GetProperty("jobs")[0].GetProperty("id").GetString()!;
    }
}
