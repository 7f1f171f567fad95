using System.Globalization;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>Makes <c>&lt;domainsnapshot&gt;</c> of a document.</summary>
internal static class SnapshotWriter
{
    public static XElement Write(SnapshotDocument document) => new(
        "domainsnapshot",
        Text("name", document.Name),
        Text("description", document.Description.Length == 0 ? null : document.Description),
        Text("state", document.State is { } state ? SnapshotStates.Word(state) : null),
        document.Parent is null ? null : new XElement("parent", new XElement("name", document.Parent)),
        Text("creationTime", document.CreatedAt?.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
        Memory(document),
        document.Disks.IsEmpty ? null : new XElement("disks", document.Disks.Select(Disk)),
        Domain(document),
        Verbatim(document.InactiveDomain, "inactiveDomain"),
        Text("active", document.IsActive switch { null => null, true => "1", false => "0" }),
        Cookie(document));

    private static XElement? Text(string name, string? value) => value is null ? null : new XElement(name, value);

    private static XElement? Memory(SnapshotDocument document)
    {
        var memory = document.Memory ?? Default(document.State);
        return memory is null ? null : new XElement(
            "memory",
            new XAttribute("snapshot", memory.Mode switch
            {
                MemoryMode.Internal => "internal",
                MemoryMode.External => "external",
                _ => "no",
            }),
            memory.File is null ? null : new XAttribute("file", memory.File));
    }

    /// <summary>The memory of a document that says nothing of it (R95).</summary>
    internal static MemoryRequest? Default(SnapshotState? state) => state is { } known
        ? new MemoryRequest(SnapshotStates.HasNoMemory(known) ? MemoryMode.None : MemoryMode.Internal)
        : null;

    private static XElement Disk(DiskRequest disk)
    {
        var isDevice = disk.File is { } file && DevicePath.Names(file);
        return new XElement(
            "disk",
            new XAttribute("name", disk.Target),
            disk.Mode is { } mode ? new XAttribute("snapshot", Word(mode)) : null,
            disk.File is null ? null : new XAttribute("type", isDevice ? "block" : "file"),
            disk.Format is null ? null : new XElement("driver", new XAttribute("type", disk.Format)),
            disk.File is null ? null : new XElement("source", new XAttribute(isDevice ? "dev" : "file", disk.File)));
    }

    private static string Word(DiskMode mode) => mode switch
    {
        DiskMode.None => "no",
        DiskMode.Internal => "internal",
        DiskMode.External => "external",
        _ => "manual",
    };

    private static XElement? Domain(SnapshotDocument document) => document switch
    {
        { Domain: not null } => Verbatim(document.Domain, "domain"),
        { DomainId: { } id } => new XElement("domain", new XElement("uuid", id.ToString())),
        _ => null,
    };

    private static XElement? Verbatim(string? xml, string name) =>
        xml is null ? null : SafeXml.Load(xml, $"<{name}> of the snapshot");

    private static XElement? Cookie(SnapshotDocument document)
    {
        var others = Verbatim(document.Cookie, "cookie");
        if (SnapshotCookie.Write(document) is not { } own)
        {
            return others;
        }

        var cookie = others ?? new XElement("cookie");
        cookie.Add(own);
        return cookie;
    }
}
