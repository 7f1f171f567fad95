using System.Text.Json;
using Coppice.Contracts.Fakes;

namespace Coppice.Tests.Cli;

/// <summary><c>snapshot import</c>, typed.</summary>
public sealed class ImportCommandTests
{
    [Fact]
    public async Task What_somebody_else_took_is_in_the_tree_with_what_his_documents_say_of_it()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        var image = desk.Host.State.Images.Keys.Single();
        foreach (var (tag, minutes) in new[] { ("base", 1), ("later", 2) })
        {
            desk.Host.State = desk.Host.State.With(image, i => i with
            {
                Internals = i.Internals.Add(tag, new FakeInternal(i.Blocks, null) { TakenAt = DateTimeOffset.UnixEpoch.AddMinutes(minutes) }),
            });
        }

        var planned = await desk.TypeAsync("snapshot", "import", "web", "--from-image", "--plan");
        Assert.Contains("adopt base, later", planned.Output, StringComparison.Ordinal);
        Assert.Equal("", await desk.NamesAsync("snapshot list web --name"));

        var domain = JsonDocument.Parse((await desk.TypeAsync("show", "web", "--json")).AsPrinted)
            .RootElement.GetProperty("domain").GetProperty("id").GetString()!;

        // Two files behind one option, as a shell writes out DOMAIN/*.xml.
        var typed = await desk.TypeAsync(
            "snapshot", "import", "web", "--from-image", "--xml", desk.File("1.xml", Document("base", domain)),
            desk.File("2.xml", Document("later", domain)));
        Desk.Succeeded(typed);
        Assert.StartsWith("web: what others took is in the tree\n", typed.Output, StringComparison.Ordinal);
        Assert.Equal("base later", await desk.NamesAsync("snapshot list web --roots --name"));
        var shown = (await desk.TypeAsync("snapshot", "show", "web", "base", "--json")).Json.GetProperty("snapshot");
        Assert.Equal(
            ("words", "internal", "exact"),
            (shown.GetProperty("description").GetString(), shown.GetProperty("place").GetString(), shown.GetProperty("consistency").GetString()));
        Assert.Equal(3, (await desk.TypeAsync("snapshot", "import", "web", "--from-image")).ExitCode);
    }

    private static string Document(string name, string domain) => $"""
        <domainsnapshot>
          <name>{name}</name><description>words</description><state>shutoff</state><creationTime>1</creationTime>
          <disks><disk name='vda' snapshot='internal'/></disks><domain><uuid>{domain}</uuid></domain>
        </domainsnapshot>
        """;
}
