using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// Reads XML that somebody else wrote and writes ours. Nothing outside the text is ever opened, entities and document
/// types are refused, and size and depth are limited before a tree is built.
/// White space between elements, comments and processing instructions are dropped and indentation is made anew, except
/// within <c>&lt;metadata&gt;</c>, which belongs to applications (R143).
/// </summary>
public static class SafeXml
{
    /// <summary>The longest document, in bytes of UTF-8.</summary>
    public const int MaximumBytes = 1 << 20;

    /// <summary>The deepest nesting of elements.</summary>
    public const int MaximumDepth = 64;

    private static readonly XmlReaderSettings Reading = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        MaxCharactersInDocument = MaximumBytes,
    };

    // Without entities for \r, and for \n and \t in attributes, the next reader would normalize them away.
    private static readonly XmlWriterSettings Writing = new()
    {
        OmitXmlDeclaration = true,
        NewLineHandling = NewLineHandling.Entitize,
        NamespaceHandling = NamespaceHandling.OmitDuplicates,
    };

    /// <summary>Reads a document.</summary>
    /// <param name="text">The document.</param>
    /// <param name="documentName">What it is, for errors, e.g. <c>domain XML</c>.</param>
    /// <returns>The root element, with line numbers.</returns>
    /// <exception cref="CoppiceException">
    /// It is too long, too deep or not well-formed (<see cref="ErrorKind.InvalidInput"/>), or it declares a document type
    /// (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static XElement Load(string text, string documentName)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MaximumBytes || Encoding.UTF8.GetByteCount(text) > MaximumBytes)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, documentName, $"is longer than {new ByteCount(MaximumBytes)}", "shorten its metadata");
        }

        text = text.TrimStart('\uFEFF');
        CheckForm(text, documentName);
        return Read(text);
    }

    /// <summary>Whether a text can stand in XML 1.0, which some characters cannot enter even escaped.</summary>
    internal static bool CanHold(string text)
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

    /// <summary>An element as one line, exactly: the inverse of <see cref="Read"/>.</summary>
    internal static string ToText(XElement element)
    {
        var text = new StringBuilder();
        using (var writer = XmlWriter.Create(text, Writing))
        {
            element.WriteTo(writer);
        }

        return text.ToString();
    }

    /// <summary>A document for people, indented.</summary>
    /// <exception cref="CoppiceException">
    /// A value has a character that XML cannot hold (<see cref="ErrorKind.InvalidInput"/>).
    /// </exception>
    internal static string ToDocument(XElement root)
    {
        var copy = new XElement(root);
        Indent(copy, "\n");
        try
        {
            return ToText(copy) + "\n";
        }
        catch (ArgumentException e)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"<{root.Name.LocalName}>", "a value has a character that XML cannot hold",
                "remove it", e);
        }
    }

    /// <summary>Reads text that was checked before.</summary>
    internal static XElement Read(string text)
    {
        using var reader = XmlReader.Create(new StringReader(text), Reading);
        var root = XDocument.Load(reader, LoadOptions.SetLineInfo | LoadOptions.PreserveWhitespace).Root!;
        Strip(root);
        return root;
    }

    private static void CheckForm(string text, string documentName)
    {
        var inRoot = false;
        try
        {
            using var reader = XmlReader.Create(new StringReader(text), Reading);
            while (reader.Read())
            {
                inRoot |= reader.NodeType == XmlNodeType.Element;
                if (reader.Depth >= MaximumDepth)
                {
                    throw new CoppiceException(
                        ErrorKind.InvalidInput, Place(), $"elements are nested more than {MaximumDepth} deep",
                        "flatten its metadata");
                }

                string Place() => $"{documentName}, line {((IXmlLineInfo)reader).LineNumber}, <{reader.LocalName}>";
            }
        }
        catch (XmlException e) when (!inRoot && text.Contains("<!DOCTYPE", StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, $"{documentName}, line {e.LineNumber}",
                "it declares a document type, which may define entities", "remove the <!DOCTYPE> declaration", e);
        }
        catch (XmlException e)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, documentName, $"is not well-formed: {e.Message.TrimEnd('.')}", "correct it there", e);
        }
    }

    private static void Strip(XElement element)
    {
        if (IsVerbatim(element))
        {
            return;
        }

        element.Nodes().Where(n => n is XComment or XProcessingInstruction).Remove();
        if (element.HasElements)
        {
            element.Nodes().OfType<XText>().Where(t => t is not XCData && string.IsNullOrWhiteSpace(t.Value)).Remove();
        }

        foreach (var child in element.Elements())
        {
            Strip(child);
        }
    }

    private static void Indent(XElement element, string lineBreak)
    {
        if (IsVerbatim(element) || !element.HasElements || element.Nodes().Any(n => n is XText))
        {
            return;
        }

        foreach (var child in element.Elements().ToList())
        {
            child.AddBeforeSelf(new XText(lineBreak + "  "));
            Indent(child, lineBreak + "  ");
        }

        element.Add(new XText(lineBreak));
    }

    private static bool IsVerbatim(XElement element) => element.Name == "metadata";
}
