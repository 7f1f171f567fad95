using System.Text;
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

    public override string ToString() => _text.ToString();
}
