using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// The journal of one operation: its whole plan, then a line for whatever happens. A line is its CRC-32C in eight hex
/// digits, a space, and JSON, so that one that a crash tore is known and dropped. It exists only while the operation is
/// unfinished.
/// <para>
/// Removing a journal is not flushed: the next one is made in the same folder, and flushing that folder comes before its
/// operation acts. Until then the catalog cannot have changed, and settling the same operation again changes nothing.
/// </para>
/// </summary>
internal sealed class Journal : IDisposable
{
    private const int Version = 5;
    private const int MaximumLength = 64 << 20;

    private readonly Dictionary<int, JournalMark> _marks = [];
    private AppendFile? _file;
    private long _length;
    private bool _unflushed;

    private Journal(string path, Plan plan)
    {
        Path = path;
        Plan = plan;
    }

    public string Path { get; }

    public Plan Plan { get; }

    /// <summary>The operation is known to stand.</summary>
    public bool IsCommitted { get; private set; }

    /// <summary>What is known of a step; null if it was never begun.</summary>
    public JournalMark? this[int step] => _marks.TryGetValue(step, out var mark) ? mark : null;

    /// <summary>Begins a journal with the plan in it and the intent of its first step: durable on return.</summary>
    public static Journal Create(DomainFolder folder, Plan plan)
    {
        DurableFolder.Create(folder.Journals);
        var path = $"{folder.Journals}/{plan.Id}.jsonl";
        var journal = new Journal(path, plan) { _file = AppendFile.Create(path) };
        try
        {
            journal.Append(new JournalHeader(Version, plan), EngineJson.Line<JournalHeader>());
            if (plan.StepsBeforeCommit > 0)
            {
                journal.Note(JournalMark.Intended, 0);
            }

            journal.Flush();
            DurableFolder.Flush(folder.Journals);
            return journal;
        }
        catch (FileException)
        {
            journal.Remove();
            throw;
        }
    }

    /// <summary>Reads what a crash left; null if not even the plan was written, in which case nothing was done.</summary>
    /// <exception cref="CoppiceException">It is broken, not torn (<see cref="ErrorKind.Damaged"/>).</exception>
    public static Journal? Open(string path)
    {
        var content = DurableFile.ReadBounded(path, MaximumLength);
        Journal? journal = null;
        var position = 0;
        while (LineLength(content, position) is >= 0 and var length && Json(content.AsSpan(position, length)) is { } json)
        {
            try
            {
                journal = Take(journal, path, json);
            }
            catch (JsonException e)
            {
                throw Damaged(path, e.Message, e);
            }

            position += length + 1;
            journal._length = position;
        }

        return RestIsTorn(content, position) ? journal : throw Damaged(path, "a line in the middle is broken", null);
    }

    /// <summary>Adds a line about a step; durable once the next one is flushed.</summary>
    public void Note(JournalMark mark, int? step)
    {
        Append(new JournalEntry(mark, step), EngineJson.Line<JournalEntry>());
        Remember(mark, step);
    }

    /// <summary>Adds a line and makes it durable, with all before it; not if it says what the journal says already.</summary>
    public void Write(JournalMark mark, int? step)
    {
        if (step is null || this[step.Value] != mark)
        {
            Note(mark, step);
            Flush();
        }
    }

    /// <summary>The operation is over.</summary>
    public void Remove()
    {
        Dispose();
        DurableFile.Remove(Path);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    private static Journal Take(Journal? journal, string path, ReadOnlySpan<byte> json)
    {
        if (journal is not null)
        {
            var entry = JsonSerializer.Deserialize(json, EngineJson.Line<JournalEntry>())!;
            journal.Remember(entry.Mark, entry.Step);
            return journal;
        }

        var version = EngineJson.Version(json);
        return version == Version
            ? new Journal(path, JsonSerializer.Deserialize(json, EngineJson.Line<JournalHeader>())!.Plan)
            : throw new CoppiceException(
                ErrorKind.Damaged, path, $"has version {version}, and this Coppice reads version {Version}",
                "finish the operation with the Coppice that began it");
    }

    /// <summary>The length of the line at a position; negative if it has no end.</summary>
    private static int LineLength(byte[] content, int position) => content.AsSpan(position).IndexOf((byte)'\n');

    private static byte[]? Json(ReadOnlySpan<byte> line) =>
        line.Length > 9
        && line[8] == ' '
        && uint.TryParse(line[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var sum)
        && sum == Sum(line[9..])
            ? line[9..].ToArray()
            : null;

    /// <summary>A crash tears the end. Broken lines with whole ones after them are something else.</summary>
    private static bool RestIsTorn(byte[] content, int position)
    {
        for (int length; (length = LineLength(content, position)) >= 0; position += length + 1)
        {
            if (Json(content.AsSpan(position, length)) is not null)
            {
                return false;
            }
        }

        return true;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = uint.MaxValue;
        foreach (var b in bytes)
        {
            sum = BitOperations.Crc32C(sum, b);
        }

        return ~sum;
    }

    private static CoppiceException Damaged(string path, string problem, Exception? cause) => new(
        ErrorKind.Damaged, path, $"cannot be read: {problem}",
        "it tells how far an interrupted operation came: keep a copy of it and ask for help", cause);

    private void Append<T>(T line, JsonTypeInfo<T> type)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(line, type);
        byte[] bytes = [.. System.Text.Encoding.ASCII.GetBytes($"{Sum(json):x8} "), .. json, (byte)'\n'];
        _file ??= AppendFile.Continue(Path, _length);
        _file.Append(bytes);
        _length += bytes.Length;
        _unflushed = true;
    }

    private void Flush()
    {
        if (_unflushed)
        {
            _file!.Flush();
            _unflushed = false;
        }
    }

    private void Remember(JournalMark mark, int? step)
    {
        if (step is { } index)
        {
            _marks[index] = mark;
        }
        else
        {
            IsCommitted |= mark is JournalMark.Committed;
        }
    }
}
