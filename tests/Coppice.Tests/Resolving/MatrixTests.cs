using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Resolving;

/// <summary>
/// The matrix, row by row. A request is written as in the table: memory, then the asks of vda and vdb; <c>-</c> leaves it
/// open. An outcome is written the same way; <c>invalid</c> is a refusal of the row itself.
/// </summary>
public sealed class MatrixTests
{
    private static readonly bool[] s_flags = [false, true];

    public static TheoryData<string, string, string, bool?, string> Rows => new()
    {
        // rule, domain, "memory vda vdb", disk-only (null: either), "memory vda vdb"
        { "R109", "off", "- - -", null, "no int int" },
        { "R109", "off", "- no -", null, "no no int" },
        { "R110", "off", "no - -", null, "no int int" },
        { "R111", "off", "- no no", null, "invalid" },
        { "R111", "off", "no no no", null, "invalid" },
        { "R112", "off", "- int int", null, "no int int" },
        { "R112", "off", "no int -", null, "no int int" },
        { "R112", "off", "- int no", null, "no int no" },
        { "R113", "off", "- ext ext", null, "no ext ext" },
        { "R113", "off", "no ext -", null, "no ext ext" },
        { "R113", "off", "no no ext", null, "no no ext" },
        { "R112+R113", "off", "- int ext", null, "no int ext" },
        { "R114", "off", "int - -", null, "invalid" },
        { "R114", "off", "ext ext ext", null, "invalid" },
        { "R114", "off", "ext no int", null, "invalid" },
        { "R115", "on", "- - -", false, "int int int" },
        { "R115", "on", "- no -", false, "int no int" },
        { "R116", "on", "- - -", true, "no ext ext" },
        { "R117", "on", "- no no", false, "ext no no" },
        { "R117", "on", "- ext -", false, "ext ext ext" },
        { "R117", "on", "- ext no", false, "ext ext no" },
        { "R117+R120", "on", "- int ext", false, "ext int ext" },
        { "R118", "on", "- no no", true, "invalid" },
        { "R119", "on", "- ext -", true, "no ext ext" },
        { "R119", "on", "- no ext", true, "no no ext" },
        { "R119+R121", "on", "- int ext", true, "no int ext" },
        { "R120", "on", "- int -", false, "int int int" },
        { "R120", "on", "- int no", false, "int int no" },
        { "R121", "on", "- int -", true, "no int int" },
        { "R121", "on", "- int no", true, "no int no" },
        { "R122", "on", "no - -", null, "no ext ext" },
        { "R123", "on", "no no no", null, "invalid" },
        { "R124", "on", "no int -", null, "no int int" },
        { "R125", "on", "no ext no", null, "no ext no" },
        { "R124+R125", "on", "no ext int", null, "no ext int" },
        { "R126", "on", "int - -", true, "invalid" },
        { "R126", "on", "ext ext ext", true, "invalid" },
        { "R126", "on", "ext no int", true, "invalid" },
        { "R127", "on", "int - -", false, "int int int" },
        { "R128", "on", "int no no", false, "int no no" },
        { "R128", "on", "int ext -", false, "int ext ext" },
        { "R128", "on", "int no ext", false, "int no ext" },
        { "R129", "on", "int int -", false, "int int int" },
        { "R128+R129", "on", "int int ext", false, "int int ext" },
        { "R130", "on", "ext - -", false, "ext ext ext" },
        { "R130", "on", "ext no -", false, "ext no ext" },
        { "R131", "on", "ext no no", false, "ext no no" },
        { "R132", "on", "ext int -", false, "ext int int" },
        { "R132", "on", "ext no int", false, "ext no int" },
        { "R133", "on", "ext ext -", false, "ext ext ext" },
        { "R133", "on", "ext no ext", false, "ext no ext" },
        { "R132+R133", "on", "ext int ext", false, "ext int ext" },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_driver_that_can_do_everything_follows_the_matrix(
        string rule, string domain, string asked, bool? diskOnly, string expected)
    {
        DomainState[] states = domain == "off"
            ? [DomainState.Off]
            : [.. Enum.GetValues<DomainState>().Where(s => s != DomainState.Off)];
        foreach (var state in states)
        {
            foreach (var flag in s_flags.Where(f => (diskOnly ?? f) == f))
            {
                var outcome = Outcome(new Scene { State = state }, asked, flag);
                Assert.Equal(expected == "invalid" ? "invalid" : $"{rule}: {expected}", outcome);
            }
        }
    }

    [Theory]
    [InlineData("off", "- - -", "R109: no ext ext")]
    [InlineData("off", "no - no", "R110: no ext no")]
    [InlineData("off", "- ext ext", "R113: no ext ext")]
    [InlineData("off", "- int -", "lacks OfflineInternalDisk")]
    [InlineData("off", "- int ext", "lacks OfflineInternalDisk")]
    [InlineData("on", "- - -", "R115: ext ext ext")]
    [InlineData("on", "- ext no", "R117: ext ext no")]
    [InlineData("on", "- no no", "R117: ext no no")]
    [InlineData("on", "- int -", "lacks InternalMemory")]
    [InlineData("on", "no - -", "lacks OnlineExternalDiskOnly")]
    [InlineData("on", "no int int", "lacks OnlineInternalDiskOnly")]
    [InlineData("on", "int - -", "lacks InternalMemory")]
    [InlineData("on", "int ext ext", "lacks InternalMemory")]
    [InlineData("on", "ext - -", "R130: ext ext ext")]
    [InlineData("on", "ext no no", "R131: ext no no")]
    [InlineData("on", "ext ext ext", "R133: ext ext ext")]
    [InlineData("on", "ext int int", "lacks ExternalMemoryInternalDisk")]
    [InlineData("on", "ext int ext", "lacks ExternalMemoryInternalDisk")]
    [InlineData("on", "ext manual ext", "lacks ManualDisk")]
    public void What_was_left_open_falls_to_what_the_driver_can_do_and_what_was_asked_is_refused(
        string domain, string asked, string expected)
    {
        var scene = new Scene
        {
            State = domain == "off" ? DomainState.Off : DomainState.Running,
            Capabilities = [Capability.OfflineExternalDisk, Capability.ExternalMemory],
        };

        Assert.Equal(expected, Outcome(scene, asked, diskOnly: false));
    }

    [Theory]
    [InlineData("- - -", "R115: ext ext ext")]
    [InlineData("- int -", "R120: ext int int")]
    [InlineData("- int int", "R120: ext int int")]
    [InlineData("int - -", "R127: int int int")]
    [InlineData("- ext ext", "R117: ext ext ext")]
    public void Memory_that_was_left_open_goes_where_it_is_cloned(string asked, string expected) =>
        Assert.Equal(expected, Outcome(new Scene { IsMapped = true }, asked, diskOnly: false));

    [Fact]
    public void Exactly_one_row_matches_any_combination()
    {
        Activities[] domains = [Activities.Offline, Activities.Online, Activities.Saved];
        MemoryAsks[] memories = [MemoryAsks.Omitted, MemoryAsks.None, MemoryAsks.Internal, MemoryAsks.External];
        DiskAsks[] diskAsks = [DiskAsks.Omitted, DiskAsks.None, DiskAsks.Internal, DiskAsks.External, DiskAsks.Mixed];
        var rows = from domain in domains
            from memory in memories
            from disks in diskAsks
            from diskOnly in s_flags
            select SnapshotMatrix.Find(domain, memory, disks, diskOnly);

        Assert.All(rows, row => Assert.Equal(row.Choices.IsEmpty, row.Refusal is not null));
    }

    [Fact]
    public void Every_rule_from_R109_to_R133_has_a_row_here_and_in_the_matrix()
    {
        var rules = Enumerable.Range(109, 25).Select(n => $"R{n}").ToHashSet();

        Assert.Superset(rules, SnapshotMatrix.Rows.Select(r => r.Rule).ToHashSet());
        Assert.Superset(rules, Rows.Select(r => r.Data.Item1).ToHashSet());
    }

    [Fact]
    public void Every_request_with_every_set_of_capabilities_is_resolved_as_asked_or_refused_by_kind()
    {
        ImmutableArray<Capability> offline =
            [Capability.OfflineExternalDisk, Capability.OfflineInternalDisk, Capability.MixedDisks];
        ImmutableArray<Capability> online =
        [
            Capability.OnlineExternalDiskOnly, Capability.OnlineInternalDiskOnly,
            Capability.ExternalMemory, Capability.InternalMemory,
            Capability.ExternalMemoryInternalDisk, Capability.InternalMemoryExternalDisk, Capability.MixedDisks,
        ];
        foreach (var held in Subsets(offline))
        {
            AssertEveryRequest(new Scene { State = DomainState.Off, Capabilities = held });
        }

        foreach (var held in Subsets(online))
        {
            AssertEveryRequest(new Scene { State = DomainState.Running, Capabilities = held });
        }
    }

    private static IEnumerable<ImmutableHashSet<Capability>> Subsets(ImmutableArray<Capability> all) =>
        Enumerable.Range(0, 1 << all.Length).Select(set => all.Where((_, i) => (set & (1 << i)) != 0).ToImmutableHashSet());

    private static void AssertEveryRequest(Scene scene)
    {
        string[] modes = ["-", "no", "int", "ext"];
        var requests = from memory in modes
            from vda in modes
            from vdb in modes
            from flag in s_flags
            select ($"{memory} {vda} {vdb}", flag);
        foreach (var (asked, diskOnly) in requests)
        {
            var outcome = Outcome(scene, asked, diskOnly);
            if (outcome.StartsWith('R'))
            {
                var got = outcome.Split(": ")[1].Split(' ');
                Assert.All(asked.Split(' ').Zip(got), pair => Assert.True(pair.First == "-" || pair.First == pair.Second, outcome));
            }
            else if (outcome.StartsWith("lacks", StringComparison.Ordinal))
            {
                Assert.DoesNotContain(Enum.Parse<Capability>(outcome["lacks ".Length..]), scene.Capabilities);
            }
        }
    }

    internal static string Outcome(Scene scene, string asked, bool diskOnly)
    {
        var words = asked.Split(' ');
        var request = new CreateSnapshot("web")
        {
            Memory = words[0] == "-" ? null : new MemoryRequest(Memory(words[0])),
            Disks =
            [
                .. from pair in words.Skip(1).Zip(scene.Disks)
                   where pair.First != "-"
                   select new DiskRequest(pair.Second.Target, Mode(pair.First)),
            ],
            DiskOnly = diskOnly,
        };
        try
        {
            var resolved = scene.Resolve(request);
            var disks = string.Join(' ', resolved.Disks.Select(d => Word(d.Mode)));
            return $"{resolved.Rule}: {Word(Enum.Parse<DiskMode>(resolved.Memory.Mode.ToString()))} {disks}";
        }
        catch (CoppiceException e) when (e.Kind == ErrorKind.InvalidInput)
        {
            return "invalid";
        }
        catch (CoppiceException e) when (e.Kind == ErrorKind.MissingCapability)
        {
            return $"lacks {e.Problem.Split(' ')[^1]}";
        }
    }

    private static MemoryMode Memory(string word) =>
        word switch { "no" => MemoryMode.None, "int" => MemoryMode.Internal, _ => MemoryMode.External };

    private static DiskMode Mode(string word) =>
        word switch { "no" => DiskMode.None, "int" => DiskMode.Internal, "ext" => DiskMode.External, _ => DiskMode.Manual };

    private static string Word(DiskMode mode) =>
        mode switch { DiskMode.None => "no", DiskMode.Internal => "int", DiskMode.External => "ext", _ => "manual" };
}
