using System.Collections.Immutable;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>Finds in the remainders of a definition what prevents a start.</summary>
internal static class ObstacleSearch
{
    public static ImmutableArray<Obstacle> In(DomainDefinition definition)
    {
        var types = ElementTables.Values["@type"];
        IEnumerable<Obstacle> type = types.Contains(definition.Type) ? [] : [Unsupported("@type", definition.Type, types)];
        var elements = definition.Devices.Select(DomainXml.ElementOf).ToList();
        return
        [
            .. type,
            .. definition.Remainder is { } rest ? Inside(SafeXml.Read(rest), "", "") : [],
            .. definition.Devices.Zip(elements).SelectMany((pair, i) => Of(pair.First, pair.Second, Shown(elements, i))),
        ];
    }

    private static IEnumerable<Obstacle> Of(Device device, string element, string shown)
    {
        if (device.Remainder is not { } remainder)
        {
            return [];
        }

        var xml = SafeXml.Read(remainder);
        var path = $"devices/{element}";
        return device is OtherDevice ? OfElement(xml, path, shown) : Inside(xml, path, shown);
    }

    private static IEnumerable<Obstacle> OfElement(XElement element, string path, string shown)
    {
        if (ElementTables.IsHarmless(path))
        {
            return element.Elements().SelectMany(e => OfHarmless(ElementTables.ChildPath(path, e.Name), $"{shown}/{e.Name.LocalName}"));
        }

        if (!ElementTables.IsUnderstood(path))
        {
            return Judge(path, shown);
        }

        return ElementTables.Mismatch(element, path) is var (attribute, values)
            ? [Unsupported(shown + Below(element, attribute), attribute.Value, values)]
            : Inside(element, path, shown);
    }

    /// <summary>Within what is harmless only what is known not to be matters.</summary>
    private static IEnumerable<Obstacle> OfHarmless(string path, string shown) => ElementTables.Changes(path) is null ? [] : Judge(path, shown);

    private static IEnumerable<Obstacle> Inside(XElement element, string path, string shown)
    {
        var prefix = shown.Length == 0 ? "" : $"{shown}/";
        return element.Attributes()
            .Where(a => !a.IsNamespaceDeclaration && !ElementTables.IsUnderstood(path, a.Name))
            .SelectMany(a => Judge(ElementTables.AttributePath(path, a.Name), $"{prefix}@{a.Name.LocalName}"))
            .Concat(element.Elements()
                .SelectMany(e => OfElement(e, ElementTables.ChildPath(path, e.Name), $"{prefix}{e.Name.LocalName}")));
    }

    private static IEnumerable<Obstacle> Judge(string path, string shown)
    {
        if (ElementTables.IsHarmless(path))
        {
            return [];
        }

        var reason = ElementTables.Changes(path) is { } what
            ? $"it is about {what}, which Coppice does not support"
            : "Coppice does not know it, and it may change the guest's hardware";
        return [new Obstacle(shown, reason, ElementTables.NextSteps.GetValueOrDefault(path) ?? "remove it from the definition")];
    }

    private static string Below(XElement element, XAttribute attribute)
    {
        var steps = attribute.Parent!.AncestorsAndSelf().TakeWhile(e => e != element).Reverse();
        return $"{string.Concat(steps.Select(e => $"/{e.Name.LocalName}"))}/@{attribute.Name.LocalName}";
    }

    private static Obstacle Unsupported(string shown, string value, string[] values) =>
        new(shown, $"Coppice does not support '{value}'", $"use {string.Join(" or ", values)}");

    private static string Shown(List<string> elements, int index)
    {
        var element = elements[index];
        return elements.Count(e => e == element) == 1
            ? $"devices/{element}"
            : $"devices/{element}[{elements.Take(index + 1).Count(e => e == element)}]";
    }
}
