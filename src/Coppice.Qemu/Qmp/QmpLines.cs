using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace Coppice.Qemu.Qmp;

/// <summary>Cuts a monitor's byte stream into JSON messages, one a line, within limits that a peer cannot exceed.</summary>
internal static class QmpLines
{
    /// <summary>The longest message that is accepted. The block graph of a long chain takes about a MiB.</summary>
    public const int MaximumBytes = 16 << 20;

    /// <summary>Backing chains nest in answers about the block graph, a few levels for each image.</summary>
    public const int MaximumDepth = 1024;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaximumDepth };

    /// <summary>The next message; null at the end of the stream.</summary>
    /// <exception cref="InvalidDataException">The peer sent something else, or too much of it.</exception>
    public static async ValueTask<JsonElement?> ReadAsync(PipeReader reader, CancellationToken cancellation)
    {
        var searched = 0L;
        while (true)
        {
            var read = await reader.ReadAsync(cancellation);
            var buffer = read.Buffer;
            if (buffer.Slice(searched).PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                var message = line.Length > MaximumBytes ? throw TooLong() : Parse(line);
                reader.AdvanceTo(buffer.GetPosition(1, end));
                searched = 0;
                if (message is not null)
                {
                    return message;
                }

                continue;
            }

            if (buffer.Length > MaximumBytes)
            {
                throw TooLong();
            }

            // Looking through it all again with each piece would let a peer keep us busy with one long message.
            searched = buffer.Length;
            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                return buffer.IsEmpty ? null : throw new InvalidDataException("the connection ended within a message");
            }
        }
    }

    private static JsonElement? Parse(ReadOnlySequence<byte> line)
    {
        if (IsBlank(line))
        {
            return null;
        }

        try
        {
            JsonText.RequireUnicode(line, MaximumDepth);
            using var document = JsonDocument.Parse(line, Options);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new InvalidDataException("a message is not a JSON object");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"a message is not JSON: {e.Message}", e);
        }
    }

    private static bool IsBlank(ReadOnlySequence<byte> line) =>
        line.Length <= 2 && line.ToArray().AsSpan().Trim(" \r"u8).IsEmpty;

    private static InvalidDataException TooLong() => new($"a message is longer than {MaximumBytes} bytes");
}
