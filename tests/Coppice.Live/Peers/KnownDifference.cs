using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Coppice.Live.Peers;

/// <summary>A difference that is meant.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Command">The commands, or <c>chapter: commands</c>; <c>*</c> stands for anything.</param>
/// <param name="Change">What differs, as in <see cref="VirshPair.Changes"/>; <c>*</c> stands for anything.</param>
public sealed record KnownDifference(string Reason, string Command, string Change)
{
    private readonly Regex _command = Glob(Command), _change = Glob(Change);

    public bool IsAbout(VirshPair pair) => _command.IsMatch(pair.Command) || _command.IsMatch($"{pair.Libvirt.Chapter.Title}: {pair.Command}");

    public bool Explains(VirshPair pair, string change) => _change.IsMatch(change) && IsAbout(pair);

    /// <summary>What is to become the same.</summary>
    public const string NotYet = "These are to become the same.";

    private static readonly string s_meant = Path.Combine(VirshScript.Folder, "differences.txt"), s_notYet = Path.Combine(VirshScript.Folder, "not-yet.txt");

    /// <summary>Those of <c>virsh/differences.txt</c>: a reason after <c>=</c>, then <c>command :: change</c> a line.</summary>
    public static ImmutableArray<KnownDifference> ReadMeant()
    {
        var (known, reason) = (new List<KnownDifference>(), "");
        foreach (var line in Lines(s_meant))
        {
            if (line.StartsWith("= ", StringComparison.Ordinal))
            {
                reason = line[2..];
                continue;
            }

            var parts = line.Split(" :: ", 2);
            Assert.True(parts.Length == 2 && reason.Length > 0, $"differences.txt: {line}");
            known.Add(new KnownDifference(reason, parts[0].Trim(), parts[1].TrimEnd()));
        }

        return [.. known];
    }

    /// <summary>Those of <c>virsh/not-yet.txt</c>: <c>chapter: command</c> a line.</summary>
    public static ImmutableArray<KnownDifference> ReadNotYet() => [.. Lines(s_notYet).Select(l => new KnownDifference(NotYet, l, "*"))];

    /// <summary>Writes what is left for later.</summary>
    public static Task WriteNotYetAsync(IEnumerable<VirshPair> pairs) => File.WriteAllLinesAsync(
        s_notYet,
        pairs.Select(p => $"{p.Libvirt.Chapter.Title}: {p.Command}").Distinct()
            .Prepend("# What differs from libvirt and is to become the same, by chapter and command. Made by `make page`; it should only become shorter."));

    private static IEnumerable<string> Lines(string path) => File.ReadLines(path).Where(l => l.Length > 0 && l[0] != '#');

    private static Regex Glob(string pattern) =>
        new($"^{Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal)}$", RegexOptions.Singleline | RegexOptions.CultureInvariant);
}
