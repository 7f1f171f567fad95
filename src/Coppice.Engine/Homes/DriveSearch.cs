using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Looks for the images of a definition, and refuses those that others have. Holds the lock of the home unless it only plans.
/// </summary>
internal sealed class DriveSearch(Call call, HomeFolder home, DomainFinder finder)
{
    private IStorage Storage => call.Home.Storage;

    /// <summary>The images of a new domain.</summary>
    public Task<FoundDrives> NewAsync(DomainDefinition definition) => OfAsync(definition, [], before: null);

    /// <summary>The images of each drive, top first, none of which is written by one drive and used by another.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="known">The images of drives that are not looked at again.</param>
    /// <param name="before">What the domain is without the drives that leave it; null for a new one.</param>
    public async Task<FoundDrives> OfAsync(
        DomainDefinition definition, ImmutableArray<ImmutableArray<Layer>> known,
        (Catalog Catalog, DomainDefinition Definition)? before)
    {
        var folder = home.Domain(definition.Id);

        // Variables that have moved on may have no file any more where they began: it was merged.
        var fresh = known.Any(c => c[0].Disk == DiskDevice.FlashTarget) ? null : await new FirmwareVariables(Storage, call.Home.Ids).MissingAsync(definition, folder, call.Cancellation).ConfigureAwait(false);
        var sources = definition.DisksAndFlash.Where(d => d.Source is not null && d.Target != fresh?.Disk);
        var found = await Task.WhenAll(sources.Select(d => known.FirstOrDefault(c => c[0].Disk == d.Target) is { IsDefault: false } chain
            ? Task.FromResult(chain)
            : Storage.DiscoverAsync(d, call.Cancellation))).ConfigureAwait(false);
        ImmutableArray<ImmutableArray<Layer>> drives = fresh is null ? [.. found] : [.. found, [fresh]];
        FirmwareVariables.RequireChip(definition, drives.Select(chain => chain[0]));
        var use = ImageUse.Of(definition, drives);
        var others = finder.Others(home.Domain(definition.Id)).Select(ImageUse.Of).ToArray();
        ImmutableArray<ImageUse> own = before is { } had ? [ImageUse.Of(had)] : [];
        var paths = others.Concat(own).Append(use).SelectMany(u => u.All);
        var files = await Storage.ObserveFilesAsync(paths, call.Cancellation).ConfigureAwait(false);
        use.RequireFree(others, Identify);

        // What snapshots rely on is no image for a drive that comes.
        var stay = before?.Catalog.Head.Disks.Select(d => d.Target).ToHashSet(StringComparer.Ordinal) ?? [];
        ImageUse.Of(definition, [.. drives.Where(chain => !stay.Contains(chain[0].Disk))]).RequireFree(own, Identify);
        return new FoundDrives(drives, fresh is null ? [] : [Storage.CreateVariables(fresh, definition.Os.Firmware!.Template!)]);

        string Identify(string path) => files.TryGetValue(path, out var file) ? file.Identity : path;
    }

    /// <summary>The images that a definition names.</summary>
    /// <param name="Chains">Those of each drive, top first.</param>
    /// <param name="Made">What is to be made of them.</param>
    public sealed record FoundDrives(ImmutableArray<ImmutableArray<Layer>> Chains, ImmutableArray<Step> Made);
}
