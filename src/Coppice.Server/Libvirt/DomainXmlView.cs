using System.Collections.Immutable;
using System.Xml.Linq;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Server.Libvirt;

/// <summary>
/// A definition as libvirt shows it. The stored one has each disk as it was defined, and the catalog says on which layer it is now; libvirt's
/// clients look for that layer in the definition, with what it builds on if the domain is active.
/// </summary>
/// <param name="catalog">What is stored of the domain.</param>
/// <param name="folder">Its folder.</param>
/// <param name="mirrors">Its disks that are being copied.</param>
internal sealed class DomainXmlView(Catalog catalog, DomainFolder folder, ImmutableArray<MirrorView> mirrors)
{
    private const string Screen = "vnc.sock";

    /// <summary>The definition as it is shown.</summary>
    /// <param name="xml">As it is stored.</param>
    /// <param name="id">The id of a domain that is active, as which it is shown then.</param>
    /// <param name="withSecrets">Show passwords too.</param>
    public string Of(string xml, int? id, bool withSecrets)
    {
        var root = XElement.Parse(xml);
        foreach (var disk in root.Elements("devices").Elements("disk"))
        {
            Show(disk, id is not null);
        }

        if (!withSecrets)
        {
            root.Descendants("graphics").Attributes("passwd").Remove();
        }

        if (id is { } number)
        {
            root.Add(new XAttribute("id", number));
            ShowScreen(root);
        }

        return LibvirtXml.Of(root);
    }

    private static XAttribute Source(Layer layer) => new(layer.Type is StorageType.Block ? "dev" : "file", layer.Path);

    private static string FormatOf(Layer layer) => layer.Format is ImageFormat.Raw ? "raw" : "qcow2";

    private static XElement Below(ReadOnlySpan<Layer> layers) => layers is [var next, .. var rest]
        ? new XElement(
            "backingStore",
            new XAttribute("type", next.Type is StorageType.Block ? "block" : "file"),
            new XElement("format", new XAttribute("type", FormatOf(next))),
            new XElement("source", Source(next)),
            Below(rest))
        : new XElement("backingStore");

    /// <summary>Of a new image some is said twice, for clients that read older words.</summary>
    private static XElement Mirror(MirrorView found)
    {
        var (target, isCommit) = (found.Target, found.Mirror.Kind is MirrorKind.Commit);
        return new XElement(
            "mirror",
            new XAttribute("type", target.Type is StorageType.Block ? "block" : "file"),
            isCommit || target.Type is StorageType.Block ? null : new[] { Source(target), new XAttribute("format", FormatOf(target)) },
            new XAttribute("job", isCommit ? "active-commit" : "copy"),
            found.Observation.State is MergeState.Ready ? new XAttribute("ready", "yes") : null,
            new XElement("format", new XAttribute("type", FormatOf(target))),
            new XElement("source", Source(target)));
    }

    private void Show(XElement disk, bool isActive)
    {
        var target = disk.Element("target")?.Attribute("dev")?.Value;
        if (catalog.Head.Disks.FirstOrDefault(d => d.Target == target) is not { } head)
        {
            return;
        }

        Layer[] chain = [.. LayerGraph.Of(catalog).FileChain(head.Layer)];
        var top = chain[0];
        disk.SetAttributeValue("type", top.Type is StorageType.Block ? "block" : "file");
        disk.Element("driver")?.SetAttributeValue("type", FormatOf(top));
        disk.Element("source")?.Attributes().Where(a => a.Name == "file" || a.Name == "dev").Remove();
        disk.Element("source")?.Add(Source(top));
        if (isActive)
        {
            disk.Element("source")?.AddAfterSelf([Below(chain.AsSpan(1)), .. mirrors.Where(m => m.Mirror.Disk == target).Select(Mirror)]);
        }
    }

    /// <summary>A screen without a port of its own is at a socket.</summary>
    private void ShowScreen(XElement root)
    {
        var screen = root.Elements("devices").Elements("graphics").FirstOrDefault(g => g.Attribute("type")?.Value is "vnc");
        if (screen is null || screen.Attribute("port")?.Value is not (null or "-1"))
        {
            return;
        }

        var socket = screen.Attribute("socket")?.Value ?? $"{folder.Endpoints}/{Screen}";
        screen.ReplaceAttributes(new XAttribute("type", "vnc"), new XAttribute("socket", socket));
        screen.ReplaceNodes(new XElement("listen", new XAttribute("type", "socket"), new XAttribute("socket", socket)));
    }
}
