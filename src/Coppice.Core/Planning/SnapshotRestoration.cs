using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A forgotten snapshot, as a document describes it, fitted into a catalog. What the catalog knows is as the catalog says; the
/// rest has to be found in files, which <see cref="Chains"/> and <see cref="Files"/> name. Pure: no file is looked at.
/// </summary>
public sealed class SnapshotRestoration
{
    private readonly SnapshotContent _content;
    private readonly RestoredLayers _layers;

    private SnapshotRestoration(
        SnapshotDocument document, DomainDefinition definition, SnapshotContent content, RestoredLayers layers)
    {
        Document = document;
        Definition = definition;
        _content = content;
        _layers = layers;
    }

    /// <summary>The document.</summary>
    public SnapshotDocument Document { get; }

    /// <summary>The definition that the snapshot was taken with.</summary>
    public DomainDefinition Definition { get; }

    /// <summary>The images of the disks that it keeps, top first, and of the disk that holds its memory.</summary>
    public ImmutableArray<ImmutableArray<Layer>> Chains => _layers.Chains;

    /// <summary>The layers that the catalog does not know.</summary>
    public ImmutableArray<Layer> Unknown => _layers.Unknown;

    /// <summary>
    /// When files were last written that must not have changed since, by path; null if the document does not say.
    /// </summary>
    public ImmutableSortedDictionary<string, DateTimeOffset?> Files { get; private init; } =
        ImmutableSortedDictionary<string, DateTimeOffset?>.Empty;

    /// <summary>Whether the document has to say that of every file: only one without our cookie cannot.</summary>
    public bool NeedsTimes => Document.Content is not null;

    /// <summary>When the snapshot was taken, as the document says.</summary>
    public DateTimeOffset CreatedAt => _content.CreatedAt;

    /// <summary>What the domain's TPM kept; null if it had none.</summary>
    public ShortId? Tpm => _content.Tpm;

    /// <summary>Reads what a document puts back.</summary>
    /// <param name="document">The document.</param>
    /// <param name="catalog">The catalog it is to stand in.</param>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="definitions">Those that the catalog names: a device that none of them has is not the domain's.</param>
    /// <returns>Null if the snapshot was not forgotten.</returns>
    /// <exception cref="CoppiceException">
    /// The document does not fit the catalog, names files in folders where the domain has none, or does not say all that is
    /// needed; the message names it.
    /// </exception>
    public static SnapshotRestoration? Of(
        SnapshotDocument document, Catalog catalog, DomainFolder folder, IEnumerable<DomainDefinition> definitions)
    {
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(folder);
        document.CheckRedefines(catalog);
        if (SnapshotRedefinition.Known(document, catalog) is not null)
        {
            return null;
        }

        var subject = SnapshotRedefinition.Subject(document, catalog);
        var definition = SnapshotRedefinition.DefinitionOf(document, catalog) ?? throw Refuse(
            subject, "its <domain> holds the uuid only, and the snapshot is not known",
            "take the document from 'snapshot dumpxml'");
        var content = document.Content ?? InferredContent.Of(document, definition, catalog, subject);
        if (document.Content is not null)
        {
            RequireConsistent(document, definition, content, subject);
        }

        var layers = new RestoredLayers(catalog, folder, definitions, content.Layers, subject);
        layers.Keep(content);
        RequireTpmFree(content.Tpm, catalog, subject);
        if (document.Memory?.File is { } memory)
        {
            layers.RequireMemoryPlace(memory);
        }

        return new SnapshotRestoration(document, definition, content, layers) { Files = FilesOf(document, content, layers) };
    }

    /// <summary>The record.</summary>
    /// <param name="catalog">The catalog it is to stand in.</param>
    /// <param name="observed">Where the domain is, and the memory volume of its home.</param>
    /// <param name="id">Its uuid, if the document gives none.</param>
    /// <param name="definition">The stored definition.</param>
    internal Snapshot Record(Catalog catalog, Observed observed, SnapshotId id, ShortId definition) => new()
    {
        Id = Document.Id ?? id,
        Name = Document.Name!,
        Description = Document.Description,
        CreatedAt = _content.CreatedAt,
        State = _content.State,
        Parent = SnapshotRedefinition.Parent(Document, catalog),
        Definition = definition,
        Memory = Memory(catalog, observed),
        IsQuiesced = _content.IsQuiesced,
        Tpm = _content.Tpm,
        Disks = _content.Disks,
        Layers = _layers.Own,
    };

    private MemoryImage Memory(Catalog catalog, Observed observed) => Document.Memory switch
    {
        { Mode: MemoryMode.External, File: { } file } => new MemoryImage
        {
            Mode = MemoryMode.External,
            File = file,
            Format = _content.MemoryFormat,
            WrittenBy = _content.MemoryWrittenBy,
            Origin = catalog.Memories.FirstOrDefault(m => m.File == file)?.Origin
                ?? (observed.Folder.IsOwnMemory(file) ? LayerOrigin.Coppice : LayerOrigin.User),
            IsVolatile = observed.Volume is { IsVolatile: true } volume && volume.Holds(file),
        },
        { Mode: MemoryMode.Internal } => new MemoryImage
        {
            Mode = MemoryMode.Internal, Disk = _layers[_content.MemoryLayer!.Value].Disk, Layer = _content.MemoryLayer,
        },
        _ => MemoryImage.None,
    };

    private static ImmutableSortedDictionary<string, DateTimeOffset?> FilesOf(
        SnapshotDocument document, SnapshotContent content, RestoredLayers layers)
    {
        var frozen = layers.Chains.SelectMany(chain => chain).Where(l => l.Inside is null).Select(l => l.Path)
            .Concat(document.Memory?.File is { } memory ? [memory] : []);
        return frozen.Distinct(StringComparer.Ordinal).ToImmutableSortedDictionary(
            f => f, f => content.Modified.TryGetValue(f, out var time) ? time : (DateTimeOffset?)null, StringComparer.Ordinal);
    }

    /// <summary>The elements of libvirt's format and our cookie say one thing twice; somebody may have edited either.</summary>
    private static void RequireConsistent(
        SnapshotDocument document, DomainDefinition definition, SnapshotContent content, string subject)
    {
        var said = SnapshotRedefinition.Modes(content.Disks);
        var drives = definition.DisksAndFlash.Where(d => d.Source is not null).Select(d => d.Target).ToHashSet();
        var memory = document.Memory!;
        var odd = (document, content) switch
        {
            _ when SnapshotStates.Of(content.State, memory.Mode) != document.State => "<state>",
            _ when content.IsQuiesced && (content.State, memory.Mode) is not (DomainState.Running, MemoryMode.None) => "<memory>",
            _ when content.CreatedAt.ToUnixTimeSeconds() != document.CreatedAt!.Value.ToUnixTimeSeconds() => "<creationTime>",
            _ when content.MemoryLayer is not null != memory.Mode is MemoryMode.Internal => "<memory>",
            _ when !document.Disks.IsEmpty && !said.SetEquals(document.Disks.Select(d => (d.Target, d.Mode))) => "<disks>",
            _ when !drives.SetEquals(content.Disks.Select(d => d.Target)) || drives.Count != content.Disks.Length => "<domain>",
            _ when definition.Tpm is null != content.Tpm is null => "<domain>",
            _ => null,
        };
        if (odd is not null)
        {
            throw Refuse(
                subject, $"its {odd} and its <cookie> say different things", "leave both as 'snapshot dumpxml' prints them");
        }
    }

    /// <summary>Nobody writes to what another snapshot has, which may be a branch; a head or a tip goes on writing.</summary>
    private static void RequireTpmFree(ShortId? tpm, Catalog catalog, string subject)
    {
        if (tpm is { } id && catalog.Tips.Select(t => t.Head).Append(catalog.Head).Any(h => h.Tpm == id))
        {
            throw Refuse(subject, $"what its TPM kept, {id}, is in use by the domain or by a tip",
                "the snapshot cannot be put back as it was; take a new one");
        }
    }

    private static CoppiceException Refuse(string subject, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, subject, problem, nextStep);
}
