using System.Collections.Immutable;
using Coppice.Live.Witness;

namespace Coppice.Live.Peers;

/// <summary>How a line of the script is run.</summary>
public enum VirshLineKind
{
    /// <summary>A virsh of its own, which is waited for.</summary>
    Command,

    /// <summary>A virsh that runs beside the lines that follow.</summary>
    Beside,

    /// <summary>The end of the one that runs beside.</summary>
    Interrupt,

    /// <summary>A command of the shell.</summary>
    Shell,
}

/// <summary>One line of the script.</summary>
/// <param name="Kind">How it is run.</param>
/// <param name="Topic">What it is about.</param>
/// <param name="Text">The command as the page shows it.</param>
/// <param name="Editor">What virsh edits with, or null.</param>
/// <param name="Arguments">What virsh is given.</param>
public sealed record VirshLine(VirshLineKind Kind, string Topic, string Text, string? Editor, ImmutableArray<string> Arguments);

/// <summary>Lines that belong together: they begin with new disks and without domains.</summary>
public sealed record VirshChapter(string Title, ImmutableArray<VirshLine> Lines);

/// <summary>The commands of <c>virsh/commands.txt</c>, and the documents that they name.</summary>
public static class VirshScript
{
    private const string EditorPrefix = "EDITOR=";

    public static string Folder { get; } = Path.Combine(WitnessGuest.RepositoryRoot(), "tests/Coppice.Live/Peers/virsh");

    public static ImmutableArray<VirshChapter> Read()
    {
        var chapters = new List<(string Title, List<VirshLine> Lines)>();
        foreach (var line in File.ReadLines(Path.Combine(Folder, "commands.txt")).Where(l => l.Length > 0 && l[0] != '#'))
        {
            if (line.StartsWith("= ", StringComparison.Ordinal))
            {
                chapters.Add((line[2..], []));
            }
            else
            {
                chapters[^1].Lines.Add(ReadLine(line));
            }
        }

        return [.. chapters.Select(c => new VirshChapter(c.Title, [.. c.Lines]))];
    }

    /// <summary>Writes all documents into a folder, which is what <c>@</c> in them stands for.</summary>
    public static void WriteDocuments(string folder)
    {
        var documents = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var section in File.ReadAllText(Path.Combine(Folder, "documents.txt")).Split("=== ")[1..])
        {
            var lines = section.TrimEnd().Split('\n');
            documents[lines[0]] = string.Join('\n', lines[1..].Select(l => l.StartsWith('%') ? Include(l[1..].Split(" :: "), documents) : l));
        }

        foreach (var (name, text) in documents)
        {
            File.WriteAllText(Path.Combine(folder, name), text.Replace("@", folder, StringComparison.Ordinal) + "\n");
        }
    }

    private static string Include(string[] parts, Dictionary<string, string> documents) =>
        parts[1..].Select(p => p.Split(" => ")).Aggregate(documents[parts[0]], (text, change) => text.Replace(change[0], change[1], StringComparison.Ordinal));

    private static VirshLine ReadLine(string line)
    {
        var isBeside = line[0] == '&';
        var words = Words(isBeside ? line[1..] : line).ToList();
        var topic = words[0];
        var text = line[(line.IndexOf(topic, StringComparison.Ordinal) + topic.Length)..].Trim();
        words.RemoveAt(0);
        if (topic == "interrupt")
        {
            return new VirshLine(VirshLineKind.Interrupt, "events", "", null, []);
        }

        if (words[0] == "$")
        {
            return new VirshLine(VirshLineKind.Shell, topic, text, null, [text[2..]]);
        }

        var editor = words[0].StartsWith(EditorPrefix, StringComparison.Ordinal) ? words[0][EditorPrefix.Length..] : null;
        return new VirshLine(
            isBeside ? VirshLineKind.Beside : VirshLineKind.Command, topic, text, editor, [.. editor is null ? words : words[1..]]);
    }

    // Words as a shell takes them apart, with single quotes.
    private static IEnumerable<string> Words(string text)
    {
        var word = new System.Text.StringBuilder();
        var (isQuoted, isWord) = (false, false);
        foreach (var c in text + ' ')
        {
            if (c == '\'')
            {
                (isQuoted, isWord) = (!isQuoted, true);
            }
            else if (c != ' ' || isQuoted)
            {
                word.Append(c);
                isWord = true;
            }
            else if (isWord)
            {
                yield return word.ToString();
                word.Clear();
                isWord = false;
            }
        }
    }
}
