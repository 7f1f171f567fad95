using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>The words that a document uses for the values of an enumeration.</summary>
/// <param name="thing">What they are words for, e.g. <c>bus</c>.</param>
/// <param name="entries">Word and value, one to one.</param>
internal sealed class Vocabulary<T>(string thing, params (string Word, T Value)[] entries)
    where T : struct, Enum
{
    /// <summary>The word for a value.</summary>
    public string this[T value] => entries.Single(e => EqualityComparer<T>.Default.Equals(e.Value, value)).Word;

    /// <summary>The value of an attribute or element; null if it is missing.</summary>
    /// <exception cref="CoppiceException">Its word is not one of these.</exception>
    public T? Read(XObject? place)
    {
        if (place is null)
        {
            return null;
        }

        var word = place.Value();
        foreach (var entry in entries)
        {
            if (entry.Word == word)
            {
                return entry.Value;
            }
        }

        throw place.Refuse($"'{place.Shown()}' is not a known {thing}", $"use {string.Join(", ", entries.Select(e => e.Word))}");
    }
}
