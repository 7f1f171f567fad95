using System.Runtime.CompilerServices;
using System.Text;
using System.Xml.Linq;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Writes XML as libvirt does: attributes in single quotes, and no space before the end of an empty element. It means the same to whoever
/// reads XML; scripts that search the text are many.
/// </summary>
internal static class LibvirtXml
{
    private const string Step = "  ";

    private static readonly ConditionalWeakTable<string, string> s_known = [];

    /// <summary>A document of ours in that form. The same one, by reference, is written once.</summary>
    public static string Of(string document) => s_known.GetValue(document, static d => Of(XElement.Parse(d)));

    /// <summary>An element in that form, with a line each, and one at its end.</summary>
    public static string Of(XElement root)
    {
        var text = new StringBuilder();
        Write(text, root, "");
        return text.ToString();
    }

    private static void Write(StringBuilder text, XElement element, string indent)
    {
        if (element.Name == "metadata" || element.Name.NamespaceName.Length > 0)
        {
            // What belongs to others stays as it is.
            text.Append(indent).Append(element.ToString(SaveOptions.DisableFormatting)).Append('\n');
            return;
        }

        text.Append(indent).Append('<').Append(element.Name.LocalName);
        foreach (var attribute in element.Attributes())
        {
            text.Append(' ').Append(attribute.IsNamespaceDeclaration ? attribute.ToString() : $"{attribute.Name.LocalName}='{Escaped(attribute.Value)}'");
        }

        if (!element.Nodes().Any())
        {
            text.Append("/>\n");
            return;
        }

        text.Append('>');
        if (element.HasElements)
        {
            text.Append('\n');
            foreach (var child in element.Elements())
            {
                Write(text, child, indent + Step);
            }

            text.Append(indent);
        }
        else
        {
            text.Append(EscapedText(element.Value));
        }

        text.Append("</").Append(element.Name.LocalName).Append(">\n");
    }

    private static string EscapedText(string value) => value.Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("\r", "&#13;", StringComparison.Ordinal);

    private static string Escaped(string value) => EscapedText(value)
        .Replace("'", "&apos;", StringComparison.Ordinal).Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("\n", "&#10;", StringComparison.Ordinal).Replace("\t", "&#9;", StringComparison.Ordinal);
}
