using System.Collections.Frozen;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// What of <c>&lt;domainsnapshot&gt;</c> Coppice reads (libvirt formatsnapshot): every element and attribute is in the table,
/// with our <c>uuid</c>, <c>branch</c> and <c>memory/@disk</c>. What libvirt has beyond that would be ignored, so it is no part
/// of this.
/// </summary>
internal static class SnapshotGrammar
{
    private const string Several = "disks/disk";
    private const string NextStep = "correct it or leave it out";

    /// <summary>Elements that hold text, and no attributes.</summary>
    private static readonly string[] s_texts =
        ["name", "uuid", "description", "state", "creationTime", "creationdate", "active", "parent/name", "branch"];

    /// <summary>The other elements, each with its attributes.</summary>
    private static readonly FrozenDictionary<string, string[]> s_attributes = new (string Path, string Attributes)[]
    {
        ("parent", ""), ("memory", "snapshot file disk"), ("disks", ""), ("disks/disk", "name snapshot type"),
        ("disks/disk/driver", "type"), ("disks/disk/source", "file dev"),
    }.ToFrozenDictionary(row => row.Path, row => row.Attributes.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Refuses the first thing that the table does not have.</summary>
    /// <exception cref="CoppiceException">It is named with its line (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static void Check(XElement root)
    {
        if (root.Name != "domainsnapshot")
        {
            throw root.Refuse($"the root is <{root.Name.LocalName}>", "the root has to be <domainsnapshot>");
        }

        CheckInside(root, "", []);
        CheckValues(root);
    }

    private static void CheckInside(XElement element, string path, string[] attributes)
    {
        var given = element.Attributes().Where(a => !a.IsNamespaceDeclaration);
        if (given.FirstOrDefault(a => !attributes.Contains(a.Name.ToString())) is { } strange)
        {
            throw strange.Refuse("there is no such attribute", NextStep);
        }

        if (!s_texts.Contains(path) && element.Nodes().OfType<XText>().Any(t => !string.IsNullOrWhiteSpace(t.Value)))
        {
            throw element.Refuse("it holds text, where elements belong", "leave the text out");
        }

        foreach (var child in element.Elements())
        {
            CheckChild(child, path.Length == 0 ? child.Name.ToString() : $"{path}/{child.Name}");
        }
    }

    private static void CheckChild(XElement child, string path)
    {
        if (path != Several && child.ElementsBeforeSelf(child.Name).Any())
        {
            throw child.Refuse($"there are two <{child.Name.LocalName}>", "remove one");
        }

        switch (path)
        {
            case "domain" or "inactiveDomain":
                DomainGrammar.Check(child);
                break;
            case "cookie":
                // Belongs to whoever wrote it.
                break;
            default:
                CheckInside(child, path, AttributesOf(path) ?? throw child.Refuse("there is no such element", NextStep));
                break;
        }
    }

    private static string[]? AttributesOf(string path) => s_texts.Contains(path) ? [] : s_attributes.GetValueOrDefault(path);

    /// <summary>The values of what a request ignores; the others are read, and refused there.</summary>
    private static void CheckValues(XElement root)
    {
        if (root.Element("state") is { } state && SnapshotStates.Parse(state.Value) is null)
        {
            throw state.Refuse($"'{state.Shown()}' is unknown", $"write one of {SnapshotStates.Known}");
        }

        _ = root.Element("active").Flag("1", "0");
    }
}
