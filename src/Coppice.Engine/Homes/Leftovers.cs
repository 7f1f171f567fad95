using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Folders of domains that a crash left while they were defined or undefined. A folder that has no root but holds anything
/// that a definition does not make is something else, a damaged domain, and is not touched.
/// </summary>
internal sealed class Leftovers(HomeOptions options, HomeFolder home)
{
    /// <summary>Whether a folder is what an interrupted define or undefine leaves, or gone.</summary>
    public static bool Are(DomainFolder folder) =>
        !Directory.Exists(folder.Path) || CatalogStore.Forgotten(folder).Exists || IsHalfMade(folder);

    /// <summary>Removes leftovers if there are any and nobody is defining a domain. Never fails: listing must go on.</summary>
    public async Task TidyIfFreeAsync()
    {
        if (!Find().Any())
        {
            return;
        }

        try
        {
            using var held = FileLock.TryAcquire(home.Lock);
            if (held is not null)
            {
                await TidyAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is FileException or CoppiceException or IOException)
        {
            // A reader of a home that it cannot write to, for instance.
        }
    }

    /// <summary>Removes leftovers, and transient domains that have ended. Needs the lock of the home.</summary>
    /// <returns>What could not be removed, and what stays.</returns>
    public async Task<ImmutableArray<string>> TidyAsync()
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var folder in Find().ToArray())
        {
            if (CatalogStore.Forgotten(folder) is not { Exists: true } store)
            {
                warnings.AddRange(await RemoveHalfMadeAsync(folder).ConfigureAwait(false));
            }
            else if (HasOnlyCatalog(folder))
            {
                // The rest of it goes last: records may be missing by now, and are not needed.
                DurableFolder.Remove(folder.Path, folder.ForgottenRoot);
            }
            else
            {
                // If the new name of the root was not flushed, a loss of power would bring the domain back without its files.
                store.Flush();
                var steps = new StepRunner(folder, [options.Hypervisor, options.Storage], options.Time, new Announcer(null));
                warnings.AddRange(await new Removal(options, folder, steps).RunAsync(store.Read()).ConfigureAwait(false));
            }
        }

        warnings.AddRange(await new TransientEnds(options, home).TidyAsync(
            new DomainFinder(home).Folders(), CancellationToken.None).ConfigureAwait(false));
        return warnings.ToImmutable();
    }

    /// <summary>What was made outside the folder goes too.</summary>
    private async Task<ImmutableArray<string>> RemoveHalfMadeAsync(DomainFolder folder)
    {
        var steps = new StepRunner(folder, [options.Hypervisor, options.Storage], options.Time, new Announcer(null));
        try
        {
            await new Recovery(folder, steps, new CatalogStore(folder)).RunAsync().ConfigureAwait(false);
            DurableFolder.RemoveIfEmpty(folder.VolumeFolder);
            DurableFolder.Remove(folder.Path);
            return [];
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            return [$"{Failure.Of(e, folder.Path).Message}; the next command tries again to remove {folder.Path}"];
        }
    }

    private IEnumerable<DomainFolder> Find() =>
        new DomainFinder(home).Folders().Where(f => !new CatalogStore(f).Exists && Are(f));

    /// <summary>Whoever waited for the lock may have made it anew.</summary>
    private static bool HasOnlyCatalog(DomainFolder folder) => Directory.EnumerateFileSystemEntries(folder.Path)
        .All(path => path == folder.Lock || path == Path.GetDirectoryName(folder.ForgottenRoot));

    private static bool IsHalfMade(DomainFolder folder)
    {
        // Variables and a TPM that no domain names yet are as they were made.
        string[] made = [folder.Path + "/definitions/", folder.Images(DiskDevice.FlashTarget) + "/", folder.TpmFolder + "/"];
        try
        {
            return !new CatalogStore(folder).Exists && (Recovery.IsMaking(folder)
                || Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories).All(path =>
                    path == folder.Lock
                    || path == folder.Trial
                    || path == folder.CatalogRoot + ".new"
                    || Recovery.IsEmpty(folder, path)
                    || made.Any(place => path.StartsWith(place, StringComparison.Ordinal))));
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody is removing it.
            return !Directory.Exists(folder.Path);
        }
    }
}
