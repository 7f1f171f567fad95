using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>What can be read of a home.</summary>
public sealed partial class Home
{
    /// <summary>
    /// Every domain, those that cannot be read included. Waits for no lock; if that of the home is free, what a crash left is
    /// removed first, and transient domains that have ended are settled (R166).
    /// </summary>
    public async Task<DomainList> ListAsync(CancellationToken cancellation = default)
    {
        await new Leftovers(_options, _folder).TidyIfFreeAsync().ConfigureAwait(false);
        var views = await ViewAllAsync(cancellation).ConfigureAwait(false);
        var ended = views.Select(v => v.View).OfType<DomainView>()
            .Where(v => v is { Catalog.Persistence: Persistence.Transient, Hypervisor.IsAlive: false } or { Catalog.Persistence: Persistence.Trial })
            .Select(v => v.Folder)
            .Where(_ends.HasEnded).ToArray();
        ImmutableArray<string> settled = [];
        if (ended.Length > 0)
        {
            settled = await _ends.TidyIfFreeAsync(ended, cancellation).ConfigureAwait(false);
            views = await ViewAllAsync(cancellation).ConfigureAwait(false);
        }

        return new DomainList(
            [.. views.Select(v => v.View).OfType<DomainView>().OrderBy(v => v.Catalog.Name, StringComparer.Ordinal)],
            [.. views.Select(v => v.Broken).OfType<BrokenDomain>()])
        {
            Warnings = settled,
        };
    }

    /// <summary>What is stored of every domain that can be read, by name. Asks no process; settles what <see cref="ListAsync"/> settles.</summary>
    public async Task<ImmutableArray<Catalog>> ListCatalogsAsync(CancellationToken cancellation = default)
    {
        await new Leftovers(_options, _folder).TidyIfFreeAsync().ConfigureAwait(false);
        if (_finder.Folders().Where(_ends.HasEnded).ToArray() is { Length: > 0 } ended)
        {
            await _ends.TidyIfFreeAsync(ended, cancellation).ConfigureAwait(false);
        }

        return ReadCatalogs();
    }

    /// <summary>
    /// One domain. Waits for no lock; if it is transient and has ended, it is settled first if that of the home is free.
    /// </summary>
    /// <exception cref="CoppiceException">There is none of that name or uuid (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<DomainView> ShowAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, async folder =>
        {
            if (!_ends.HasEnded(folder))
            {
                var view = await ViewAsync(folder, cancellation).ConfigureAwait(false);
                var observer = new MergeObserver(_options, folder, view.Catalog, isForeseen: false);
                return view with
                {
                    Left = await observer.LeftAsync(view.Hypervisor, cancellation).ConfigureAwait(false),
                    Renames = await observer.RenamesAsync(view.Hypervisor, cancellation).ConfigureAwait(false),
                };
            }

            var settled = await _ends.TidyIfFreeAsync([folder], cancellation).ConfigureAwait(false);
            try
            {
                return await ViewAsync(_finder.Find(nameOrId), cancellation).ConfigureAwait(false) with { Warnings = settled };
            }
            catch (CoppiceException e) when (!settled.IsEmpty)
            {
                throw e.And(string.Join("; ", settled));
            }
        });

    /// <summary>
    /// What is stored of a domain. Asks no process and waits for no lock; if it is transient and has ended, it is settled first if that of the
    /// home is free.
    /// </summary>
    /// <exception cref="CoppiceException">There is none of that name or uuid (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<Catalog> ReadCatalogAsync(string nameOrId, CancellationToken cancellation = default) =>
        // Whoever serves clients asks this with each call, and one that stays when it ends needs no settling.
        _finder.Known(nameOrId) is { Persistence: Persistence.Persistent or Persistence.Autostart } known ? Task.FromResult(known)
        : ReadAsync(nameOrId, async folder =>
        {
            if (_ends.HasEnded(folder))
            {
                await _ends.TidyIfFreeAsync([folder], cancellation).ConfigureAwait(false);
                folder = _finder.Find(nameOrId);
            }

            return new CatalogStore(folder).Read();
        });

    /// <summary>What is stored of every domain that can be read, by name. Asks no process, waits for no lock and settles nothing.</summary>
    public ImmutableArray<Catalog> ReadCatalogs() =>
        [.. _finder.Catalogs().OrderBy(c => c.Name, StringComparer.Ordinal)];

    /// <summary>The folders in which all that a domain had was kept when it was undefined (<see cref="UndefineDomain.Keep"/>).</summary>
    public ImmutableArray<string> ReadUndefined(DomainId domain) =>
        [.. _finder.Undefined().Where(p => p.StartsWith($"{_folder.Domain(domain).Path}.", StringComparison.Ordinal))];

    /// <summary>Where a domain keeps its things.</summary>
    public DomainFolder FolderOf(Catalog catalog)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return _folder.Domain(catalog.Domain);
    }

    /// <summary>The number of the process that runs a domain, on this host; null if it is off. Asks no process.</summary>
    public int? ReadProcessId(Catalog catalog)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return catalog.Head.Process is { } process ? _options.Hypervisor.ProcessId(FolderOf(catalog), process) : null;
    }

    /// <summary>A domain and what it is doing. Waits for no lock and settles nothing.</summary>
    /// <exception cref="CoppiceException">There is none of that name or uuid (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<DomainView> ObserveAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => ViewAsync(folder, cancellation));

    /// <summary>What a definition can ask of the hypervisor on this host.</summary>
    /// <exception cref="CoppiceException">It is not installed or does not answer (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task<HypervisorDescription> DescribeHypervisorAsync(CancellationToken cancellation = default) =>
        _options.Hypervisor.DescribeAsync(cancellation);

    /// <summary>What the snapshots, tips and the head of a domain take on disk. Takes no lock.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<DomainUsage> ReadUsageAsync(string nameOrId, CancellationToken cancellation = default) => ReadAsync(
        nameOrId, folder => UnlockedReading.ReadAsync(new CatalogStore(folder), c => UsageAsync(c, cancellation), (_, _, _) => false));

    /// <summary>
    /// What differs between two snapshots of a domain, or a snapshot and the head. Takes no lock; the domain may run.
    /// </summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="first">A snapshot, by name or uuid.</param>
    /// <param name="second">Another; null for the head.</param>
    /// <param name="disk">The only disk to compare, by target; null for all.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="CoppiceException">
    /// There is no such domain, snapshot or disk (<see cref="ErrorKind.NotFound"/>), an image cannot be read, or others change
    /// the domain all the while (<see cref="ErrorKind.Busy"/>).
    /// </exception>
    public Task<SnapshotDifference> CompareAsync(
        string nameOrId, string first, string? second, string? disk, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => new SnapshotComparer(_options, folder).CompareAsync(first, second, disk, cancellation));

    /// <summary>
    /// Reads what a snapshot, or every snapshot of a domain, relies on, against checksums that were taken before. Takes no lock;
    /// the domain may run.
    /// </summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="snapshot">The snapshot, by name or uuid; null for all.</param>
    /// <param name="take">Take the checksums that are missing, of what was not written since it froze.</param>
    /// <param name="cancellation">Ends the reading; what was taken by then stays.</param>
    /// <exception cref="CoppiceException">There is no such domain or snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<ImmutableArray<Verification>> VerifyAsync(
        string nameOrId, string? snapshot, bool take, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => new SnapshotVerifier(_options, folder).VerifyAsync(snapshot, take, cancellation));

    /// <summary>The snapshots of a domain that rely on something of which there is no checksum that counts. Reads no image.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be read.</exception>
    public Task<ImmutableHashSet<SnapshotId>> ReadUnverifiedAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => new SnapshotVerifier(_options, folder).FindUnverifiedAsync(new CatalogStore(folder).Read(), cancellation));

    /// <summary>Whether a domain lacks checksums, and nobody is taking them. Reads no image.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be read.</exception>
    public Task<bool> NeedsChecksumsAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => new ChecksumTaker(_options, folder).IsNeededAsync(cancellation));

    /// <summary>
    /// Takes the checksums that a domain lacks, for whoever does that in the background: it takes no lock of the domain, lets go of what
    /// vanishes or is merged meanwhile, ends with the domain, and does nothing if somebody else is at it. It may be ended at any time.
    /// </summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="cancellation">Ends it; what was taken by then stays.</param>
    /// <exception cref="CoppiceException">There is no such domain, or no longer (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task TakeChecksumsAsync(string nameOrId, CancellationToken cancellation = default) => ReadAsync(nameOrId, async folder =>
    {
        await new ChecksumTaker(_options, folder).RunAsync(cancellation).ConfigureAwait(false);
        return true;
    });

    /// <summary>
    /// Compares catalogs, files, image tables, links and processes. Changes nothing and waits for no lock; a domain on which
    /// another command is at work is not judged.
    /// </summary>
    /// <param name="nameOrId">The domain; null for all, and for what belongs to none.</param>
    /// <param name="cancellation">Ends the check.</param>
    /// <returns>What is wrong, the worst first.</returns>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>).</exception>
    public async Task<ImmutableArray<Finding>> CheckAsync(string? nameOrId, CancellationToken cancellation = default)
    {
        var checker = new Checker(_options, _folder, _finder);
        if (nameOrId is not null)
        {
            return await ReadAsync(nameOrId, folder => checker.CheckAsync(folder, cancellation)).ConfigureAwait(false);
        }

        var findings = new List<Finding>(checker.CheckHome());
        foreach (var folder in _finder.Folders().Where(f => new CatalogStore(f).Exists))
        {
            try
            {
                findings.AddRange(await checker.CheckAsync(folder, cancellation).ConfigureAwait(false));
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound && !new CatalogStore(folder).Exists)
            {
                // It was undefined meanwhile.
                continue;
            }
        }

        return Finding.Sorted(findings);
    }

    /// <summary>
    /// The names of the domains that can be read, in order. Asks no process, takes no lock and settles nothing: for completion.
    /// </summary>
    public ImmutableArray<string> ReadNames() => [.. _finder.Names().Order(StringComparer.Ordinal)];

    /// <summary>The names of the snapshots of a domain, likewise.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be
    /// read.</exception>
    public ImmutableArray<string> ReadSnapshotNames(string nameOrId)
    {
        ArgumentNullException.ThrowIfNull(nameOrId);
        return [.. new CatalogStore(_finder.Find(nameOrId)).Read().Snapshots.Values.Select(s => s.Name)];
    }

    /// <summary>The ids of the tips of a domain, likewise.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be
    /// read.</exception>
    public ImmutableArray<string> ReadTipIds(string nameOrId)
    {
        ArgumentNullException.ThrowIfNull(nameOrId);
        return [.. new CatalogStore(_finder.Find(nameOrId)).Read().Tips.Select(t => t.Id.Value)];
    }

    /// <summary>The ids of the merges and copies of disks of a domain, likewise.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be
    /// read.</exception>
    public ImmutableArray<string> ReadJobIds(string nameOrId)
    {
        ArgumentNullException.ThrowIfNull(nameOrId);
        var catalog = new CatalogStore(_finder.Find(nameOrId)).Read();
        return [.. catalog.Jobs.Select(j => j.Id.Value), .. catalog.Mirrors.Select(m => m.Id.Value)];
    }

    /// <summary>The definition in force of a domain, in libvirt's format. Takes no lock.</summary>
    public Task<string> ReadDefinitionXmlAsync(string nameOrId) => ReadAsync(
        nameOrId,
        folder => Task.FromResult(new CatalogStore(folder).Read(c => DefinitionStore.ReadXml(folder, c, c.Head.Definition))));

    /// <summary>A snapshot of a domain in libvirt's format, with the definition it was taken with. Takes no lock.</summary>
    /// <exception cref="CoppiceException">There is no such domain or snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<SnapshotDocument> ReadSnapshotAsync(string nameOrId, string snapshot) =>
        ReadAsync(nameOrId, folder => new SnapshotDocuments(_options.Storage, folder).ReadAsync(snapshot));

    /// <summary>The same as text. One that was read before is not made again, as long as the catalog and its files are the same.</summary>
    /// <exception cref="CoppiceException">There is no such domain or snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<string> ReadSnapshotXmlAsync(string nameOrId, SnapshotId snapshot) =>
        ReadAsync(nameOrId, folder => new SnapshotDocuments(_options.Storage, folder).ReadXmlAsync(snapshot));

    /// <summary>The merges of a domain that are on record, and how far they have come. Takes no lock.</summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="job">The id of one; null for all.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">There is no such domain or job (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<ImmutableArray<JobView>> ReadJobsAsync(string nameOrId, string? job = null, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, async folder =>
        {
            var view = await ViewAsync(folder, cancellation).ConfigureAwait(false);
            return await JobView.OfAsync(view, Jobs.Named(view.Catalog, job), _options.Hypervisor, cancellation).ConfigureAwait(false);
        });

    /// <summary>The disks of a domain that are being copied, and how far that has come. Takes no lock.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<ImmutableArray<MirrorView>> ReadMirrorsAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, folder => MirrorView.OfAsync(folder, new CatalogStore(folder).Read(), _options.Hypervisor, cancellation));

    private async Task<T> ReadAsync<T>(string nameOrId, Func<DomainFolder, Task<T>> read)
    {
        ArgumentNullException.ThrowIfNull(nameOrId);
        try
        {
            return await read(_finder.Find(nameOrId)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (CoppiceException or OperationCanceledException))
        {
            throw Failure.Of(e, $"domain '{nameOrId}'");
        }
    }

    private async Task<DomainUsage> UsageAsync(Catalog catalog, CancellationToken cancellation)
    {
        var paths = LayerGraph.Of(catalog).All.Select(l => l.Path).Concat(catalog.Memories.Select(m => m.File).OfType<string>());
        return DomainUsage.Of(catalog, await _options.Storage.ObserveFilesAsync(paths, cancellation).ConfigureAwait(false));
    }

    private async Task<DomainView> ViewAsync(DomainFolder folder, CancellationToken cancellation)
    {
        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        var observed = await _options.Hypervisor
            .ObserveAsync(folder, catalog.Head.Process, definition, catalog.Written, cancellation).ConfigureAwait(false);
        return new DomainView(folder, catalog, definition, observed.For(catalog.Head));
    }

    private Task<(DomainView? View, BrokenDomain? Broken)[]> ViewAllAsync(CancellationToken cancellation) =>
        Task.WhenAll(_finder.Folders().Select(f => TryViewAsync(f, cancellation)));

    private async Task<(DomainView? View, BrokenDomain? Broken)> TryViewAsync(DomainFolder folder, CancellationToken cancellation)
    {
        try
        {
            return (await ViewAsync(folder, cancellation).ConfigureAwait(false), null);
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            // One that was undefined, or is being defined, while we looked is no domain.
            var error = Failure.Of(e, folder.Path);
            return error.Kind is ErrorKind.NotFound && Leftovers.Are(folder) ? default : (null, new BrokenDomain(folder, error));
        }
    }
}
