namespace Coppice.Core;

/// <summary>For what a snapshot document is read (R137).</summary>
public enum SnapshotParseMode
{
    /// <summary>As a request: name, uuid, description, memory and disks count, all else is ignored (R27).</summary>
    Create,

    /// <summary>As the record of a snapshot: name, creation time, state and domain have to be there.</summary>
    Redefine,
}

/// <summary>Reads and writes <c>&lt;domainsnapshot&gt;</c>.</summary>
public static class SnapshotXml
{
    /// <summary>The namespace of what Coppice adds, in <c>&lt;cookie&gt;</c>: the one place where the schema lets it.</summary>
    internal const string OwnNamespace = "urn:coppice:snapshot";

    /// <summary>Reads a document.</summary>
    /// <param name="xml">Its text; trusted in no way.</param>
    /// <param name="mode">For what it is read.</param>
    /// <exception cref="CoppiceException">
    /// It is no XML or breaks a rule (R134–R136, R184), naming the element (<see cref="ErrorKind.InvalidInput"/>), or it is
    /// hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static SnapshotDocument Parse(string xml, SnapshotParseMode mode) =>
        new SnapshotReader(SafeXml.Load(xml, "snapshot XML"), mode).Read();

    /// <summary>Refuses what <see cref="Parse"/> would ignore because it does not know it.</summary>
    /// <exception cref="CoppiceException">
    /// It is no XML, or has an element, attribute or value that Coppice does not know, which is named with its line
    /// (<see cref="ErrorKind.InvalidInput"/>); or it is hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static void Validate(string xml) => SnapshotGrammar.Check(SafeXml.Load(xml, "snapshot XML"));

    /// <summary>
    /// Writes a document in libvirt's order (R140), valid against its schema if the document is of a snapshot. Memory is
    /// written whenever the state is known (R94).
    /// </summary>
    /// <exception cref="CoppiceException">XML within the document is broken (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static string Format(SnapshotDocument document) => SafeXml.ToDocument(SnapshotWriter.Write(document));
}
