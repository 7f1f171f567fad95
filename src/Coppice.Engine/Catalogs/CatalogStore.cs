using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
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
    public const int Version = 8;

    private const int MaximumRoot = 16 << 20;
    private const int MaximumRecord = 4 << 20;
    private const int MaximumAttempts = 100;
    private const int ReadAtOnce = 256;

    private readonly DomainFolder _folder;
    private readonly string _root;
    private readonly KnownCatalogs _known;

    /// <summary>The records that the commits of this object have replaced, and that are still there.</summary>
    private ImmutableArray<RecordName> _replaced = [];

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
        _known = KnownCatalogs.Of(folder.Home);
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

    /// <summary>The same, from disk also where this process knows the catalog, so that damage is found.</summary>
    /// <exception cref="CoppiceException">As <see cref="Read()"/>.</exception>
    public Catalog ReadAnew()
    {
        _known.Forget(_root);
        return Read();
    }

    /// <summary>Reads the catalog and files that it names, all of one revision.</summary>
    internal T Read<T>(Func<Catalog, T> more) => ReadKnown(known => more(known.Catalog));

    private T ReadKnown<T>(Func<KnownCatalog, T> more)
    {
        for (var attempt = 1; ; attempt++)
        {
            var known = _known.Find(_root);
            var content = known?.Content ?? ReadRoot();
            try
            {
                return more(known ?? Interpret(content));
            }
            catch (CoppiceException e) when (e.InnerException is FileException { IsMissing: true })
            {
                // A record, or a definition, vanishes only after a newer root was committed, maybe of a domain made anew.
                if (attempt == MaximumAttempts || DurableFile.Holds(_root, content.Span))
                {
                    throw;
                }
            }
        }
    }

    /// <summary>Reads the name of the domain, and nothing but the root.</summary>
    internal string ReadName() => _known.Find(_root)?.Catalog.Name ?? ReadFront().Name;

    /// <summary>The catalog, if this process knows it and one look at the root's file says that it is still that; null otherwise.</summary>
    internal Catalog? Known => _known.Find(_root)?.Catalog;

    /// <summary>Whether the domain exists only as long as it runs. Reads nothing but the root.</summary>
    internal bool ReadIsPassing() =>
        (_known.Find(_root)?.Catalog.Persistence ?? ReadFront().Persistence) is Persistence.Transient or Persistence.Trial;

    /// <summary>What tells when the record of a snapshot was written, as of now. One that has gone was just replaced.</summary>
    internal Func<SnapshotId, DateTimeOffset> ReadRecordTimes() => RecordTimes(ReadKnown(known => known));

    private Func<SnapshotId, DateTimeOffset> RecordTimes(KnownCatalog? known) => id =>
    {
        if (known is null || !known.Records.TryGetValue(id, out var name))
        {
            return DateTimeOffset.MaxValue;
        }

        if (!known.Times.TryGetValue(name, out var time) && FileSystem.Look(PathOf(name)) is { } record)
        {
            time = known.Times[name] = record.ModifiedAt;
        }

        return time == default ? DateTimeOffset.MaxValue : time;
    };

    /// <summary>Reads the catalog and the definition in force.</summary>
    internal (Catalog Catalog, DomainDefinition Definition) ReadWithDefinition() =>
        Read(catalog => (catalog, DefinitionStore.Read(_folder, catalog, catalog.Head.Definition)));

    /// <summary>Makes the first revision. The folder must have no catalog.</summary>
    public Task CreateAsync(Catalog catalog)
    {
        MakeRecords();
        return CommitAsync(new StagedCatalog(catalog, RootDocument.Of(catalog, []), []));
    }

    /// <summary>
    /// Computes the next catalog, or the first one, and writes its new records; nothing refers to them yet.
    /// </summary>
    /// <param name="change">What becomes of the stored catalog.</param>
    /// <param name="last">The operation that makes it.</param>
    public async Task<StagedCatalog> StageAsync(CatalogChange change, LastOperation last)
    {
        MakeRecords();
        var known = Exists ? Current() : null;
        var catalog = change.ApplyTo(known?.Catalog ?? Unmade(change, last), last);
        var put = change.Put.Select(s => s.Id).Concat(change.Refrozen).Where(catalog.Snapshots.ContainsKey).ToHashSet();
        var recordedAt = RecordTimes(known);
        foreach (var id in put)
        {
            var path = PathOf(new RecordName(id, catalog.Revision));
            var record = new RecordDocument(Version, catalog.Snapshots[id]);
            await DurableFile.ReplaceAsync(path, StoredDocument.Serialize(record, EngineJson.Document<RecordDocument>())).ConfigureAwait(false);
            if (!change.Refrozen.Contains(id) && recordedAt(id) is var time && time < DateTimeOffset.MaxValue)
            {
                // A snapshot with another name has frozen its layers when it did.
                FileSystem.SetModified(path, time);
            }
        }

        var kept = (known?.Root.Snapshots ?? []).Where(r => !put.Contains(r.Snapshot) && catalog.Snapshots.ContainsKey(r.Snapshot));
        var written = put.Select(id => new RecordName(id, catalog.Revision)).OrderBy(r => r.Snapshot.Value);
        return new StagedCatalog(catalog, RootDocument.Of(catalog, kept.Concat(written)), known?.Times ?? [])
        {
            Replaced = known is null ? [] :
                [.. put.Concat(change.Drop).Where(known.Records.ContainsKey).Select(id => known.Records[id])],
        };
    }

    /// <summary>Replaces the root. When this returns, the operation stands.</summary>
    public async Task CommitAsync(StagedCatalog staged)
    {
        ArgumentNullException.ThrowIfNull(staged);
        var content = StoredDocument.Serialize(staged.Root, EngineJson.Document<RootDocument>());
        await DurableFile.ReplaceAsync(_root, content).ConfigureAwait(false);
        _known.Keep(_root, new KnownCatalog(content, staged.Root, staged.Catalog, staged.Times));
        _replaced = [.. _replaced, .. staged.Replaced];
        foreach (var name in staged.Replaced)
        {
            staged.Times.TryRemove(name, out _);
        }
    }

    /// <summary>Undefines the domain, in one step. What it named is removed afterwards.</summary>
    internal void Forget()
    {
        DurableFile.Rename(_root, _folder.ForgottenRoot);
        _known.Forget(_root);
    }

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
        Remove(Unnamed());
    }

    /// <summary>
    /// Removes the records that commits of this object have replaced; the folder, which may have thousands of others, is not looked
    /// at. Needs the lock.
    /// </summary>
    public void TidyReplaced() => Remove(_replaced.Select(PathOf));

    /// <summary>The records that the root does not name, and what an interrupted write left.</summary>
    internal ImmutableArray<string> Unnamed()
    {
        var root = !Exists ? null : _known.Find(_root)?.Root ?? StoredDocument.Parse(_root, ReadRoot().Span, EngineJson.Document<RootDocument>());
        var named = (root?.Snapshots ?? []).Select(PathOf).ToHashSet(StringComparer.Ordinal);
        var records = Directory.Exists(_folder.CatalogRecords) ? Directory.EnumerateFiles(_folder.CatalogRecords) : [];
        return [.. records.Append(_root + ".new").Where(p => !named.Contains(p) && File.Exists(p)).Order(StringComparer.Ordinal)];
    }

    /// <summary>What the change that makes a domain is applied to.</summary>
    private Catalog Unmade(CatalogChange change, LastOperation last) => new()
    {
        Domain = DomainId.Parse(Path.GetFileName(_folder.Path)),
        Name = change.Name ?? throw new ArgumentException("the first change names the domain", nameof(change)),
        Head = change.Head,
        Last = last,
    };

    private ReadOnlyMemory<byte> ReadRoot()
    {
        try
        {
            return StoredDocument.Read(_root, MaximumRoot);
        }
        catch (CoppiceException e) when (e.InnerException is FileException { IsMissing: true } missing)
        {
            _known.Forget(_root);
            throw new CoppiceException(ErrorKind.NotFound, $"domain in {_folder.Path}", "is not there", "", missing);
        }
    }

    private RootFront ReadFront() => StoredDocument.Parse(_root, ReadRoot().Span, FrontJson.Default.RootFront);

    /// <summary>What is stored, for whoever has the lock: nobody replaces it meanwhile.</summary>
    private KnownCatalog Current() => _known.Find(_root) ?? Interpret(ReadRoot());

    private KnownCatalog Interpret(ReadOnlyMemory<byte> content)
    {
        var root = StoredDocument.Parse(_root, content.Span, EngineJson.Document<RootDocument>());
        var snapshots = ReadRecords(root.Snapshots);
        try
        {
            var read = new KnownCatalog(content, root, root.ToCatalog(snapshots), []);
            _known.Keep(_root, read);
            return read;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw StoredDocument.Damaged(_root, e.Message, e);
        }
    }

    /// <summary>Thousands of files are read by all processors; the first that cannot be read is told.</summary>
    private Snapshot[] ReadRecords(ImmutableArray<RecordName> names)
    {
        if (names.Length < ReadAtOnce)
        {
            return [.. names.Select(ReadRecord)];
        }

        var snapshots = new Snapshot[names.Length];
        try
        {
            Parallel.For(0, names.Length, i => snapshots[i] = ReadRecord(names[i]));
            return snapshots;
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            throw;
        }
    }

    private Snapshot ReadRecord(RecordName name)
    {
        var path = PathOf(name);
        var snapshot = StoredDocument.Parse(path, StoredDocument.Read(path, MaximumRecord), EngineJson.Document<RecordDocument>()).Snapshot;
        return snapshot.Id == name.Snapshot ? snapshot : throw StoredDocument.Damaged(path, $"it describes another snapshot, {snapshot.Id}", null);
    }

    private void Remove(IEnumerable<string> records)
    {
        foreach (var path in records)
        {
            DurableFile.Remove(path);
        }

        _replaced = [];
    }

    // Again, if need be: a backup may have left out a folder that was empty.
    private void MakeRecords() => DurableFolder.Create(_folder.CatalogRecords);

    private string PathOf(RecordName name) => $"{_folder.CatalogRecords}/{name}.json";
}
