using System.Globalization;
using System.Text;

namespace Coppice.Live.Peers;

/// <summary>docs/virsh.md: what virsh says to both, for users.</summary>
public sealed class VirshPage(VirshVerdict verdict)
{
    private const char Same = ' ', Meant = '≠', NotYet = '…';

    private readonly StringBuilder _text = new();
    private readonly List<KnownDifference> _notYet = [.. verdict.Seen.Where(k => k.Reason == KnownDifference.NotYet)];

    public override string ToString()
    {
        _text.Clear();
        Introduce();
        Count();
        Explain();
        List();
        return _text.ToString();
    }

    private static string Clients => string.Join(" and ", VirshClient.All.Select(c => c.Version));

    private void Introduce() => _text.Append(CultureInfo.InvariantCulture, $"""
        # What virsh says to Coppice and to libvirt

        <!-- Made by `make page` from tests/Coppice.Live/Peers, by what both answered. Do not edit. -->

        `coppice serve --socket PATH` answers unmodified libvirt clients: `virsh -c 'qemu+unix:///system?socket=PATH'`. Each command below was
        run by virsh {Clients} against libvirtd 9.0 and against Coppice, in the same order, with the same guests; exit code and output were
        compared word for word. Left out are only uuids and ids that were made up, times, counters, file sizes, and the width of tables.
        The commands are in `tests/Coppice.Live/Peers/virsh/commands.txt`; a test runs all of them again, and fails when something
        differs that is not on this page, or when something on this page does not differ any more.


        """);

    private void Count()
    {
        _text.Append("| chapter | commands | the same | different, as described below | to become the same |\n|---|---|---|---|---|\n");
        foreach (var chapter in verdict.Pairs.GroupBy(p => p.Libvirt.Chapter.Title))
        {
            var marks = Lines(chapter).Select(l => l.Mark).ToList();
            _text.Append(CultureInfo.InvariantCulture, $"| {chapter.Key} | {marks.Count} ");
            _text.AppendJoin("", new[] { Same, Meant, NotYet }.Select(mark => $"| {marks.Count(m => m == mark)} ")).Append("|\n");
        }
    }

    private void Explain()
    {
        _text.Append("\n## What differs, and why\n\n`-` is what only libvirt says, `+` what only Coppice says, `~` what they say in other words, `exit` their exit codes; `*` stands for anything.\n");
        foreach (var reason in verdict.Seen.Where(k => k.Reason != KnownDifference.NotYet).GroupBy(k => k.Reason))
        {
            _text.Append('\n').Append(reason.Key).Append("\n\n```diff\n");
            foreach (var command in reason.GroupBy(k => k.Command))
            {
                _text.Append("  ").Append(command.Key).Append('\n').AppendJoin('\n', command.Select(k => k.Change)).Append('\n');
            }

            _text.Append("```\n");
        }
    }

    private void List()
    {
        _text.Append("\n## All commands\n\nWith the exit code of virsh against libvirt. `≠` marks what differs as described above, `…` what differs and is to become the same.\n");
        foreach (var chapter in verdict.Pairs.GroupBy(p => p.Libvirt.Chapter.Title))
        {
            _text.Append("\n### ").Append(chapter.Key).Append("\n\n```\n");
            foreach (var (pair, mark) in Lines(chapter))
            {
                _text.Append(CultureInfo.InvariantCulture, $"{pair.Libvirt.ExitCode,3} {mark} {pair.Command}\n");
            }

            _text.Append("```\n");
        }
    }

    // What is said to one virsh may differ and to another not.
    private IEnumerable<(VirshPair Pair, char Mark)> Lines(IEnumerable<VirshPair> chapter)
    {
        var clients = chapter.GroupBy(p => p.Client).Select(c => c.ToList()).ToList();
        return clients[0].Select((pair, i) => (
            pair, _notYet.Any(k => k.IsAbout(pair)) ? NotYet : clients.All(c => c[i].Changes.IsEmpty) ? Same : Meant));
    }
}
