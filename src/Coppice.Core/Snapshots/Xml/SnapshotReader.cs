using System.Collections.Immutable;
using System.Globalization;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>Makes a document of <c>&lt;domainsnapshot&gt;</c>, or says which element or attribute is wrong (R184).</summary>
internal sealed class SnapshotReader(XElement root, SnapshotParseMode mode)
{
    public SnapshotDocument Read()
    {
        if (root.Name != "domainsnapshot")
        {
            throw Invalid("snapshot XML", $"its root is <{root.Name.LocalName}>", "the root has to be <domainsnapshot>");
        }

        var request = new SnapshotDocument
        {
            Name = Child(root, "name") is { } name ? Names.Check("snapshot", name.Value) : null,
            Id = Child(root, "uuid") is { } uuid ? new SnapshotId(ReadUuid(uuid)) : null,
            Description = Child(root, "description")?.Value ?? "",
            Memory = Child(root, "memory") is { } memory ? SnapshotParts.ReadMemory(memory) : null,
            Disks = Child(root, "disks") is { } disks ? SnapshotParts.ReadDisks(disks) : [],
            Branch = Child(root, "branch") is { } branch ? Names.Check("branch", branch.Value) : null,
        };
        return mode == SnapshotParseMode.Create ? request
            : request.Branch is null ? ReadRecord(request)
            : throw Invalid("<branch>", "is about a snapshot that is to be made, and this one is on record", "leave it out");
    }

    /// <summary>The one child of that name; null if there is none.</summary>
    internal static XElement? Child(XElement parent, string name)
    {
        XElement[] found = [.. parent.Elements(name).Take(2)];
        return found switch
        {
            [] => null,
            [var only] => only,
            _ => throw Invalid($"<{name}>", $"stands twice in <{parent.Name.LocalName}>", "keep one"),
        };
    }

    internal static CoppiceException Invalid(string subject, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, subject, problem, nextStep);

    private SnapshotDocument ReadRecord(SnapshotDocument request)
    {
        var name = request.Name ?? throw Missing("name");
        var domain = Child(root, "domain") ?? throw Missing("domain");
        var state = ReadState(Child(root, "state") ?? throw Missing("state"));
        var (cookie, own) = ReadCookie();
        var memory = request.Memory ?? SnapshotWriter.Default(state)!;
        var memoryDisk = memory.Mode == MemoryMode.Internal ? memory.Disk ?? own?.Attribute("memoryDisk")?.Value : null;
        var document = request with
        {
            Id = request.Id ?? (own?.Attribute("uuid") is { } id ? new SnapshotId(ReadUuid(id.Value, "<cookie>")) : null),
            State = state,
            Parent = Child(root, "parent") is { } parent ? ReadParent(parent, name) : null,
            CreatedAt = ReadTime(Child(root, "creationTime") ?? throw Missing("creationTime")),
            Memory = memory with { Disk = memoryDisk },
            DomainId = new DomainId(ReadUuid(Child(domain, "uuid") ?? throw Missing("domain><uuid"))),
            Domain = SafeXml.ToText(domain),
            InactiveDomain = Child(root, "inactiveDomain") is { } inactive ? SafeXml.ToText(inactive) : null,
            Cookie = cookie,
            Content = SnapshotCookie.Read(own),
            IsActive = Child(root, "active") is { } active ? ReadActive(active) : null,
        };
        CheckMemory(document);
        return document;
    }

    private static void CheckMemory(SnapshotDocument document)
    {
        if (document.Memory!.Mode != MemoryMode.None && SnapshotStates.HasNoMemory(document.State!.Value))
        {
            throw Invalid(
                "<memory>",
                $"a snapshot with state {SnapshotStates.Word(document.State.Value)} has no memory",
                "write <memory snapshot='no'/>");
        }

        if (document.Memory is { Mode: MemoryMode.External, File: null })
        {
            throw Invalid("<memory>", "it is external, yet its file is not given", "add the attribute file");
        }
    }

    private static SnapshotState ReadState(XElement state) => SnapshotStates.Parse(state.Value)
        ?? throw Invalid("<state>", $"'{state.Value}' is unknown", $"write one of {SnapshotStates.Known}");

    private static string ReadParent(XElement parent, string name)
    {
        const string Advice = "name another parent or drop the element";
        var parentName = Child(parent, "name")?.Value ?? throw Invalid("<parent>", "it has no <name>", Advice);
        return parentName == name
            ? throw Invalid("<parent>", $"'{name}' is the snapshot itself", Advice)
            : Names.Check("parent snapshot", parentName);
    }

    private static DateTimeOffset ReadTime(XElement time)
    {
        var isNumber = long.TryParse(time.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds);
        return isNumber && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw Invalid("<creationTime>", $"'{time.Value}' is no time", "write the seconds since 1970");
    }

    private static bool ReadActive(XElement active) => active.Value switch
    {
        "0" => false,
        "1" => true,
        _ => throw Invalid("<active>", $"'{active.Value}' is neither 0 nor 1", "write either"),
    };

    private (string? Others, XElement? Own) ReadCookie()
    {
        if (Child(root, "cookie") is not { } cookie)
        {
            return (null, null);
        }

        var own = cookie.Element(SnapshotCookie.Name);
        var others = new XElement(cookie);
        others.Elements(SnapshotCookie.Name).Remove();
        return (others.HasElements ? SafeXml.ToText(others) : null, own);
    }

    private static Guid ReadUuid(XElement uuid) => ReadUuid(uuid.Value, "<uuid>");

    private static Guid ReadUuid(string text, string subject) =>
        Guid.TryParseExact(text, "D", out var uuid) || Guid.TryParseExact(text, "N", out uuid)
            ? uuid
            : throw Invalid(subject, $"'{text}' is no uuid", "write 32 hex digits, with dashes or without");

    private static CoppiceException Missing(string element) =>
        Invalid($"<{element}>", "it is missing, yet a redefinition needs it", "take the document from 'snapshot dumpxml'");
}
