using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// The stored catalog of a domain: a small root, and one record a snapshot that the root names. Records are written before
/// the root names them and never changed; the root is replaced in one step, which is the commit point of every operation.
/// Readers need no lock: they read the root, then its records, and start again if a newer root has replaced it meanwhile.
/// <para>
/// The root says how the last operation ended on one line, <c>"last": "committed 1a2b3c4d"</c> or
/// <c>"last": "rolled-forward 1a2b3c4d"</c>, so that a shell that outlives its manager decides by
/// <c>grep -q '"last": "committed 1a2b3c4d"'</c>. This line is part of the format.
/// </para>
/// </summary>
public sealed class CatalogStore
{
    /// <summary>The version of the format; another one is refused, never guessed.</summary>
    public const int Version = 7;

    private const int MaximumRoot = 16 << 20;
    private const int MaximumRecord = 4 << 20;
    private const int MaximumAttempts = 100;

    private readonly DomainFolder _folder;
    private readonly string _root;

    /// <summary>The catalog of a domain.</summary>
    public CatalogStore(DomainFolder folder)
        : this(folder, folder?.CatalogRoot!)
    {
    }

    private CatalogStore(DomainFolder folder, string root)
    {
        ArgumentNullException.ThrowIfNull(folder);
        _folder = folder;
        _root = root;
    }

    /// <summary>Whether there is a root. A folder without one is no domain.</summary>
    public bool Exists => File.Exists(_root);

    /// <summary>The catalog of a domain that was undefined and not wholly removed.</summary>
    internal static CatalogStore Forgotten(DomainFolder folder) => new(folder, folder.ForgottenRoot);

    /// <summary>Reads the catalog. Needs no lock.</summary>
    /// <exception cref="CoppiceException">
    /// There is none (<see cref="ErrorKind.NotFound"/>), it is broken or of another version (<see cref="ErrorKind.Damaged"/>).
    /// </exception>
    public Catalog Read() => Read(catalog => catalog);

    /// <summary>Reads the catalog and files that it names, all of one revision.</summary>
    internal T Read<T>(Func<Catalog, T> more)
    {
        for (var attempt = 1; ; attempt++)
        {
            var root = ReadRoot();
            try
            {
                return more(Interpret(root));
            }
            catch (CoppiceException e) when (e.InnerException is FileException { IsMissing: true })
            {
                // A record, or a definition, vanishes only after a newer root was committed, maybe of a domain made anew.
                if (attempt == MaximumAttempts || ReadRoot().Last == root.Last)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>Reads the name of the domain, and nothing but the root.</summary>
    internal string ReadName() => ReadFront().Name;

    /// <summary>Whether the domain exists only as long as it runs. Reads nothing but the root.</summary>
    internal bool ReadIsPassing() => ReadFront().Persistence is Persistence.Transient or Persistence.Trial;

    /// <summary>What tells when the record of a snapshot was written, as of now. One that has gone was just replaced.</summary>
    internal Func<SnapshotId, DateTimeOffset> ReadRecordTimes() => RecordTimes(ReadRoot());

    private Func<SnapshotId, DateTimeOffset> RecordTimes(RootDocument root)
    {
        var names = root.Snapshots.ToDictionary(r => r.Snapshot);
        return id => names.TryGetValue(id, out var name) && FileSystem.Look(PathOf(name)) is { } record
            ? record.ModifiedAt
            : DateTimeOffset.MaxValue;
    }

    /// <summary>Reads the catalog and the definition in force.</summary>
    internal (Catalog Catalog, DomainDefinition Definition) ReadWithDefinition() =>
        Read(catalog => (catalog, DefinitionStore.Read(_folder, catalog, catalog.Head.Definition)));

    /// <summary>Makes the first revision. The folder must have no catalog.</summary>
    public Task CreateAsync(Catalog catalog)
    {
        MakeRecords();
        return WriteRootAsync(RootDocument.Of(catalog, []));
    }

    /// <summary>
    /// Computes the next catalog, or the first one, and writes its new records; nothing refers to them yet.
    /// </summary>
    /// <param name="change">What becomes of the stored catalog.</param>
    /// <param name="last">The operation that makes it.</param>
    public async Task<StagedCatalog> StageAsync(CatalogChange change, LastOperation last)
    {
        MakeRecords();
        var root = Exists ? ReadRoot() : Unmade(change, last);
        var catalog = change.ApplyTo(Interpret(root), last);
        var put = change.Put.Select(s => s.Id).Concat(change.Refrozen).Where(catalog.Snapshots.ContainsKey).ToHashSet();
        var recordedAt = RecordTimes(root);
        foreach (var id in put)
        {
            var path = PathOf(new RecordName(id, catalog.Revision));
            var record = new RecordDocument(Version, catalog.Snapshots[id]);
            await WriteAsync(path, record, EngineJson.Document<RecordDocument>()).ConfigureAwait(false);
            if (!change.Refrozen.Contains(id) && recordedAt(id) is var time && time < DateTimeOffset.MaxValue)
            {
                // A snapshot with another name has frozen its layers when it did.
                FileSystem.SetModified(path, time);
            }
        }

        var kept = root.Snapshots.Where(r => !put.Contains(r.Snapshot) && catalog.Snapshots.ContainsKey(r.Snapshot));
        var written = put.Select(id => new RecordName(id, catalog.Revision));
        return new StagedCatalog(catalog, RootDocument.Of(catalog, kept.Concat(written)));
    }

    /// <summary>Replaces the root. When this returns, the operation stands.</summary>
    public Task CommitAsync(StagedCatalog staged)
    {
        ArgumentNullException.ThrowIfNull(staged);
        return WriteRootAsync(staged.Root);
    }

    /// <summary>Undefines the domain, in one step. What it named is removed afterwards.</summary>
    internal void Forget() => DurableFile.Rename(_root, _folder.ForgottenRoot);

    /// <summary>Makes sure that the root that can be read is also the one that is read after a loss of power.</summary>
    public void Flush()
    {
        if (Directory.Exists(Path.GetDirectoryName(_root)))
        {
            DurableFolder.Flush(Path.GetDirectoryName(_root)!);
        }
    }

    /// <summary>Removes the records that the root does not name, and what an interrupted write left. Needs the lock.</summary>
    public void Tidy()
    {
        MakeRecords();
        foreach (var path in Unnamed())
        {
            DurableFile.Remove(path);
        }
    }

    /// <summary>The records that the root does not name, and what an interrupted write left.</summary>
    internal ImmutableArray<string> Unnamed()
    {
        var named = (Exists ? ReadRoot().Snapshots : []).Select(PathOf).ToHashSet(StringComparer.Ordinal);
        var records = Directory.Exists(_folder.CatalogRecords) ? Directory.EnumerateFiles(_folder.CatalogRecords) : [];
        return [.. records.Append(_root + ".new").Where(p => !named.Contains(p) && File.Exists(p)).Order(StringComparer.Ordinal)];
    }

    private Task WriteRootAsync(RootDocument root) => WriteAsync(_root, root, EngineJson.Document<RootDocument>());

    /// <summary>What the change that makes a domain is applied to.</summary>
    private RootDocument Unmade(CatalogChange change, LastOperation last) => RootDocument.Of(
        new Catalog
        {
            Domain = DomainId.Parse(Path.GetFileName(_folder.Path)),
            Name = change.Name ?? throw new ArgumentException("the first change names the domain", nameof(change)),
            Head = change.Head,
            Last = last,
        },
        []);

    private RootDocument ReadRoot() => ReadRoot(EngineJson.Document<RootDocument>());

    private RootFront ReadFront() => ReadRoot(FrontJson.Default.RootFront);

    private T ReadRoot<T>(JsonTypeInfo<T> type)
    {
        try
        {
            return Read(_root, MaximumRoot, type);
        }
        catch (CoppiceException e) when (e.InnerException is FileException { IsMissing: true } missing)
        {
            throw new CoppiceException(ErrorKind.NotFound, $"domain in {_folder.Path}", "is not there", "", missing);
        }
    }

    private Catalog Interpret(RootDocument root)
    {
        var snapshots = root.Snapshots.Select(ReadRecord).ToImmutableArray();
        try
        {
            return root.ToCatalog(snapshots);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw Damaged(_root, e.Message, e);
        }
    }

    private Snapshot ReadRecord(RecordName name)
    {
        var path = PathOf(name);
        var snapshot = Read(path, MaximumRecord, EngineJson.Document<RecordDocument>()).Snapshot;
        return snapshot.Id == name.Snapshot ? snapshot : throw Damaged(path, $"it describes another snapshot, {snapshot.Id}", null);
    }

    // Again, if need be: a backup may have left out a folder that was empty.
    private void MakeRecords() => DurableFolder.Create(_folder.CatalogRecords);

    private string PathOf(RecordName name) => $"{_folder.CatalogRecords}/{name}.json";

    private static Task WriteAsync<T>(string path, T document, JsonTypeInfo<T> type) =>
        DurableFile.ReplaceAsync(path, (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(document, type), (byte)'\n']);

    private static T Read<T>(string path, int maximum, JsonTypeInfo<T> type)
    {
        try
        {
            var content = DurableFile.ReadBounded(path, maximum);
            var version = EngineJson.Version(content);
            return version == Version
                ? JsonSerializer.Deserialize(content, type)!
                : throw new CoppiceException(
                    ErrorKind.Damaged, path, $"has version {version}, and this Coppice reads version {Version}",
                    "use the version of Coppice that wrote it");
        }
        catch (JsonException e)
        {
            throw Damaged(path, e.Message, e);
        }
        catch (FileException e)
        {
            throw e.IsMissing || e.ErrorNumber == 0 ? Damaged(path, e.Problem, e) : Failure.Of(e);
        }
    }

    private static CoppiceException Damaged(string path, string problem, Exception? cause) => new(
        ErrorKind.Damaged, path, $"cannot be read: {problem}", "restore the catalog folder from a backup", cause);
}

/// <summary>A catalog whose records are written and whose root is not.</summary>
public sealed class StagedCatalog
{
    internal StagedCatalog(Catalog catalog, RootDocument root)
    {
        Catalog = catalog;
        Root = root;
    }

    /// <summary>The catalog once it is committed.</summary>
    public Catalog Catalog { get; }

    internal RootDocument Root { get; }
}
