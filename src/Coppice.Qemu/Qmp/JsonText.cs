using System.Buffers;
using System.Text.Json;

namespace Coppice.Qemu.Qmp;

/// <summary>The strings in a message of a peer that is not trusted.</summary>
internal static class JsonText
{
    /// <summary>
    /// Refuses strings and names that are no Unicode. JSON counts as well-formed around bytes that are not UTF-8 and around half
    /// a surrogate pair, and it is whoever reads the string that would fail.
    /// </summary>
    /// <exception cref="InvalidDataException">There is one.</exception>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static void RequireUnicode(ReadOnlySequence<byte> message, int maximumDepth)
    {
        var reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = maximumDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    reader.GetString();
                }
            }
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("a string is not Unicode", e);
        }
    }
}
