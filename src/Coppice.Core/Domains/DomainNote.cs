using System.Collections.Immutable;
using System.Xml;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// What a program notes of a domain in <c>&lt;metadata&gt;</c>: one element, of a namespace that is its own (libvirt formatdomain; R143).
/// </summary>
/// <param name="Namespace">The URI of its namespace.</param>
/// <param name="Prefix">What stands for the namespace in the XML. Counts where there is an element.</param>
/// <param name="Element">The element without its namespace, which all of it comes to have; null removes what there is.</param>
public sealed record DomainNote(string Namespace, string Prefix, string? Element)
{
    private const string Subject = "metadata of a domain";

    /// <summary>What programs noted, by namespace: the first element of each, without it.</summary>
    /// <param name="metadata">As <see cref="DomainDefinition.Metadata"/>.</param>
    public static ImmutableDictionary<string, string> ReadAll(string? metadata) => metadata is null
        ? ImmutableDictionary<string, string>.Empty
        : SafeXml.Read(metadata).Elements().DistinctBy(e => e.Name.NamespaceName).ToImmutableDictionary(e => e.Name.NamespaceName, Plain);

    /// <summary>All that programs note, this instead of what was of its namespace.</summary>
    /// <param name="metadata">As <see cref="DomainDefinition.Metadata"/>.</param>
    /// <exception cref="CoppiceException">
    /// Namespace, prefix or element are none (<see cref="ErrorKind.InvalidInput"/>), or hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public string? In(string? metadata)
    {
        if (Namespace.Length == 0 || !SafeXml.CanHold(Namespace))
        {
            throw Refuse($"namespace '{Namespace}' is no URI", "give the one that your program uses");
        }

        var all = metadata is null ? new XElement("metadata") : SafeXml.Read(metadata);
        all.Elements().Where(e => e.Name.NamespaceName == Namespace).Remove();
        try
        {
            if (Element is { } text)
            {
                all.Add(Named(text));
            }

            return !all.HasElements ? null
                : SafeXml.ToText(all) is var noted && noted.Length <= SafeXml.MaximumBytes ? noted
                : throw Refuse($"programs would note more than {new ByteCount(SafeXml.MaximumBytes)}", "note less");
        }
        catch (Exception e) when (e is XmlException or ArgumentException)
        {
            throw Refuse($"'{Prefix}' cannot stand for namespace '{Namespace}' in the element: {e.Message}", "choose another prefix");
        }
    }

    private static string Plain(XElement element)
    {
        var (plain, @namespace) = (new XElement(element), element.Name.NamespaceName);
        Move(plain, @namespace, XNamespace.None);
        plain.DescendantsAndSelf().Attributes().Where(a => a.IsNamespaceDeclaration && a.Value == @namespace).Remove();
        return SafeXml.ToText(plain);
    }

    private XElement Named(string text)
    {
        // Within <metadata> white space is kept as it is.
        if (SafeXml.Load($"<metadata>{text}</metadata>", Subject).Nodes().ToArray() is not [XElement element])
        {
            throw Refuse("the text is not one element", "give one XML element, without a document around it");
        }

        if (element.Name.Namespace != XNamespace.None && element.Name.NamespaceName != Namespace)
        {
            throw Refuse($"the element is of namespace {element.Name.NamespaceName}, not of {Namespace}", "leave the namespace out of it");
        }

        element.Remove();
        element.SetAttributeValue(XNamespace.Xmlns + XmlConvert.VerifyNCName(Prefix), Namespace);
        Move(element, "", Namespace);
        return element;
    }

    private static void Move(XElement element, string from, XNamespace to)
    {
        foreach (var part in element.DescendantsAndSelf().Where(e => e.Name.NamespaceName == from).ToList())
        {
            part.Name = to + part.Name.LocalName;
        }
    }

    private static CoppiceException Refuse(string problem, string nextStep) => new(ErrorKind.InvalidInput, Subject, problem, nextStep);
}
