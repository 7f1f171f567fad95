using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Makes the documents of the snapshots of a domain.</summary>
internal sealed class SnapshotDocuments(IStorage storage, DomainFolder folder)
{
    /// <summary>
    /// What was made of a catalog. A list of a thousand snapshots is a thousand calls for whoever speaks libvirt's protocol, each for one document.
    /// </summary>
    private static readonly ConditionalWeakTable<Catalog, ConcurrentDictionary<SnapshotId, Made>> s_made = [];

    private readonly CatalogStore _store = new(folder);

    /// <summary>The document of a snapshot, by name or uuid.</summary>
    public async Task<SnapshotDocument> ReadAsync(string snapshot)
    {
        var (catalog, found, definition) = _store.Read(c =>
        {
            var known = c.Find(snapshot);
            return (c, known, DefinitionStore.ReadXml(folder, c, known.Definition));
        });
        return SnapshotDocument.From(catalog, found, definition, await KeptFilesAsync(catalog, found).ConfigureAwait(false));
    }

    /// <summary>The same as text.</summary>
    public async Task<string> ReadXmlAsync(SnapshotId snapshot)
    {
        var catalog = _store.Read();
        var found = catalog.Snapshots.GetValueOrDefault(snapshot) ?? throw Lookup.NoSnapshot(snapshot.ToString(), catalog);
        var files = await KeptFilesAsync(catalog, found).ConfigureAwait(false);
        var made = s_made.GetOrCreateValue(catalog);
        if (made.TryGetValue(found.Id, out var known) && known.IsOf(files))
        {
            return known.Xml;
        }

        var xml = SnapshotXml.Format(await ReadAsync(found.Id.ToString()).ConfigureAwait(false));
        made[found.Id] = new Made(files, xml);
        return xml;
    }

    private async Task<ImmutableDictionary<string, FileObservation>> KeptFilesAsync(Catalog catalog, Snapshot snapshot)
    {
        var files = await storage.ObserveFilesAsync(SnapshotContent.FrozenFiles(catalog, snapshot), CancellationToken.None).ConfigureAwait(false);
        return FrozenLayers.AsKept(files, _store.ReadRecordTimes()(snapshot.Id));
    }

    private sealed record Made(ImmutableDictionary<string, FileObservation> Files, string Xml)
    {
        public bool IsOf(ImmutableDictionary<string, FileObservation> files) =>
            files.Count == Files.Count && files.All(f => Files.TryGetValue(f.Key, out var known) && known == f.Value);
    }
}
