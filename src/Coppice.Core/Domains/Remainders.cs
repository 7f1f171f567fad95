using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// Parts an element into what the model holds and the remainder, and joins them again. A remainder repeats the understood
/// elements that something was taken from, as empty shells; the n-th shell of a name belongs to the n-th element of it.
/// </summary>
internal static class Remainders
{
    /// <summary>Takes out of an element whatever the model does not hold.</summary>
    /// <param name="element">The element; it is changed.</param>
    /// <param name="path">Its path in <see cref="ElementTables"/>.</param>
    /// <returns>What was taken, as text; null if nothing was.</returns>
    /// <exception cref="CoppiceException">An element that can stand only once stands twice.</exception>
    public static string? Take(XElement element, string path)
    {
        var kept = TakeFrom(element, path);
        if (path.Length == 0)
        {
            kept.Name = "domain";
            kept.ReplaceAttributes(element.Attributes().Where(a => a.IsNamespaceDeclaration), kept.Attributes().ToList());
        }

        return IsEmpty(kept) ? null : SafeXml.ToText(path.Length == 0 ? kept : WithScope(kept, element));
    }

    /// <summary>An element as text, with the namespace prefixes that it has from around it.</summary>
    public static string Whole(XElement element) => SafeXml.ToText(WithScope(new XElement(element), element));

    /// <summary>Puts a remainder back into an element that was built from the model.</summary>
    public static void Restore(XElement built, string path, string? remainder)
    {
        if (remainder is not null)
        {
            Join(built, path, SafeXml.Read(remainder));
        }
    }

    private static XElement TakeFrom(XElement element, string path)
    {
        var kept = new XElement(element.Name);
        foreach (var attribute in element.Attributes().Where(a => !a.IsNamespaceDeclaration).ToList())
        {
            if (!ElementTables.IsUnderstood(path, attribute.Name))
            {
                kept.Add(new XAttribute(attribute));
                attribute.Remove();
            }
        }

        var shells = new List<XElement>();
        var items = new List<XElement>();
        foreach (var child in element.Elements().ToList())
        {
            var childPath = ElementTables.ChildPath(path, child.Name);
            if (!ElementTables.IsUnderstood(childPath) || IsKeptWhole(child, childPath))
            {
                items.Add(WithScope(new XElement(child), child));
                child.Remove();
                continue;
            }

            RefuseSecond(child, childPath);
            if (childPath is not ("devices" or "metadata"))
            {
                shells.Add(TakeFrom(child, childPath));
            }
        }

        // In a fixed order, so that taking what Join put back gives the same text again.
        kept.Add(shells.GroupBy(s => s.Name.LocalName).OrderBy(g => g.Key, StringComparer.Ordinal).SelectMany(WithoutEmptyEnd));
        kept.Add(items);
        return kept;
    }

    private static void Join(XElement built, string path, XElement kept)
    {
        built.Add(kept.Attributes().Where(a => built.Attribute(a.Name) is null));
        var joined = new Dictionary<XName, int>();
        foreach (var child in kept.Elements())
        {
            var childPath = ElementTables.ChildPath(path, child.Name);
            if (!ElementTables.IsUnderstood(childPath))
            {
                built.Add(new XElement(child));
            }
            else if (IsKeptWhole(child, childPath))
            {
                built.Elements(child.Name).Remove();
                built.Add(new XElement(child));
            }
            else
            {
                var number = joined[child.Name] = joined.GetValueOrDefault(child.Name) + 1;
                var place = built.Elements(child.Name).ElementAtOrDefault(number - 1);
                if (place is null)
                {
                    built.Add(place = new XElement(child.Name));
                }

                Join(place, childPath, child);
            }
        }
    }

    // Devices are parted one by one.
    private static bool IsKeptWhole(XElement child, string childPath) =>
        childPath != "devices" && !childPath.Contains('/', StringComparison.Ordinal)
        && ElementTables.Mismatch(child, childPath) is not null;

    private static void RefuseSecond(XElement child, string childPath)
    {
        if (!ElementTables.Repeatable.Contains(childPath) && child.ElementsBeforeSelf(child.Name).Any())
        {
            throw child.Refuse($"there are two <{child.Name.LocalName}>", "remove one");
        }
    }

    private static IEnumerable<XElement> WithoutEmptyEnd(IEnumerable<XElement> shells) =>
        shells.Reverse().SkipWhile(IsEmpty).Reverse();

    private static bool IsEmpty(XElement element) => !element.HasAttributes && !element.HasElements;

    // The declarations come first and in order, so that it does not matter on which element they stood.
    private static XElement WithScope(XElement copy, XElement original)
    {
        var declarations = original.AncestorsAndSelf().SelectMany(e => e.Attributes())
            .Where(a => a.IsNamespaceDeclaration && (a.Parent == original || a.Name.Namespace == XNamespace.Xmlns))
            .DistinctBy(a => a.Name)
            .OrderBy(a => a.Name.LocalName, StringComparer.Ordinal);
        copy.ReplaceAttributes(declarations.ToList(), copy.Attributes().Where(a => !a.IsNamespaceDeclaration).ToList());
        return copy;
    }
}
