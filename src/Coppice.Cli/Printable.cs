using System.Globalization;
using System.Text;

namespace Coppice.Cli;

/// <summary>
/// Text for a terminal. Descriptions and paths come from users and documents: what would move the cursor, colour the
/// screen or reverse the line is replaced.
/// </summary>
internal static class Printable
{
    private const char Replacement = '\uFFFD';

    /// <summary>One line.</summary>
    public static string Line(string text) => Clean(text, keepNewLines: false);

    /// <summary>Several lines.</summary>
    public static string Lines(string text) => Clean(text, keepNewLines: true);

    private static string Clean(string text, bool keepNewLines)
    {
        if (!text.Any(IsUnsafe))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            clean.Append(c switch
            {
                '\n' when keepNewLines => c,
                '\n' or '\t' or '\r' => ' ',
                _ when IsUnsafe(c) => Replacement,
                _ => c,
            });
        }

        return clean.ToString();
    }

    private static bool IsUnsafe(char c) =>
        char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
