using System.Globalization;
using System.Xml;

namespace Coppice.Core;

/// <summary>Names and descriptions of new snapshots.</summary>
internal static class SnapshotNaming
{
    /// <summary>The name that was given, or one made of the time (R23).</summary>
    /// <exception cref="CoppiceException">The name or description is malformed or the name is taken.</exception>
    public static string Choose(CreateSnapshot request, Observed observed)
    {
        CheckText($"description of a snapshot of domain '{observed.Catalog.Name}'", request.Description);
        var taken = Taken(observed.Catalog);
        if (request.Name is null)
        {
            return Make(observed.Now, taken);
        }

        Names.Check("snapshot", request.Name);
        CheckText("snapshot name", request.Name);
        return taken.Contains(request.Name)
            ? throw new CoppiceException(
                ErrorKind.AlreadyExists, $"snapshot '{request.Name}' of domain '{observed.Catalog.Name}'",
                "the name is taken", "choose another name, or leave it out to have one made")
            : request.Name;
    }

    // A uuid addresses a snapshot as well (R39), so it counts as taken.
    private static HashSet<string> Taken(Catalog catalog) =>
        [.. catalog.Snapshots.Values.SelectMany<Snapshot, string>(s => [s.Name, s.Id.ToString()])];

    private static string Make(DateTimeOffset now, HashSet<string> taken)
    {
        var epoch = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var name = epoch;
        for (var suffix = 2; taken.Contains(name); suffix++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{epoch}-{suffix}");
        }

        return name;
    }

    /// <summary>Whether a text can stand in XML, which some characters cannot enter even escaped.</summary>
    public static bool CanEnterXml(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (i + 1 < text.Length && XmlConvert.IsXmlSurrogatePair(text[i + 1], text[i]))
            {
                i++;
            }
            else if (!XmlConvert.IsXmlChar(text[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static void CheckText(string subject, string text)
    {
        if (!CanEnterXml(text))
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, "it contains a character that XML cannot hold", "leave the character out");
        }
    }
}
