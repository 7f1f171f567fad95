using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Coppice.Core;

/// <summary>How a step can be taken back.</summary>
public enum StepUndo
{
    /// <summary>Undo restores exactly what was.</summary>
    Exact,

    /// <summary>
    /// Undo restores what was, and is left out once the guest has moved on to what the step made: an overlay that takes
    /// the guest's writes is kept.
    /// </summary>
    UnlessSwitched,

    /// <summary>Undo leads to an equivalent state.</summary>
    Compensate,

    /// <summary>It cannot be taken back.</summary>
    None,
}

/// <summary>What happens to a file.</summary>
public enum FileEffect
{
    /// <summary>It appears.</summary>
    Create,

    /// <summary>It is written.</summary>
    Change,

    /// <summary>It goes.</summary>
    Delete,
}

/// <summary>A file that a step touches, and about how many bytes that concerns.</summary>
public sealed record FileChange(FileEffect Effect, string Path, ByteCount Bytes);

/// <summary>
/// One step of a plan, as data: it can be printed, stored in a journal and carried out, probed or undone by another
/// process than the one that planned it. The part of <see cref="Kind"/> before the dot names the executor.
/// </summary>
public sealed record Step
{
    /// <summary>What is to be done, e.g. <c>storage.create-overlay</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>One line for people.</summary>
    public required string Summary { get; init; }

    /// <summary>What the executor needs to know; its shape belongs to the executor.</summary>
    public required JsonElement Arguments { get; init; }

    /// <summary>How it can be taken back.</summary>
    public required StepUndo Undo { get; init; }

    /// <summary>The files it touches.</summary>
    public ImmutableArray<FileChange> Files { get; init; } = [];

    /// <summary>How long the guest is expected to stand still.</summary>
    public TimeSpan ExpectedPause { get; init; }

    /// <summary>Makes a step from the executor's own arguments.</summary>
    public static Step Of<T>(string kind, string summary, StepUndo undo, T arguments, JsonTypeInfo<T> type) => new()
    {
        Kind = kind,
        Summary = summary,
        Undo = undo,
        Arguments = JsonSerializer.SerializeToElement(arguments, type),
    };

    /// <summary>The arguments as the executor knows them.</summary>
    /// <exception cref="CoppiceException">They are not of that shape: the journal was damaged
    /// (<see cref="ErrorKind.Damaged"/>).</exception>
    public T Read<T>(JsonTypeInfo<T> type)
    {
        try
        {
            return Arguments.Deserialize(type) ?? throw new JsonException("no arguments");
        }
        catch (JsonException e)
        {
            throw new CoppiceException(ErrorKind.Damaged, $"step {Kind}", $"its arguments cannot be read: {e.Message}", "", e);
        }
    }
}
