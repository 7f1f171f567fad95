namespace Coppice.Tests.Cli;

/// <summary>What <c>prune</c> prints, asks and deletes.</summary>
public sealed class PruneCommandTests : IDisposable
{
    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task What_stays_is_told_with_why_and_the_rest_is_deleted_leaves_first()
    {
        await _desk.StartAsync();
        await _desk.DoAsync(
            "snapshot create web one", "snapshot create web two", "snapshot create web three", "snapshot revert web one --discard-current --yes",
            "snapshot create web four", "snapshot current web one");
        var planned = await _desk.TypeAsync("prune", "web", "--keep-last", "1", "--plan");
        Assert.Equal(0, planned.ExitCode);
        Assert.Matches(@"stays +one .* current\n", planned.Output);
        Assert.Matches(@"goes +two [^\n]*\ngoes +three ", planned.Output);
        Assert.Matches(@"stays +four .* last\n", planned.Output);
        Assert.Equal("one two three four", await _desk.NamesAsync("snapshot list web --name"));

        _desk.IsTerminal = true;
        var asked = await _desk.TypeAsync("n\n", ["prune", "web", "--keep-last", "1"]);
        Assert.Equal(130, asked.ExitCode);
        Assert.Contains("Delete 2 of 4 snapshots of 'web'? [y/N]", asked.Error, StringComparison.Ordinal);
        _desk.IsTerminal = false;
        var pruned = await _desk.TypeAsync("prune", "web", "--keep-last", "1", "--json");
        Assert.Equal((0, 2), (pruned.ExitCode, pruned.Json.GetProperty("results").GetArrayLength()));
        Assert.Equal("one four", await _desk.NamesAsync("snapshot list web --name"));
        Assert.Equal(4, pruned.Json.GetProperty("pruned").GetArrayLength());
        Assert.Equal(2, (await _desk.TypeAsync("prune", "web")).ExitCode);
    }
}
