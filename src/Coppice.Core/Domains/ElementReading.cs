using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>Reads typed values from elements. Every refusal names document, line and element.</summary>
internal static class ElementReading
{
    private const int LongestPath = 4095;

    /// <summary>An error about an element or attribute.</summary>
    public static CoppiceException Refuse(this XObject place, string problem, string nextStep)
    {
        var root = place.Document?.Root ?? (place as XElement ?? place.Parent)!.AncestorsAndSelf().Last();
        var line = (IXmlLineInfo)place is { LineNumber: > 0 } info ? $", line {info.LineNumber}" : "";
        var subject = $"{root.Name.LocalName} XML{line}, {place.PathText()}";
        return new CoppiceException(ErrorKind.InvalidInput, subject, problem, nextStep);
    }

    /// <summary>Where an element or attribute is, below the root: <c>devices/disk[2]/driver/@cache</c>.</summary>
    public static string PathText(this XObject place) => place switch
    {
        XAttribute { Parent: { Parent: not null } parent } attribute => $"{parent.PathText()}/@{attribute.Name.LocalName}",
        XAttribute attribute => $"@{attribute.Name.LocalName}",
        XElement { Parent: null } root => root.Name.LocalName,
        XElement element when element.Parent!.Parent is null => element.Step(),
        XElement element => $"{element.Parent!.PathText()}/{element.Step()}",
        _ => "",
    };

    public static string Value(this XObject place) => place is XAttribute attribute ? attribute.Value : ((XElement)place).Value;

    /// <summary>The value, short enough and printable for a message.</summary>
    public static string Shown(this XObject place)
    {
        var value = place.Value();
        var start = value.Length > 40 ? value[..40] + "…" : value;
        return string.Concat(start.Select(c => char.IsControl(c) ? '?' : c));
    }

    public static XElement RequiredElement(this XElement parent, string name) =>
        parent.Element(name) ?? throw parent.Refuse($"<{name}> is missing", $"add <{name}> to it");

    public static XAttribute Required(this XElement element, string name) =>
        element.Attribute(name) ?? throw element.Refuse($"the attribute {name} is missing", $"add {name}='…' to it");

    /// <summary>The text of a child; null if there is none.</summary>
    public static string? TextOf(this XElement parent, string name) => parent.Element(name)?.Value;

    /// <summary>A whole number in a range, decimal or with <c>0x</c>; null if the attribute or element is missing.</summary>
    public static int? Number(this XObject? place, int minimum, int maximum)
    {
        if (place is null)
        {
            return null;
        }

        var text = place.Value().Trim();
        var read = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? int.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return read && number >= minimum && number <= maximum
            ? number
            : throw place.Refuse($"'{place.Shown()}' is not a number from {minimum} to {maximum}", "correct it");
    }

    /// <summary>A truth value by its two words, e.g. <c>yes</c> and <c>no</c>; null if it is missing.</summary>
    public static bool? Flag(this XObject? place, string yes, string no)
    {
        var word = place?.Value();
        return word is null ? null : word == yes ? true : word == no ? false
            : throw place!.Refuse($"'{place!.Shown()}' is neither {yes} nor {no}", $"write {yes} or {no}");
    }

    /// <summary>An absolute path; null if it is missing.</summary>
    public static string? AbsolutePath(this XObject? place)
    {
        if (place is null)
        {
            return null;
        }

        var path = place.Value();
        var problem = path switch
        {
            "" => "the path is empty",
            _ when path.Length > LongestPath => $"the path is longer than {LongestPath} characters",
            _ when path.Any(char.IsControl) => $"the path '{place.Shown()}' contains a control character",
            _ when path[0] != '/' => $"the path '{place.Shown()}' is relative",
            "/" => "the path names the root folder",
            _ => null,
        };
        return problem is null ? path : throw place.Refuse(problem, "give the absolute path of a file");
    }

    /// <summary>A uuid, with or without dashes.</summary>
    public static Guid Uuid(this XObject place) =>
        Guid.TryParseExact(place.Value().Trim(), "D", out var uuid) || Guid.TryParseExact(place.Value().Trim(), "N", out uuid)
            ? uuid
            : throw place.Refuse($"'{place.Shown()}' is not a uuid", "write 32 hex digits, as uuidgen prints them");

    private static string Step(this XElement element)
    {
        var name = element.Name.LocalName;
        var alike = element.Parent!.Elements(element.Name).Take(2).Count();
        return alike == 1 ? name : $"{name}[{element.ElementsBeforeSelf(element.Name).Count() + 1}]";
    }
}
