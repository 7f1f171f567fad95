using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// The domains below one folder: the one way in, for the command line, the server and .NET callers alike. A change is a
/// request; it goes through lock, recovery, observation, plan, execution and commit. Readers wait for no lock, nor do plans.
/// </summary>
public sealed class Home
{
    private readonly HomeOptions _options;
    private readonly HomeFolder _folder;
    private readonly DomainFinder _finder;
    private readonly TransientEnds _ends;

    private Home(HomeOptions options)
    {
        _options = options;
        _folder = new HomeFolder(options.Path);
        _finder = new DomainFinder(_folder);
        _ends = new TransientEnds(_options, _folder);
    }

    /// <summary>Opens a home. Nothing is read or made yet.</summary>
    /// <exception cref="CoppiceException">The path is not absolute (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static Home Open(HomeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Path.IsPathFullyQualified(options.Path)
            ? new Home(options with { Path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.Path)) })
            : throw new CoppiceException(ErrorKind.InvalidInput, $"home '{options.Path}'", "is not an absolute path", "give one");
    }

    /// <summary>Carries out a request, or plans it only.</summary>
    /// <exception cref="CoppiceException">
    /// It was not done; unless the message says otherwise, everything is as it was. Warnings in the result are no failure.
    /// </exception>
    public async Task<OperationResult> RunAsync(Request request, RunOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(options);
        var start = _options.Time.GetTimestamp();
        var announcer = new Announcer(options.OnEvent);
        var call = new Call(_options, request, options, announcer, cancellation);
        try
        {
            var result = await RunAsync(call).ConfigureAwait(false);
            return result with { Elapsed = _options.Time.GetElapsedTime(start) };
        }
        catch (Exception e) when (!announcer.IsAbandoned && e is not CoppiceException)
        {
            throw Failure.Of(e, request.Operation);
        }
    }

    /// <summary>
    /// Every domain, those that cannot be read included. Waits for no lock; if that of the home is free, what a crash left is
    /// removed first, and transient domains that have ended are settled (R166).
    /// </summary>
    public async Task<DomainList> ListAsync(CancellationToken cancellation = default)
    {
        await new Leftovers(_options, _folder).TidyIfFreeAsync().ConfigureAwait(false);
        var views = await ViewAllAsync(cancellation).ConfigureAwait(false);
        var ended = views.Select(v => v.View).OfType<DomainView>()
            .Where(v => v is { Catalog.Persistence: Persistence.Transient, Hypervisor.IsAlive: false }).Select(v => v.Folder)
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

    /// <summary>One domain. Waits for no lock; if it is transient and has ended, it is settled first if that of the home is free.</summary>
    /// <exception cref="CoppiceException">There is none of that name or uuid (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<DomainView> ShowAsync(string nameOrId, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, async folder =>
        {
            if (!_ends.HasEnded(folder))
            {
                return await ViewAsync(folder, cancellation).ConfigureAwait(false);
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
    /// The names of the domains that can be read, in order. Asks no process, takes no lock and settles nothing: for completion.
    /// </summary>
    public ImmutableArray<string> ReadNames() => [.. _finder.Names().Order(StringComparer.Ordinal)];

    /// <summary>The names of the snapshots of a domain, likewise.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be read.</exception>
    public ImmutableArray<string> ReadSnapshotNames(string nameOrId)
    {
        ArgumentNullException.ThrowIfNull(nameOrId);
        return [.. new CatalogStore(_finder.Find(nameOrId)).Read().Snapshots.Values.Select(s => s.Name)];
    }

    /// <summary>The definition in force of a domain, in libvirt's format. Takes no lock.</summary>
    public Task<string> ReadDefinitionXmlAsync(string nameOrId) => ReadAsync(
        nameOrId,
        folder => Task.FromResult(new CatalogStore(folder).Read(c => DefinitionStore.ReadXml(folder, c, c.Head.Definition))));

    /// <summary>A snapshot of a domain in libvirt's format, with the definition it was taken with. Takes no lock.</summary>
    /// <exception cref="CoppiceException">There is no such domain or snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public Task<SnapshotDocument> ReadSnapshotAsync(string nameOrId, string snapshot) => ReadAsync(nameOrId, async folder =>
    {
        var (catalog, found, definition) = new CatalogStore(folder).Read(c =>
        {
            var known = c.Find(snapshot);
            return (c, known, DefinitionStore.ReadXml(folder, c, known.Definition));
        });
        var files = await _options.Storage
            .ObserveFilesAsync(SnapshotContent.FrozenFiles(catalog, found), CancellationToken.None).ConfigureAwait(false);
        var recordedAt = new CatalogStore(folder).ReadRecordTimes()(found.Id);
        return SnapshotDocument.From(catalog, found, definition, FrozenLayers.AsKept(files, recordedAt));
    });

    private async Task<OperationResult> RunAsync(Call call)
    {
        var settled = call.Request is DomainRequest about ? await TidyBeforeAsync(call, about).ConfigureAwait(false) : [];
        var result = await call.TellingAsync(settled, () => CarryOutAsync(call)).ConfigureAwait(false);
        return await TidyAfterAsync(call, result).ConfigureAwait(false);
    }

    /// <summary>A transient domain that has ended is gone, or stays for good, before anything is done with it.</summary>
    private async Task<ImmutableArray<string>> TidyBeforeAsync(Call call, DomainRequest request)
    {
        var folder = _finder.Find(request.Domain);
        if (call.Options.PlanOnly)
        {
            _ends.RequireNone([folder]);
        }

        if (!_ends.HasEnded(folder))
        {
            return [];
        }

        using var held = await call.LockAsync(_folder.Lock, $"home {_folder.Path}").ConfigureAwait(false);
        return await _ends.TidyAsync([folder], call.Cancellation).ConfigureAwait(false);
    }

    /// <summary>The request may have ended one.</summary>
    private async Task<OperationResult> TidyAfterAsync(Call call, OperationResult result)
    {
        if (call.Request is not DomainRequest
            || result is not { Executed: true, Catalog: { Persistence: Persistence.Transient, Head.Process: null } catalog })
        {
            return result;
        }

        var folder = _folder.Domain(catalog.Domain);
        var told = await _ends.TidyIfFreeAsync([folder], CancellationToken.None).ConfigureAwait(false);
        var store = new CatalogStore(folder);
        return result with { Catalog = store.Exists ? store.Read() : null, Warnings = [.. result.Warnings, .. told] };
    }

    private Task<OperationResult> CarryOutAsync(Call call) => call.Request switch
    {
        DefineDomain define => new Definer(call, _folder, _finder).RunAsync(define),
        AttachDisk attach => new Definer(call, _folder, _finder).RunAsync(attach),
        RunTransient run => new TransientStarter(call, _folder, _finder).RunAsync(run),
        RedefineSnapshot redefine => new Redefiner(call, _folder, _finder).RunAsync(redefine),
        RenameDomain rename => new Renamer(call, _folder, _finder).RunAsync(rename),
        UndefineDomain undefine => new Undefiner(call, _folder, _finder).RunAsync(undefine),
        StopDomain stop => new Stopper(call, _finder.Find(stop.Domain)).RunAsync(stop),
        DomainRequest request => PlanAndExecuteAsync(call, request),
        _ => throw new CoppiceException(ErrorKind.Internal, call.Request.GetType().Name, "nobody carries it out"),
    };

    private async Task<OperationResult> PlanAndExecuteAsync(Call call, DomainRequest request)
    {
        using var session = await DomainSession.OpenAsync(call, _finder.Find(request.Domain)).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var plan = session.HasEndedProcess
            ? Planner.Settle(request, observed, _options.Hypervisor, _options.Storage)
            : Planner.Plan(request, observed, _options.Hypervisor, _options.Storage);
        return await session.ExecuteAsync(plan).ConfigureAwait(false);
    }

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

    private async Task<DomainView> ViewAsync(DomainFolder folder, CancellationToken cancellation)
    {
        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        var observed = await _options.Hypervisor
            .ObserveAsync(folder, catalog.Head.Process, definition, cancellation).ConfigureAwait(false);
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
