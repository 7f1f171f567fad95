using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What documents of another program, libvirt's above all, say of snapshots that are adopted: what no image tells. What an image
/// does tell counts, and a document that says otherwise is refused.
/// </summary>
internal sealed class ForeignDocuments
{
    private readonly Dictionary<string, SnapshotDocument> _documents = new(StringComparer.Ordinal);
    private readonly Catalog _catalog;

    /// <exception cref="CoppiceException">
    /// One has no name or that of another, or is about another domain (<see cref="ErrorKind.InvalidInput"/>).
    /// </exception>
    public ForeignDocuments(Catalog catalog, ImmutableArray<SnapshotDocument> documents)
    {
        _catalog = catalog;
        foreach (var document in documents)
        {
            var subject = SnapshotRedefinition.Subject(document, catalog);
            if (document.Name is not { } name || !_documents.TryAdd(name, document))
            {
                throw Refuse(subject, "more than one document is of it, or one says no <name>", "give each snapshot's document once");
            }

            if (document.DomainId is { } domain && domain != catalog.Domain)
            {
                throw Refuse(subject, $"its <domain> has the uuid {domain}, another domain's", "give the documents of this domain");
            }

            SnapshotNaming.CheckDescription(document.Description, catalog);
        }
    }

    /// <summary>A snapshot with what its document says, if there is one.</summary>
    /// <param name="found">The snapshot as its images tell of it.</param>
    /// <param name="earlier">Those that were adopted before it. Only they, and those of the catalog, can be its parent.</param>
    /// <exception cref="CoppiceException">The document contradicts the images, or its parent is not there.</exception>
    public Snapshot Describe(Snapshot found, IEnumerable<Snapshot> earlier)
    {
        if (!_documents.TryGetValue(found.Name, out var document))
        {
            return found;
        }

        var subject = SnapshotRedefinition.Subject(document, _catalog);
        var said = document.State ?? throw Refuse(subject, "it says no <state>", "give the document as the other program wrote it");
        var (state, hasMemory) = (SnapshotStates.DomainOf(said), !SnapshotStates.HasNoMemory(said));
        if ((state is DomainState.Off, hasMemory) != (found.State is DomainState.Off, found.Memory.Mode is not MemoryMode.None))
        {
            throw Refuse(
                subject,
                $"its <state> is '{SnapshotStates.Word(said)}', and its images say '{SnapshotStates.Word(SnapshotStates.Of(found))}'",
                "leave its document out to go by the images");
        }

        return found with { Description = document.Description, State = state, Parent = Parent(document, earlier, subject) };
    }

    /// <summary>The snapshot that documents call current; null if none of these is.</summary>
    public SnapshotId? Current(IEnumerable<Snapshot> adopted) =>
        adopted.FirstOrDefault(s => _documents.TryGetValue(s.Name, out var document) && document.IsActive is true)?.Id;

    /// <summary>All of them, the oldest first.</summary>
    public IEnumerable<SnapshotDocument> ByTime => _documents.Values.OrderBy(d => d.CreatedAt).ThenBy(d => d.Name, StringComparer.Ordinal);

    /// <summary>The names in documents that are of none of these.</summary>
    public IEnumerable<string> Others(IEnumerable<Snapshot> adopted) =>
        _documents.Keys.Except(adopted.Select(s => s.Name), StringComparer.Ordinal).Order(StringComparer.Ordinal);

    /// <summary>The parent that a document names; null for a root.</summary>
    /// <exception cref="CoppiceException">It is not there (<see cref="ErrorKind.NotFound"/>).</exception>
    public SnapshotId? Parent(SnapshotDocument document, IEnumerable<Snapshot> earlier, string subject)
    {
        if (document.Parent is not { } name)
        {
            return null;
        }

        var parent = earlier.Concat(_catalog.Snapshots.Values).FirstOrDefault(s => s.Name == name);
        return parent?.Id ?? throw new CoppiceException(
            ErrorKind.NotFound, subject, $"its <parent> '{name}' is neither in the tree nor among what was taken before it",
            "leave its document out, or give its parent's place to one that is there");
    }

    public static CoppiceException Refuse(string subject, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, subject, problem, nextStep);
}
