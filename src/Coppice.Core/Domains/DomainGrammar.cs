using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>A domain by <see cref="ElementTables"/>, strictly: what is in none of them is refused rather than kept.</summary>
internal static class DomainGrammar
{
    private const string NextStep = "correct it or leave it out";

    /// <summary>Refuses the first element or attribute that is in none of the tables.</summary>
    /// <exception cref="CoppiceException">It is named with its line (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static void Check(XElement domain) => CheckInside(domain, "");

    private static void CheckInside(XElement element, string path)
    {
        if (element.Attributes().FirstOrDefault(a => !a.IsNamespaceDeclaration && !IsKnown(path, a.Name)) is { } attribute)
        {
            throw attribute.Refuse("Coppice knows no such attribute", NextStep);
        }

        foreach (var child in element.Elements())
        {
            var childPath = ElementTables.ChildPath(path, child.Name);
            if (ElementTables.IsUnderstood(childPath))
            {
                // What applications keep there is theirs (R143).
                if (childPath != "metadata")
                {
                    CheckInside(child, childPath);
                }
            }
            else if (!IsListed(childPath))
            {
                throw child.Refuse("Coppice knows no such element", NextStep);
            }
        }
    }

    private static bool IsKnown(string path, XName attribute) =>
        ElementTables.IsUnderstood(path, attribute) || IsListed(ElementTables.AttributePath(path, attribute));

    private static bool IsListed(string path) => ElementTables.IsHarmless(path) || ElementTables.Changes(path) is not null;
}
