using System.Text;
using Coppice.Files;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>A page that grows with the commands that are run: each with what it printed.</summary>
internal sealed class LifePage(CliHome cli, LiveDomain domain)
{
    private readonly StringBuilder _text = new(
        """
        # The life of a tree

        <!-- Made by `make page` from tests/Coppice.Live/Cli/LifePageTests.cs, on a real guest. Do not edit. -->

        One VM that never stops, and what became of it: each command with what it printed. `○` is a snapshot, `●` the VM as it is now, `◌` a
        tip, what a revert left. The guest is a small one (144 MiB) under TCG, on a busy machine; a test lives through all of it again.

        """);

    public void Head(string title, string text) => _text.Append('\n').Append("## ").Append(title).Append('\n').Append(text).Append('\n');

    public void Say(string text) => _text.Append('\n').Append(text).Append('\n');

    public Task TreeAsync() => RunAsync("snapshot tree web");

    /// <summary>Runs a command that must succeed, and notes what it printed.</summary>
    public async Task RunAsync(string command)
    {
        var output = await cli.DoAsync(command.Split(' '));
        var lines = output.Replace(domain.Folder, "/srv", StringComparison.Ordinal).Split('\n').Select(l => l.TrimEnd());
        _text.Append("\n```\n$ coppice ").Append(command).Append('\n').Append(string.Join('\n', lines).TrimEnd()).Append("\n```\n");
    }

    /// <summary>The layers and memory images of the domain, and how many names each file has.</summary>
    public async Task FilesAsync()
    {
        var folder = (await domain.Home.ShowAsync("web", TestContext.Current.CancellationToken)).Folder.Path;
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
            .Where(f => Path.GetExtension(f) is ".qcow2" or ".mem").Order(StringComparer.Ordinal)
            .Select(f => (Name: Path.GetFileName(f), FileSystem.Look(f)!.Links))
            .Select(f => $"{f.Links,2} {(f.Links == 1 ? "name " : "names")}  {f.Name}");
        _text.Append("\n```\n").AppendJoin('\n', files).Append("\n```\n");
    }

    public override string ToString() => _text.ToString();
}
