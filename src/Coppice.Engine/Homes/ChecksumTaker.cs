using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Takes the checksums that a domain lacks, one after the other and without a lock of the domain. What vanishes while
/// it is read, or comes to be merged, is let go of; with the domain itself it ends.
/// </summary>
internal sealed class ChecksumTaker(HomeOptions options, DomainFolder folder)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(250);

    private readonly SnapshotVerifier _verifier = new(options, folder);

    /// <summary>What was tried once is not tried again: it cannot be read, or goes on being written.</summary>
    private readonly HashSet<string> _tried = new(StringComparer.Ordinal);

    /// <summary>Whether there is something to take, and nobody who takes it.</summary>
    public async Task<bool> IsNeededAsync(CancellationToken cancellation) =>
        new CatalogStore(folder).Exists
        && !(await AwaitedAsync(cancellation).ConfigureAwait(false)).IsEmpty
        && !IsHeld();

    /// <summary>Takes all there are. If somebody else does, that one takes them all.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        // Who was refused the lock relies on us, so we look once more after letting go of it.
        while (!(await AwaitedAsync(cancellation).ConfigureAwait(false)).IsEmpty)
        {
            using var held = FileLock.TryAcquire(folder.ChecksumsLock);
            if (held is null)
            {
                return;
            }

            foreach (var look in await AwaitedAsync(cancellation).ConfigureAwait(false))
            {
                _tried.Add(look.Thing.Id);
                await TakeAsync(look, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits a moment for whoever takes checksums of a domain that was undefined, and is about to notice.</summary>
    public static async Task WaitUntilGoneAsync(DomainFolder folder, TimeProvider time)
    {
        if (File.Exists(folder.ChecksumsLock))
        {
            (await FileLock.AcquireAsync(folder.ChecksumsLock, 8 * s_interval, time).ConfigureAwait(false))?.Dispose();
        }
    }

    private async Task<ImmutableArray<SnapshotVerifier.Look>> AwaitedAsync(CancellationToken cancellation) =>
        [.. (await _verifier.LookAsync(cancellation).ConfigureAwait(false)).Where(l => l.Awaits && !_tried.Contains(l.Thing.Id))];

    private async Task TakeAsync(SnapshotVerifier.Look look, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var watching = WatchAsync(look, over);
        try
        {
            await _verifier.VerifyAsync(look, take: true, over.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It is no longer what was to be read; what follows looks anew, and may find it to be read again.
            _tried.Remove(look.Thing.Id);
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(false);
        }
    }

    /// <summary>Ends the reading of something that nobody needs any more, or that is about to change.</summary>
    private async Task WatchAsync(SnapshotVerifier.Look look, CancellationTokenSource over)
    {
        var seen = FileSystem.Look(folder.CatalogRoot);
        while (!over.IsCancellationRequested)
        {
            await Task.Delay(s_interval, options.Time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var now = FileSystem.Look(folder.CatalogRoot);
            if (now != seen && !over.IsCancellationRequested && !await IsStillAwaitedAsync(look).ConfigureAwait(false))
            {
                await over.CancelAsync().ConfigureAwait(false);
            }

            seen = now;
        }
    }

    private async Task<bool> IsStillAwaitedAsync(SnapshotVerifier.Look look)
    {
        try
        {
            return (await _verifier.LookAsync(CancellationToken.None).ConfigureAwait(false))
                .Any(l => l.Awaits && l.Thing.Id == look.Thing.Id);
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            return false;
        }
    }

    private bool IsHeld()
    {
        using var held = FileLock.TryAcquire(folder.ChecksumsLock);
        return held is null;
    }
}
