using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Changes the record of a snapshot, or puts a forgotten one back. Its images must be nobody else's by now, so the home is held
/// meanwhile, as while a domain is defined.
/// </summary>
internal sealed class Redefiner(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(RedefineSnapshot request)
    {
        using var homeLock = call.Options.PlanOnly
            ? null
            : await call.LockAsync(home.Lock, $"home {home.Path}").ConfigureAwait(false);
        var folder = finder.Find(request.Domain);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var plan = Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
        await RequireFreeAsync(request, observed, folder).ConfigureAwait(false);
        return await session.ExecuteAsync(plan).ConfigureAwait(false);
    }

    private async Task RequireFreeAsync(RedefineSnapshot request, Observed observed, DomainFolder folder)
    {
        var restoration = SnapshotRestoration.Of(request.Document, observed.Catalog, folder);
        ImmutableArray<string> images = [.. restoration?.Unknown.Where(l => l.Inside is null).Select(l => l.Path) ?? []];
        if (images.IsEmpty)
        {
            return;
        }

        // A base that several only read is shared; within the domain one file is one layer, whatever it is called.
        var use = new ImageUse(observed.Catalog.Name, [images], Written: [], Made: []);
        ImmutableArray<ImageUse> others = [.. finder.Others(folder).Select(ImageUse.Of)];
        ImmutableArray<ImageUse> own = [ImageUse.Of((observed.Catalog, observed.Definition))];
        var files = await call.Home.Storage
            .ObserveFilesAsync(others.Concat(own).Append(use).SelectMany(u => u.All), call.Cancellation).ConfigureAwait(false);
        use.RequireFree(others, Identify);
        (use with { Written = images }).RequireFree(own, Identify);

        string Identify(string path) => files.TryGetValue(path, out var file) ? file.Identity : path;
    }
}
