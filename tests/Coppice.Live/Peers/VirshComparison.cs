using System.Collections.Immutable;

namespace Coppice.Live.Peers;

/// <summary>What two peers answered to the same line, and the lines that only one of them said.</summary>
/// <param name="Client">Which virsh asked.</param>
/// <param name="Libvirt">The answer of libvirtd.</param>
/// <param name="Coppice">The other one's.</param>
/// <param name="Changes">
/// What differs: <c>exit 0 1</c> if they ended differently, <c>- line</c> for what only libvirtd said, <c>+ line</c> for what only
/// the other one said, <c>~ line => line</c> for errors of one class in different words.
/// </param>
public sealed record VirshPair(VirshClient Client, VirshAnswer Libvirt, VirshAnswer Coppice, ImmutableArray<string> Changes)
{
    public string Command => Libvirt.Line.Text;

    public override string ToString() =>
        $"{Libvirt.Chapter.Title}: virsh {Client.Version}: {Command}\n{string.Concat(Changes.Select(c => $"    {c}\n"))}";
}

/// <summary>Two peers compared, line by line.</summary>
public static class VirshComparison
{
    // What libvirt's clients begin a message with, by the code of the error: programs see the code, people the words.
    private static readonly string[] s_classes =
    [
        .. from name in (string[])
        [
            "internal error", "invalid argument", "operation failed", "Requested operation is not valid", "unsupported configuration",
            "Operation not supported", "argument unsupported", "XML error", "Domain not found", "Domain snapshot not found",
            "Domain checkpoint not found", "Domain backup job id not found", "Storage pool not found", "Storage volume not found",
            "Network not found", "Interface not found", "Node device not found", "Secret not found", "Network filter not found",
            "this function is not supported by the connection driver", "Timed out during operation", "block copy still active",
            "XML document failed to validate against schema", "metadata not found", "revert requires force",
        ]
        select $"error: {name}: ",
        "error: Cannot access storage file ",
    ];

    public static ImmutableArray<VirshPair> Compare(
        VirshClient client, ImmutableArray<VirshAnswer> libvirt, ImmutableArray<VirshAnswer> coppice) =>
        [.. libvirt.Zip(coppice, (l, c) => new VirshPair(client, l, c, [.. Changes(l, c)]))];

    private static IEnumerable<string> Changes(VirshAnswer libvirt, VirshAnswer coppice) =>
        (libvirt.ExitCode == coppice.ExitCode ? [] : (string[])[$"exit {libvirt.ExitCode} {coppice.ExitCode}"])
        .Concat(Difference(libvirt.Text, coppice.Text));

    /// <summary>What is left of both when the longest common subsequence is taken out.</summary>
    private static List<string> Difference(ImmutableArray<string> left, ImmutableArray<string> right)
    {
        var (leftKeys, rightKeys) = (left.Select(Key).ToArray(), right.Select(Key).ToArray());
        var common = new int[left.Length + 1, right.Length + 1];
        for (var i = left.Length - 1; i >= 0; i--)
        {
            for (var j = right.Length - 1; j >= 0; j--)
            {
                common[i, j] = leftKeys[i] == rightKeys[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        var changes = new List<string>();
        for (int i = 0, j = 0; i < left.Length || j < right.Length;)
        {
            if (i < left.Length && j < right.Length && leftKeys[i] == rightKeys[j])
            {
                if (left[i] != right[j])
                {
                    changes.Add($"~ {left[i]} => {right[j]}");
                }

                (i, j) = (i + 1, j + 1);
            }
            else if (j == right.Length || (i < left.Length && common[i + 1, j] >= common[i, j + 1]))
            {
                changes.Add($"- {left[i++]}");
            }
            else
            {
                changes.Add($"+ {right[j++]}");
            }
        }

        return changes;
    }

    private static string Key(string line) => s_classes.FirstOrDefault(c => line.StartsWith(c, StringComparison.Ordinal)) ?? line;
}
