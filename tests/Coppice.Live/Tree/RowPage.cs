using System.Collections.Concurrent;
using System.Globalization;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Live.Tree;

/// <summary>
/// The page that shows the matrix, made from what the rows did. <c>COPPICE_PAGE</c> names the file; without it, or if a row is
/// missing, nothing is written.
/// </summary>
internal static class RowPage
{
    private const string Unsupported = "unsupported for now", Invalid = "invalid";

    private static readonly ConcurrentDictionary<(string Rule, string Case), string> s_seen = new();

    // What the designers wrote down in 2012 (S2), by the first rule of a row.
    private static readonly Dictionary<string, string> s_in2012 = new(StringComparer.Ordinal)
    {
        ["R109"] = "qemu-img", ["R110"] = "qemu-img", ["R111"] = Invalid, ["R112"] = "qemu-img", ["R113"] = "qemu-img", ["R114"] = Invalid,
        ["R115"] = "savevm", ["R116"] = "transaction", ["R117"] = Unsupported, ["R118"] = Invalid, ["R119"] = "transaction",
        ["R120"] = "savevm", ["R121"] = Unsupported, ["R122"] = "transaction", ["R123"] = Invalid, ["R124"] = Unsupported,
        ["R125"] = "transaction", ["R126"] = Invalid, ["R127"] = "savevm", ["R128"] = Unsupported, ["R129"] = "savevm",
        ["R130"] = "migrate + transaction", ["R131"] = "migrate", ["R132"] = Unsupported, ["R133"] = "migrate + transaction",
    };

    /// <summary>Whether the page is to be written.</summary>
    public static bool IsWanted => Environment.GetEnvironmentVariable("COPPICE_PAGE") is { Length: > 0 };

    /// <summary>A snapshot was taken.</summary>
    public static void Note(SnapshotRow row, OperationResult created)
    {
        var pause = created.Pause is { } p ? string.Create(CultureInfo.InvariantCulture, $"{p.TotalMilliseconds:0} ms") : "none";
        s_seen[(row.Rule, row.Case)] = $"{created.Plan.Mechanism} | {(row.Active ? created.Mechanism : "qemu-img")} | {pause}";
    }

    /// <summary>A snapshot was refused.</summary>
    public static void Note(SnapshotRow row, CoppiceException refusal) =>
        s_seen[(row.Rule, row.Case)] = $"refused: {refusal.Problem} | |";

    public static async Task WriteAsync()
    {
        if (Environment.GetEnvironmentVariable("COPPICE_PAGE") is not { Length: > 0 } path || s_seen.Count < SnapshotRow.All.Length)
        {
            return;
        }

        string[] lines =
        [
            "# Which combination does what",
            "",
            "<!-- Made by `make page` from tests/Coppice.Live/Tree/RowTests.cs, on a real guest. Do not edit. -->",
            "",
            "`snapshot create` looks at four things: whether the domain is off or active, what was asked of the memory, what was asked",
            "of the disks, and `--disk-only`. *omit* means that nothing was said. A read-only disk and a CD-ROM never take part; disks",
            "may differ from each other. Each row below was asked of a running guest under load (144 MiB, two disks, TCG), which went",
            "on and was put back; the pause is what that one guest saw, so read it as an order of magnitude.",
            "",
            "| row | domain | memory, disks | 2012 | libvirt 12.8 | Coppice | how | pause |",
            "|---|---|---|---|---|---|---|---|",
            .. SnapshotRow.All.Select(Line),
            "",
            "What libvirt 12.8 does is from its refusals: internal disks of a running VM without memory or with memory in a file, memory",
            "inside a disk whose layer moves, and mixtures of internal and external disks.",
            "",
        ];
        await File.WriteAllTextAsync(path, string.Join('\n', lines));
    }

    private static string Line(SnapshotRow row)
    {
        var in2012 = row.Rule.Contains('+', StringComparison.Ordinal) ? "–" : s_in2012[row.Rule];
        var libvirt = row switch
        {
            { Rule: "R117" } or { Rule: "R128", Oracle: RowOracle.ByForce } => "not tried",
            { Oracle: RowOracle.Refused } => "refused",
            _ when in2012 is Unsupported || row.Rule.Contains('+', StringComparison.Ordinal) => "refused",
            _ => "works",
        };
        return $"| {row.Rule} | {(row.Active ? "online" : "offline")} | {row.Case} | {in2012} | {libvirt} | {s_seen[(row.Rule, row.Case)]} |";
    }
}
