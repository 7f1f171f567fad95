using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// What becomes of transient domains that nothing runs any more (R166): whichever command sees one next undefines it. Nobody is
/// there to do it in the instant in which a guest ends. One with which something would be lost stays, and is persistent then. A
/// domain that was only to be tried out goes as well, with its process, once nobody tries it any more.
/// </summary>
internal sealed class TransientEnds(HomeOptions options, HomeFolder home)
{
    /// <summary>
    /// Whether a domain is transient, and nothing runs it for certain, or a trial that nobody holds. Asks no process, and costs a
    /// persistent one a look at its root.
    /// </summary>
    public bool HasEnded(DomainFolder folder)
    {
        try
        {
            var store = new CatalogStore(folder);
            return store.Exists && store.ReadIsPassing() && HasEnded(folder, store.Read());
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            // It is being removed, or cannot be read: whoever is asked for it says so.
            return false;
        }
    }

    /// <summary>Refuses to plan while one of some domains has ended: what is left of it would be a guess.</summary>
    /// <exception cref="CoppiceException">One has (<see cref="ErrorKind.WrongState"/>).</exception>
    public void RequireNone(IEnumerable<DomainFolder> folders)
    {
        if (folders.FirstOrDefault(HasEnded) is { } ended)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"domain '{new CatalogStore(ended).ReadName()}'",
                "is transient or was only tried out, and has ended, and a plan would have to guess what is left of it",
                "run the command without --plan: it settles that first");
        }
    }

    /// <summary>Settles those of some domains that have ended. Needs the lock of the home.</summary>
    /// <returns>What stays, and what could not be done; the next command tries that again.</returns>
    public async Task<ImmutableArray<string>> TidyAsync(IEnumerable<DomainFolder> folders, CancellationToken cancellation)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var folder in folders.ToArray())
        {
            if (HasEnded(folder))
            {
                warnings.AddRange(await TrySettleAsync(folder, cancellation).ConfigureAwait(false));
            }
        }

        return warnings.ToImmutable();
    }

    /// <summary>The same if nobody has the lock of the home. Never fails: reading must go on.</summary>
    public async Task<ImmutableArray<string>> TidyIfFreeAsync(IEnumerable<DomainFolder> folders, CancellationToken cancellation)
    {
        try
        {
            using var held = FileLock.TryAcquire(home.Lock);
            return held is null ? [] : await TidyAsync(folders, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FileException or IOException or UnauthorizedAccessException)
        {
            // A reader of a home that it cannot write to, for instance.
            return [];
        }
    }

    private bool HasEnded(DomainFolder folder, Catalog catalog) => catalog.Persistence switch
    {
        Persistence.Transient => catalog.Head.Process is not { } process || options.Hypervisor.HasEnded(folder, process),
        Persistence.Trial => !IsTried(folder),
        _ => false,
    };

    private static bool IsTried(DomainFolder folder)
    {
        using var held = FileLock.TryAcquire(folder.Trial);
        return held is null;
    }

    private async Task<ImmutableArray<string>> TrySettleAsync(DomainFolder folder, CancellationToken cancellation)
    {
        try
        {
            return await SettleAsync(folder, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            return [$"{Failure.Of(e, folder.Path).Message}; the next command tries it again"];
        }
    }

    private async Task<ImmutableArray<string>> SettleAsync(DomainFolder folder, CancellationToken cancellation)
    {
        var id = Path.GetFileName(folder.Path);
        var undefine = new UndefineDomain(id, Snapshots: false);
        var call = new Call(options, undefine, new RunOptions { LockWait = TimeSpan.Zero }, new Announcer(null), cancellation);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var isTrial = observed.Catalog.Persistence is Persistence.Trial;
        if ((observed.Hypervisor.IsAlive && !isTrial) || !HasEnded(folder, observed.Catalog))
        {
            return session.Warnings;
        }

        var ofOthers = UndefineLosses.OfBorrowers(observed) ?? UndefineLosses.OfUsersImages(observed);
        if ((ofOthers ?? (isTrial ? null : UndefineLosses.Of(observed))) is not { } loss)
        {
            return (await Undefiner.ForgetAsync(call, folder, session, observed).ConfigureAwait(false)).Warnings;
        }

        if (isTrial)
        {
            return [.. session.Warnings, $"{loss.Subject} was only to be tried out and stays, because it {loss.Problem}"];
        }

        var plan = Planner.Settle(new PersistDomain(id), observed, options.Hypervisor, options.Storage);
        var stays = plan.Commit! with { Persistence = Persistence.Persistent };
        var kept = await session.ExecuteAsync(plan with { Commit = stays }).ConfigureAwait(false);
        return [.. kept.Warnings, $"{loss.Subject} was transient and has ended; it stays, off, because it {loss.Problem}"];
    }
}
