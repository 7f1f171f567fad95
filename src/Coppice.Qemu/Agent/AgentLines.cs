using System.Text.Json;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Agent;

/// <summary>
/// What an agent says, cut into lines. A guest writes it, so there is a limit to each line and to all of them together, and it
/// takes no more room than one line.
/// </summary>
internal sealed class AgentLines(Stream input)
{
    /// <summary>The longest line that is accepted. An answer about the file systems of a large guest takes some KiB.</summary>
    public const int MaximumLineBytes = 64 << 10;

    /// <summary>How much is read in all: a conversation is a few lines, and what an earlier one left has an end.</summary>
    public const int MaximumBytes = 4 << 20;

    /// <summary>A byte that no JSON has. An agent puts it before an answer that nothing said before must spoil.</summary>
    public const byte Sentinel = 0xFF;

    private const int MaximumDepth = 64;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = MaximumDepth };

    private readonly byte[] _buffer = new byte[MaximumLineBytes];
    private int _start;
    private int _end;
    private int _received;

    private Span<byte> Unread => _buffer.AsSpan(_start.._end);

    /// <summary>Forgets all that was said up to the next sentinel.</summary>
    /// <exception cref="InvalidDataException">The agent says too much.</exception>
    /// <exception cref="EndOfStreamException">The channel was closed.</exception>
    public async ValueTask SkipToSentinelAsync(CancellationToken cancellation)
    {
        int at;
        while ((at = Unread.IndexOf(Sentinel)) < 0)
        {
            _start = _end;
            await FillAsync(cancellation);
        }

        _start += at + 1;
    }

    /// <summary>The next line as a JSON object; null if it is none.</summary>
    /// <exception cref="InvalidDataException">The agent says too much.</exception>
    /// <exception cref="EndOfStreamException">The channel was closed.</exception>
    public async ValueTask<JsonElement?> ReadAsync(CancellationToken cancellation)
    {
        int length;
        while ((length = Unread.IndexOf((byte)'\n')) < 0)
        {
            await FillAsync(cancellation);
        }

        var line = _buffer.AsMemory(_start, length);
        _start += length + 1;
        return Parse(line);
    }

    private static JsonElement? Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            var said = line[(line.Span.LastIndexOf(Sentinel) + 1)..];
            JsonText.RequireUnicode(new(said), MaximumDepth);
            using var document = JsonDocument.Parse(said, s_options);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            return null;
        }
    }

    private async ValueTask FillAsync(CancellationToken cancellation)
    {
        Unread.CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        if (_end == MaximumLineBytes)
        {
            throw new InvalidDataException($"a line is longer than {MaximumLineBytes} bytes");
        }

        var read = await input.ReadAsync(_buffer.AsMemory(_end), cancellation);
        _end += read;
        _received += read;
        if (read == 0)
        {
            throw new EndOfStreamException("the channel was closed");
        }

        if (_received > MaximumBytes)
        {
            throw new InvalidDataException($"it says more than {MaximumBytes} bytes");
        }
    }
}
