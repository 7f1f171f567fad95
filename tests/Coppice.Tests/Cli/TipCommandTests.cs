using System.Text.Json;
using Coppice.Cli;

namespace Coppice.Tests.Cli;

/// <summary>The words below <c>tips</c>, and what <c>snapshot revert</c> and <c>snapshot create</c> say about what is left.</summary>
public sealed class TipCommandTests
{
    [Fact]
    public async Task Tips_are_listed_with_where_they_came_from_and_dropped_by_id_age_or_number()
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 4);
        var tips = await TipsAsync(desk);
        Assert.Equal(4, tips.Length);
        Assert.All(tips, t => Assert.Equal("one", t.GetProperty("current").GetProperty("name").GetString()));
        Assert.Contains("kept for ever", (await desk.TypeAsync("tips", "list", "web")).Output, StringComparison.Ordinal);

        await desk.DoAsync($"tips drop web {Id(0)} {Id(2)}");
        Assert.Equal([Id(1), Id(3)], await IdsAsync(desk));
        desk.Pass(TimeSpan.FromHours(2));
        await desk.DoAsync("snapshot revert web one", "tips drop web --older-than 1h");
        Assert.Single(await IdsAsync(desk));
        await desk.DoAsync("snapshot revert web one", "tips drop web --keep-last 1", "tips drop web --keep-last 1");
        Assert.Single(await IdsAsync(desk));
        await desk.DoAsync("tips drop web --all");
        Assert.Contains("no tips", (await desk.TypeAsync("tips", "list", "web")).Output, StringComparison.Ordinal);

        string Id(int index) => tips[index].GetProperty("id").GetString()!;
    }

    [Fact]
    public async Task The_rule_is_shown_and_heeded()
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 3);
        await desk.DoAsync("tips keep web --last 2 --for 7d");
        var rule = (await desk.TypeAsync("show", "web", "--json")).Json.GetProperty("domain").GetProperty("tipRetention");
        Assert.Equal((2, 7d * 24 * 3600 * 1000), (rule.GetProperty("last").GetInt32(), rule.GetProperty("forMs").GetDouble()));
        Assert.Contains("the newest 2, and those of the last 7", (await desk.TypeAsync("tips", "list", "web")).Output, StringComparison.Ordinal);
        await desk.DoAsync("tips keep web --last 2");
        Assert.Contains("warning: tip ", (await desk.TypeAsync("snapshot", "revert", "web", "one")).Error, StringComparison.Ordinal);
        Assert.Equal(2, (await IdsAsync(desk)).Length);
        await desk.DoAsync("tips keep web --forever", "snapshot revert web one");
        Assert.Equal(3, (await IdsAsync(desk)).Length);
    }

    [Fact]
    public async Task A_tip_is_completed_and_returned_to()
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 2);
        var ids = await IdsAsync(desk);
        foreach (var line in new[] { "tips revert web ", "tips drop web ", $"tips drop web {ids[0]} " })
        {
            var offered = await desk.TypeAsync($"[suggest:{line.Length}]", line);
            Assert.Equal(ids.Order(), offered.AsPrinted.Split('\n').Where(s => s.Length == 8 && !s.StartsWith('-')));
        }

        await desk.DoAsync($"tips revert web {ids[0]}");
        Assert.DoesNotContain(ids[0], await IdsAsync(desk));
        Assert.Equal(3, (await desk.TypeAsync("tips", "revert", "web", ids[0])).ExitCode);
    }

    [Fact]
    public async Task Undoing_says_which_tip_was_returned_to_since_the_last_revert_may_have_left_none()
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 2);
        var ids = await IdsAsync(desk);
        var undone = await desk.TypeAsync("snapshot", "undo", "web");
        Assert.Contains($"web: returned to tip {ids[1]}\n", undone.AsPrinted, StringComparison.Ordinal);
        var returned = await desk.TypeAsync("tips", "revert", "web", ids[0]);
        Assert.Contains($"web: returned to tip {ids[0]}\n", returned.AsPrinted, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tips drop web")]
    [InlineData("tips drop web 12345678 --all")]
    [InlineData("tips drop web --all --keep-last 3")]
    [InlineData("tips drop web --older-than 7")]
    [InlineData("tips keep web")]
    [InlineData("tips keep web --last 0")]
    [InlineData("tips keep web --forever --last 3")]
    [InlineData("snapshot revert web one --latest --running")]
    [InlineData("snapshot revert web one --discard-current --checkpoint two")]
    [InlineData("snapshot revert web one --discard-descendants --checkpoint two")]
    [InlineData("snapshot revert web one --checkpoint-memory none")]
    [InlineData("snapshot create web two --checkpoint three")]
    [InlineData("snapshot create web two --current")]
    [InlineData("snapshot create web two --branch one --live")]
    public async Task What_contradicts_itself_is_refused(string line)
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 1);
        Assert.Equal(2, (await desk.TypeAsync(line.Split(' '))).ExitCode);
        Assert.Single(await IdsAsync(desk));
    }

    [Fact]
    public async Task A_branch_is_made_by_option_and_by_document_and_what_is_left_gets_a_name_R153_R161_R162()
    {
        using var desk = new Desk();
        await WithTipsAsync(desk, 1);
        var made = await desk.TypeAsync("snapshot", "create", "web", "two", "--branch", "one");
        Assert.Contains("made snapshot 'two'", made.Output, StringComparison.Ordinal);
        Assert.Equal("one", await desk.NamesAsync("snapshot current web"));
        await desk.DoAsync("snapshot create web three --branch one --current --checkpoint left");
        Assert.Equal("three", await desk.NamesAsync("snapshot current web"));
        await desk.DoAsync("snapshot revert web one --checkpoint left2 --checkpoint-memory none");
        var xml = desk.File("b.xml", "<domainsnapshot><name>four</name><branch>left</branch><memory snapshot='no'/></domainsnapshot>");
        await desk.DoAsync($"snapshot create web --xml {xml} --validate --current");
        Assert.Equal("four", await desk.NamesAsync("snapshot current web"));
        Assert.Equal("two left three", await desk.NamesAsync("snapshot children web one"));
        Assert.Single(await IdsAsync(desk));
    }

    [Theory]
    [InlineData("90s", 90)]
    [InlineData("30m", 1800)]
    [InlineData("12h", 43200)]
    [InlineData("7d", 604800)]
    public void A_time_is_a_whole_number_with_its_unit(string text, int seconds) => Assert.Equal(seconds, Values.Duration(text).TotalSeconds);

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("d")]
    [InlineData("-7d")]
    [InlineData("1.5h")]
    [InlineData("7D")]
    [InlineData("99999999999d")]
    public void What_could_mean_two_things_is_no_time(string text) => Assert.Throws<FormatException>(() => Values.Duration(text));

    private static async Task WithTipsAsync(Desk desk, int tips)
    {
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one");
        for (var i = 0; i < tips; i++)
        {
            await desk.DoAsync("snapshot revert web one");
        }
    }

    private static async Task<string[]> IdsAsync(Desk desk) =>
        [.. (await TipsAsync(desk)).Select(t => t.GetProperty("id").GetString()!)];

    /// <summary>As printed, with the ids that they have.</summary>
    private static async Task<JsonElement[]> TipsAsync(Desk desk) =>
    [
        .. JsonDocument.Parse((await desk.TypeAsync("tips", "list", "web", "--json")).AsPrinted)
            .RootElement.GetProperty("tips").EnumerateArray(),
    ];
}
