using System.Text.Json;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

public sealed class JournalTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("coppice-journal-").FullName;

    private DomainFolder Folder => new HomeFolder(_root).Domain(new DomainId(Guid.Empty));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_journal_tells_the_plan_and_how_far_it_came()
    {
        var path = Write();
        using var read = Journal.Open(path)!;

        Assert.Equal("prepare 1", read.Plan.Prepare[1].Summary);
        Assert.Equal(JournalMark.Applied, read[0]);
        Assert.Equal(JournalMark.Intended, read[1]);
        Assert.Null(read[2]);
        Assert.False(read.IsCommitted);
    }

    [Fact]
    public void A_tail_torn_at_any_byte_is_dropped_and_overwritten()
    {
        var path = Write();
        var whole = File.ReadAllBytes(path);
        var line = whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1;
        for (var length = line; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            using (var torn = Journal.Open(path)!)
            {
                Assert.Equal(JournalMark.Applied, torn[0]);
                Assert.Null(torn[1]);
                torn.Write(JournalMark.Undone, 0);
            }

            using var again = Journal.Open(path)!;
            Assert.Equal(JournalMark.Undone, again[0]);
        }
    }

    [Fact]
    public void A_tail_of_zeros_or_of_flipped_bits_is_dropped()
    {
        var path = Write();
        var whole = File.ReadAllBytes(path);
        var line = whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1;
        for (var i = line; i < whole.Length; i++)
        {
            var flipped = whole.ToArray();
            flipped[i] ^= 1;
            File.WriteAllBytes(path, flipped);
            using var torn = Journal.Open(path)!;
            Assert.Null(torn[1]);
        }

        File.WriteAllBytes(path, [.. whole[..line], .. new byte[4096]]);
        using var zeros = Journal.Open(path)!;
        Assert.Equal(JournalMark.Applied, zeros[0]);
    }

    [Fact]
    public void Without_a_whole_plan_nothing_was_done()
    {
        var path = Write();
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length <= Array.IndexOf(whole, (byte)'\n'); length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Null(Journal.Open(path));
        }
    }

    [Fact]
    public void A_broken_line_before_whole_ones_is_damage()
    {
        var path = Write();
        var lines = File.ReadAllLines(path);
        lines[1] = lines[1].Replace("intended", "applied", StringComparison.OrdinalIgnoreCase);
        File.WriteAllLines(path, lines);
        Assert.Equal(ErrorKind.Damaged, Assert.Throws<CoppiceException>(() => Journal.Open(path)).Kind);
    }

    private string Write()
    {
        using var journal = Journal.Create(Folder, new Plan
        {
            Id = new ShortId("12345678"),
            Operation = "test",
            Domain = new DomainId(Guid.Empty),
            Mechanism = "none",
            Prepare = [StepOf("prepare 0"), StepOf("prepare 1"), StepOf("prepare 2")],
        });
        journal.Note(JournalMark.Applied, 0);
        journal.Write(JournalMark.Intended, 1);
        return journal.Path;
    }

    private static Step StepOf(string summary) => new()
    {
        Kind = "test.step",
        Summary = summary,
        Undo = StepUndo.Exact,
        Arguments = JsonDocument.Parse("{\"a\":[1,2]}").RootElement,
    };
}
