using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The domains below one folder: the one way in, for the command line, the server and .NET callers alike. A change is a
/// request; it goes through lock, recovery, observation, plan, execution and commit. Readers wait for no lock, nor do plans.
/// </summary>
public sealed partial class Home
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
    public Task<OperationResult> RunAsync(Request request, RunOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(options);
        return RunAsync(request, options, null, cancellation);
    }

    /// <summary>
    /// Makes several forks, one after another, starts them side by side, as many at a time as there are processors, and lets eight times
    /// as many run at once, since those that run would hold up the others. The first
    /// that cannot be made is the last that is tried; one that cannot be started holds up none of the others.
    /// </summary>
    /// <param name="forks">The forks; each names those that follow it.</param>
    /// <param name="options">How to run them. Whoever is told of events is told of one at a time.</param>
    /// <param name="cancellation">Ends it; what was made by then stays.</param>
    /// <returns>What became of each, in order, as far as they were tried.</returns>
    public async Task<ImmutableArray<ForkOutcome>> ForkAsync(
        IEnumerable<ForkSnapshot> forks, RunOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(forks);
        ArgumentNullException.ThrowIfNull(options);
        var told = new Lock();
        var one = options with
        {
            OnEvent = options.OnEvent is not { } tell ? null : what =>
            {
                lock (told)
                {
                    tell(what);
                }
            },
        };
        using var series = new ForkSeries(_options.Time);
        return await series.RunAsync(forks, fork => RunAsync(fork, one, series, cancellation)).ConfigureAwait(false);
    }

    /// <summary>Refuses forks that could not be made of a snapshot that is yet to be taken, so that it is not taken in vain.</summary>
    /// <param name="first">The snapshot.</param>
    /// <param name="forks">The forks.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CoppiceException">A name is taken, or network cards cannot be replaced.</exception>
    public async Task RequireForkableAsync(CreateSnapshot first, IEnumerable<ForkSnapshot> forks, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(forks);
        var folder = _finder.Find(first.Domain);
        var call = new Call(_options, first, new RunOptions(), new Announcer(null), cancellation);
        using var held = await call.LockAsync(folder.Lock, $"domain '{first.Domain}'").ConfigureAwait(false);
        var observed = await new Observer(_options, folder).ObserveAsync(first, cancellation, null).ConfigureAwait(false);
        foreach (var fork in forks)
        {
            Names.Check("domain", fork.Name);
            _finder.RequireFree(fork.Name, null, "choose another name");
            Planner.RequireForkable(fork, observed, _options.Hypervisor, _options.Storage);
        }
    }

    private async Task<OperationResult> RunAsync(Request request, RunOptions options, ForkSeries? series, CancellationToken cancellation)
    {
        var start = _options.Time.GetTimestamp();
        var announcer = new Announcer(options.OnEvent);
        var call = new Call(_options, request, options, announcer, cancellation) { Series = series };
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

    private async Task<OperationResult> RunAsync(Call call)
    {
        var unmounted = await MountIfMissingAsync(call).ConfigureAwait(false);
        var settled = call.Request is DomainRequest about ? await TidyBeforeAsync(call, about).ConfigureAwait(false) : [];
        settled = unmounted is null ? settled : [unmounted, .. settled];
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

    /// <summary>What the spares of all domains take together is judged once, so one command at a time makes any.</summary>
    private async Task<OperationResult> WarmAsync(Call call, WarmSnapshot warm)
    {
        using var held = await call.LockHomeAsync(_folder).ConfigureAwait(false);
        return await DomainSession.RunAsync(call, warm, _finder.Find(warm.Domain)).ConfigureAwait(false);
    }

    private Task<OperationResult> CarryOutAsync(Call call) => call.Request switch
    {
        DefineDomain define => new Definer(call, _folder, _finder).RunAsync(define),
        AttachDisk attach => new DiskAttacher(call, _folder, _finder).RunAsync(attach),
        AttachSnapshotDisk attach => new DiskAttacher(call, _folder, _finder).RunAsync(attach),
        RunTransient run => new TransientStarter(call, _folder, _finder).RunAsync(run),
        RedefineSnapshot redefine => new Redefiner(call, _folder, _finder).RunAsync(redefine),
        ForkSnapshot fork => new Forker(call, _folder, _finder).RunAsync(fork),
        ImportDomain import => new Importer(call, _folder, _finder).RunAsync(import),
        TrySnapshot trial => new SnapshotTrier(call, _folder, _finder).RunAsync(trial),
        RenameDomain rename => new Renamer(call, _folder, _finder).RunAsync(rename),
        RepairDomain repair => new Repairer(call, _folder, _finder).RunAsync(repair),
        UndefineDomain undefine => new Undefiner(call, _folder, _finder).RunAsync(undefine),
        CopyDisk or CommitDisk => new DiskCopier(call, _folder, _finder).RunAsync((DomainRequest)call.Request),
        DeleteSnapshot or CollectGarbage or WaitForJobs => new Merger(call, _folder, _finder).RunAsync((DomainRequest)call.Request),
        WarmSnapshot warm => WarmAsync(call, warm),
        StopDomain stop => new Stopper(call, _finder.Find(stop.Domain)).RunAsync(stop),
        DomainRequest request => DomainSession.RunAsync(call, request, _finder.Find(request.Domain)),
        _ => throw new CoppiceException(ErrorKind.Internal, call.Request.GetType().Name, "nobody carries it out"),
    };
}
