using System.Globalization;

namespace Coppice.Live.Witness;

/// <summary>The <c>key=value</c> pairs of an answer. <c>value</c> is the last key and runs to the end of the line.</summary>
internal sealed record WitnessAnswer(IReadOnlyDictionary<string, string> Values)
{
    private const string FreeText = "value=";

    public string this[string key] =>
        Values.TryGetValue(key, out var value) ? value : throw new WitnessException($"The answer of the witness has no {key}.");

    public static WitnessAnswer Parse(string text)
    {
        var values = new Dictionary<string, string>();
        while (text.Length > 0)
        {
            var end = text.StartsWith(FreeText, StringComparison.Ordinal) ? -1 : text.IndexOf(' ', StringComparison.Ordinal);
            var pair = end < 0 ? text : text[..end];
            text = end < 0 ? "" : text[(end + 1)..];
            if (pair.Split('=', 2) is [var key, var value])
            {
                values[key] = value;
            }
        }

        return new WitnessAnswer(values);
    }

    public static long ParseNumber(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    public long Number(string key) => ParseNumber(this[key]);

    public ulong Checksum(string key) => ulong.Parse(this[key], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
