namespace Coppice.Tests.Cli;

public sealed class DrawingTests
{
    private static readonly string[] s_story =
    [
        "snapshot create web base --description hello",
        "snapshot create web before-upgrade",
        "snapshot create web experiment --disk-only",
        "snapshot revert web base",
        "snapshot create web release",
    ];

    [Fact]
    public async Task The_tree_runs_straight_down_to_the_head_and_branches_to_the_right()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync(s_story);

        Assert.Equal(
            """
            web
            ○ base              running  memory+disks             0 B  4 min ago
            ├─○ before-upgrade  running  memory+disks             0 B  3 min ago
            │ ○ experiment      running  disks, crash-consistent  0 B  2 min ago
            │ ◌ tip id-00001    running                                1 min ago
            ○ release           running  memory+disks             0 B  now
            ● head              running

            """,
            (await desk.TypeAsync("snapshot", "tree", "web")).Output);
    }

    [Fact]
    public async Task The_head_stands_where_a_revert_put_it()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync([.. s_story, "snapshot revert web before-upgrade"]);

        Assert.Equal(
            """
            web
            ○ base            running  memory+disks             0 B  5 min ago
            ├─○ release       running  memory+disks             0 B  1 min ago
            │ ◌ tip id-00001  running                                now
            ○ before-upgrade  running  memory+disks             0 B  4 min ago
            ├─○ experiment    running  disks, crash-consistent  0 B  3 min ago
            │ ◌ tip id-00002  running                                2 min ago
            ● head            running

            """,
            (await desk.TypeAsync("snapshot", "tree", "web")).Output);
    }

    [Fact]
    public async Task A_domain_without_snapshots_is_a_head_alone()
    {
        using var desk = new Desk();
        await desk.DefineAsync();

        Assert.Equal("web\n● head  off\n", (await desk.TypeAsync("snapshot", "tree", "web")).Output);
    }

    [Fact]
    public async Task A_history_of_a_thousand_snapshots_is_drawn_in_one_column()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        var snapshots = Enumerable.Range(0, 1000).Select(i => Report(i)).ToArray();
        var domain = new Coppice.Cli.Reports.DomainReport("id", "web", "off", 0, new("999", "s999"), 1000, [], [], "/", 1, "persistent") { Dirty = true, Spares = [] };

        using var output = new StringWriter { NewLine = "\n" };
        desk.Draw(new Coppice.Cli.Drawing.TreeDrawing(domain, snapshots, TimeProvider.System).ToSheet(), output);

        var lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(1002, lines.Length);
        Assert.All(lines[1..^1], line => Assert.StartsWith("○ s", line, StringComparison.Ordinal));
        Assert.StartsWith("● head", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_are_columns_without_lines_or_colours_when_piped()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web base", "snapshot create web next");

        Assert.Equal(
            """
            NAME  STATE    MEMORY   SNAPSHOTS  CURRENT  PERSISTENCE
            web   running  256 MiB  2          next

            """,
            (await desk.TypeAsync("list")).Output);
        Assert.Equal(
            """
               NAME  STATE    KEEPS         SIZE  CREATED              PARENT
               base  running  memory+disks  0 B   2026-03-01 12:01:00  -
            *  next  running  memory+disks  0 B   2026-03-01 12:02:00  base

            """,
            (await desk.TypeAsync("snapshot", "list", "web")).Output);
    }

    [Theory]
    [InlineData("xterm", null, true)]
    [InlineData("xterm", "1", false)]
    [InlineData("dumb", null, false)]
    [InlineData(null, null, false)]
    public async Task Colours_are_used_on_a_terminal_that_has_them_and_not_against_NO_COLOR(string? term, string? noColor, bool coloured)
    {
        using var desk = new Desk();
        await desk.StartAsync();
        desk.IsTerminal = true;
        desk.Variables["TERM"] = term;
        desk.Variables["NO_COLOR"] = noColor;

        Assert.Equal(coloured, (await desk.TypeAsync("list")).Output.Contains('\u001b', StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_description_cannot_steer_the_terminal()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "one", "--description", "a\u202ec"));

        var shown = await desk.TypeAsync("snapshot", "show", "web", "one");

        Assert.Contains("a\uFFFDc", shown.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_shows_steps_files_and_cost_and_changes_nothing()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web base");
        var before = (await desk.TypeAsync("show", "web", "--json")).Output;

        var plan = await desk.TypeAsync("snapshot", "revert", "web", "--plan");

        Assert.Equal(0, plan.ExitCode);
        Assert.StartsWith("plan: snapshot revert web 'base'\nway: ", plan.Output, StringComparison.Ordinal);
        Assert.Contains("  2  prepare   launch ", plan.Output, StringComparison.Ordinal);
        Assert.Contains("  3  switch    leave ", plan.Output, StringComparison.Ordinal);
        Assert.Contains("  -  commit    the catalog is replaced\n  4  clean up  ", plan.Output, StringComparison.Ordinal);
        Assert.EndsWith("freed; nothing was done\n", plan.Output, StringComparison.Ordinal);
        Assert.Equal(before, (await desk.TypeAsync("show", "web", "--json")).Output);
    }

    [Fact]
    public async Task A_result_names_the_mechanism_and_the_pause()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        Assert.Equal(
            """
            web: took snapshot 'base'
              0 ms; fake checkpoint; guest stood still for 1 ms

            """,
            (await desk.TypeAsync("snapshot", "create", "web", "base")).Output);
    }

    private static Coppice.Cli.Reports.SnapshotReport Report(int i) => new(
        $"{i}", $"s{i}", "", DateTimeOffset.UnixEpoch, "off", false, i == 0 ? null : new($"{i - 1}", $"s{i - 1}"), [], "offline", "external", "exact", 0,
        new("none", null, null, null, false), []);
}
