using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Has a disk copied while its guest goes on, and waits for the end if it was said how it ends. The home is held while it begins, so that no
/// other domain is given the image meanwhile; the waiting happens without any lock.
/// </summary>
internal sealed class DiskCopier(Call call, HomeFolder home, DomainFinder finder)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    public async Task<OperationResult> RunAsync(DomainRequest request)
    {
        var folder = finder.Find(request.Domain);
        var result = await BeginAsync(request, folder).ConfigureAwait(false);
        if (!result.Executed || result.Catalog?.Mirrors is not [.., { End: not null } begun])
        {
            return result;
        }

        try
        {
            return await WaitAsync(folder, begun, result).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw new CoppiceException(
                ErrorKind.Cancelled, request.Operation, "was cancelled while it waited; the copying goes on, and is ended by whoever comes next",
                $"give it up with: coppice job cancel {result.Catalog.Name} {begun.Id}", e);
        }
    }

    /// <summary>Waits for a copy that somebody has begun.</summary>
    /// <exception cref="CoppiceException">Nobody has said how it ends (<see cref="ErrorKind.WrongState"/>), or it was given up.</exception>
    public Task<OperationResult> WaitAsync(DomainFolder folder, Catalog catalog, DiskMirror mirror, OperationResult result) => mirror.End is not null
        ? WaitAsync(folder, mirror, result)
        : throw new CoppiceException(
            ErrorKind.WrongState, $"job {mirror.Id} of domain '{catalog.Name}'", "goes on until somebody says how it ends",
            $"say so: coppice job finish {catalog.Name} {mirror.Id}, or job cancel");

    private async Task<OperationResult> BeginAsync(DomainRequest request, DomainFolder folder)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        if (request is CopyDisk { Reuse: true } copy)
        {
            await RequireFreeAsync(copy, folder).ConfigureAwait(false);
        }

        return await DomainSession.RunAsync(call, request, folder).ConfigureAwait(false);
    }

    /// <summary>Refuses to overwrite what another domain uses.</summary>
    private async Task RequireFreeAsync(CopyDisk copy, DomainFolder folder)
    {
        finder.RequireAllReadable();
        var others = finder.Others(folder).Select(ImageUse.Of).ToArray();
        var files = await call.Home.Storage.ObserveFilesAsync(others.SelectMany(o => o.All).Append(copy.Path), call.Cancellation).ConfigureAwait(false);
        new ImageUse(copy.Domain, [[copy.Path]], [copy.Path], []).RequireFree(
            others, path => files.TryGetValue(path, out var file) ? file.Identity : path);
    }

    private async Task<OperationResult> WaitAsync(DomainFolder folder, DiskMirror mirror, OperationResult result)
    {
        var how = "was given up";
        while (true)
        {
            var catalog = new CatalogStore(folder).Read();
            if (catalog.Mirrors.All(m => m.Id != mirror.Id))
            {
                // Somebody else may have ended it, as it was said or otherwise.
                return catalog.EndedMirrors.Any(e => e.Id == mirror.Id && e.End == mirror.End)
                    ? result with { Catalog = catalog }
                    : throw Ended(mirror, catalog, how);
            }

            var observation = await call.Home.Hypervisor
                .ObserveMergeAsync(folder, mirror.Process, mirror.Id, call.Cancellation).ConfigureAwait(false);
            call.Announcer.Tell(new OperationEvent(
                OperationPoint.JobProgressed, mirror.Id, Progress: new StepProgress(observation.Done, observation.Total)) { Mirror = mirror });
            how = observation.Error is { } why ? $"has failed: {why}" : how;
            if (observation.State is MergeState.Running || await DomainSession.TryAdvanceAsync(call, folder).ConfigureAwait(false) is not { } next)
            {
                await Task.Delay(s_interval, call.Home.Time, call.Cancellation).ConfigureAwait(false);
                continue;
            }

            result = result.Then(next);
            if (next.Catalog!.Mirrors.Any(m => m.Id == mirror.Id) && !next.Warnings.IsEmpty)
            {
                throw Ended(mirror, catalog, $"could not be ended: {string.Join("; ", next.Warnings)}");
            }
        }
    }

    private static CoppiceException Ended(DiskMirror mirror, Catalog catalog, string how) => new(
        ErrorKind.Storage, $"copy of disk '{mirror.Disk}' of domain '{catalog.Name}' ({mirror.Id})",
        $"{how}; the disk is where it was", "copy it again, once nothing is in the way");
}
