using System.Text;

namespace Coppice.Core;

/// <summary>
/// The names that users give. A name never becomes a path, but it is shown in lists and logs, so it is kept printable.
/// </summary>
public static class Names
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int MaximumBytes = 255;

    /// <summary>Accepts a name or says what is wrong with it.</summary>
    /// <param name="thing">What is named, e.g. <c>snapshot</c>.</param>
    /// <param name="name">The name.</param>
    /// <returns>The name.</returns>
    /// <exception cref="CoppiceException">
    /// It is empty, too long, starts with a dot or a dash, or has a slash, a control character or one that XML cannot hold
    /// (<see cref="ErrorKind.InvalidInput"/>).
    /// </exception>
    public static string Check(string thing, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var problem = Problem(name);
        return problem is null
            ? name
            : throw new CoppiceException(ErrorKind.InvalidInput, $"{thing} name '{Shown(name)}'", problem, "choose another name");
    }

    private static string? Problem(string name) => name switch
    {
        "" => "is empty",
        _ when name.Length > MaximumBytes || Encoding.UTF8.GetByteCount(name) > MaximumBytes => $"is longer than {MaximumBytes} bytes",
        _ when name[0] is '.' or '-' => $"starts with '{name[0]}'",
        _ when name.Contains('/', StringComparison.Ordinal) => "contains '/'",
        _ when name.EnumerateRunes().Any(r => Rune.IsControl(r) || r == Rune.ReplacementChar) => "contains a control character",
        _ when !SafeXml.CanHold(name) => "contains a character that XML cannot hold",
        _ when string.IsNullOrWhiteSpace(name) || name != name.Trim() => "begins or ends with white space",
        _ => null,
    };

    private static string Shown(string name)
    {
        var start = name.Length > 40 ? name[..40] + "…" : name;
        return string.Concat(start.Select(c => char.IsControl(c) ? '?' : c));
    }
}
