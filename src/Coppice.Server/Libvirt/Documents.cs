using System.Xml.Linq;
using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>Reads the documents that clients send. What is wrong with one is an error of its own in libvirt, which is not that of other arguments.</summary>
internal static class Documents
{
    /// <summary>A domain.</summary>
    /// <param name="xml">The document.</param>
    /// <param name="validates">Refuse what is not known.</param>
    /// <param name="ids">Where a uuid comes from, if it has none.</param>
    /// <exception cref="RpcException">It is none.</exception>
    public static DomainDefinition Domain(string xml, bool validates, IdSource ids) =>
        Read(xml, validates, DomainXml.Validate, text => DomainXml.Parse(text, ids), RpcOrigin.Domain);

    /// <summary>A snapshot.</summary>
    /// <param name="xml">The document.</param>
    /// <param name="validates">Refuse what is not known.</param>
    /// <param name="mode">For what it is read.</param>
    /// <exception cref="RpcException">It is none.</exception>
    public static SnapshotDocument Snapshot(string xml, bool validates, SnapshotParseMode mode) =>
        Read(xml, validates, SnapshotXml.Validate, text => SnapshotXml.Parse(text, mode), RpcOrigin.Snapshot);

    /// <summary>An element of a domain.</summary>
    /// <param name="xml">The document.</param>
    /// <param name="documentName">What it is, for errors.</param>
    /// <exception cref="RpcException">It is none.</exception>
    public static XElement Element(string xml, string documentName) =>
        Read(xml, validates: false, _ => { }, text => SafeXml.Load(text, documentName), RpcOrigin.Domain);

    private static T Read<T>(string xml, bool validates, Action<string> validate, Func<string, T> parse, int origin)
    {
        try
        {
            var document = parse(xml);
            return validates ? Validated(document, xml, validate, origin) : document;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.InvalidInput or ErrorKind.Forbidden or ErrorKind.MissingCapability)
        {
            throw e.Kind is ErrorKind.MissingCapability
                ? new RpcException(RpcCode.ConfigurationUnsupported, origin, $"unsupported configuration: {e.Message}")
                : new RpcException(RpcCode.XmlError, origin, $"XML error: {e.Message}");
        }
    }

    private static T Validated<T>(T document, string xml, Action<string> validate, int origin)
    {
        try
        {
            validate(xml);
            return document;
        }
        catch (CoppiceException e)
        {
            throw new RpcException(RpcCode.InvalidDocument, origin, $"XML document failed to validate against schema: {e.Message}");
        }
    }
}
