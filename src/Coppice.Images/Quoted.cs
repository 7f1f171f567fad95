using System.Globalization;
using System.Text;

namespace Coppice.Images;

/// <summary>
/// Text that came out of an image, made fit for a message: an image can name its backing file so that the name
/// redraws a terminal or forges a log line.
/// </summary>
internal static class Quoted
{
    private const int MaxCharacters = 256;

    /// <summary>The text in quotes, control and format characters escaped, shortened.</summary>
    public static string Name(string text) => $"\"{Plain(text)}\"";

    /// <summary>The same without quotes.</summary>
    public static string Plain(string text)
    {
        StringBuilder result = new(Math.Min(text.Length, MaxCharacters));
        foreach (var c in text)
        {
            if (result.Length >= MaxCharacters)
            {
                return result.Append('…').ToString();
            }

            if (IsHarmless(c))
            {
                result.Append(c);
            }
            else
            {
                result.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return result.ToString();
    }

    private static bool IsHarmless(char c) => char.GetUnicodeCategory(c) is not (UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
