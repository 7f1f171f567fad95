using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Changes the record of a snapshot, or puts a forgotten one back. Its images must be nobody else's by now, or be lent anew by
/// whoever has them, so the home is held meanwhile, as while a domain is defined.
/// </summary>
internal sealed class Redefiner(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(RedefineSnapshot request)
    {
        using var homeLock = await call.LockHomeAsync(home).ConfigureAwait(false);
        var leftovers = call.Options.PlanOnly ? [] : await new Leftovers(call.Home, home).TidyAsync().ConfigureAwait(false);
        return await call.TellingAsync(leftovers, () => RedefineAsync(request)).ConfigureAwait(false);
    }

    private async Task<OperationResult> RedefineAsync(RedefineSnapshot request)
    {
        var (folder, lending) = (finder.Find(request.Domain), new Lending(call.Home, home));
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);

        // A loan ended when the snapshot was forgotten, and its lender may be about to remove the image: it is settled, and held,
        // before anything is looked at.
        var restored = Restored(request, new CatalogStore(folder).Read());
        using var owners = await Lending.OpenOwnersAsync(call, finder, f => f != folder, restored).ConfigureAwait(false);
        owners.RequireNoMergeOf(restored, $"snapshot '{request.Document.Name}' of '{request.Domain}' cannot be put back meanwhile");
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var plan = Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
        await CheckAsync(request, observed, folder).ConfigureAwait(false);
        if (!call.Options.PlanOnly)
        {
            var put = plan.Commit!.PutLayers.Concat(plan.Commit.Put.SelectMany(s => s.Layers));
            await lending.LendAsync(call, owners, plan.Domain, put).ConfigureAwait(false);
        }

        var result = await session.ExecuteAsync(plan).ConfigureAwait(false);
        return result with { Warnings = [.. owners.Warnings, .. result.Warnings] };
    }

    /// <summary>The images that a document puts back; none if the snapshot is known.</summary>
    private static HashSet<string> Restored(RedefineSnapshot request, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        return (request.Document.Content?.Layers ?? []).Where(l => l.Inside is null && !graph.Has(l.Id))
            .Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
    }

    private async Task CheckAsync(RedefineSnapshot request, Observed observed, DomainFolder folder)
    {
        if (request.CopyOf is not null || SnapshotRestoration.Of(request.Document, observed.Catalog, folder, observed.Definitions.Values) is not { } restoration)
        {
            return;
        }

        DefinitionRules.CheckSources(restoration.Definition);
        FirmwareVariables.RequireChip(restoration.Definition, restoration.Chains.Select(chain => chain[0]));

        // A base that several only read is shared; within the domain one file is one layer, whatever it is called.
        ImmutableArray<string> images = [.. restoration.Unknown.Where(l => l.Inside is null).Select(l => l.Path)];
        ImmutableArray<(Catalog Catalog, DomainDefinition Definition)> domains =
            [(observed.Catalog, observed.Definition), .. finder.Others(folder)];
        ImmutableArray<ImageUse> uses = [.. domains.Select(ImageUse.Of)];
        string[] memories = [.. domains.SelectMany(d => d.Catalog.Memories).Select(m => m.File).OfType<string>()];
        var files = await call.Home.Storage.ObserveFilesAsync(
            [.. uses.SelectMany(u => u.All), .. images, .. memories, .. restoration.Files.Keys], call.Cancellation).ConfigureAwait(false);
        var use = new ImageUse(observed.Catalog.Name, [images], Written: [], Made: [])
        {
            // A fork may have them too, under names of its own.
            Shared = [.. images.Where(folder.IsOwnLayer)],
        };
        use.RequireFree(uses.Skip(1), Identify);
        (use with { Written = images }).RequireFree(uses.Take(1), Identify);
        RequireKinds(restoration, [.. uses.SelectMany(u => u.All), .. images], memories, Identify);

        string Identify(string path) => files.TryGetValue(path, out var file) ? file.Identity : path;
    }

    /// <summary>What is removed as memory one day is no image of a disk, and no image is memory: by whatever name.</summary>
    private static void RequireKinds(
        SnapshotRestoration restoration, IEnumerable<string> images, IEnumerable<string> memories, Func<string, string> identify)
    {
        var isImage = images.Select(identify).ToHashSet(StringComparer.Ordinal);
        var isMemory = memories.Select(identify).ToHashSet(StringComparer.Ordinal);
        var odd = restoration.Document.Memory?.File is { } memory && isImage.Contains(identify(memory))
            ? $"its memory image {memory} is the image of a disk"
            : restoration.Unknown.FirstOrDefault(l => isMemory.Contains(identify(l.Path))) is { } layer
                ? $"its layer {layer.Path} is a memory image"
                : null;
        if (odd is not null)
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, $"snapshot '{restoration.Document.Name}'", odd, "leave its files as 'snapshot dumpxml' prints them");
        }
    }
}
