using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Checks domains without their locks. While an operation is under way, files come and go and the catalog is about to change:
/// then nothing is judged. One that was interrupted is told, since it comes first.
/// </summary>
internal sealed class Checker(HomeOptions options, HomeFolder home, DomainFinder finder)
{
    private const int MaximumLooks = 3;

    /// <summary>What is wrong with a domain.</summary>
    /// <exception cref="CoppiceException">It is not there any more (<see cref="ErrorKind.NotFound"/>).</exception>
    public async Task<ImmutableArray<Finding>> CheckAsync(DomainFolder folder, CancellationToken cancellation)
    {
        var store = new CatalogStore(folder);
        try
        {
            for (var look = 0; look < MaximumLooks; look++)
            {
                var before = store.ReadAnew();
                if (Open(folder) is { } open)
                {
                    return [open with { Domain = before.Name }];
                }

                var domain = await new DomainLook(options, folder, finder).ReadAsync(cancellation).ConfigureAwait(false);
                if (store.Read().Last == before.Last && !HasJournals(folder))
                {
                    return DomainCheck.Findings(domain, options.Hypervisor, options.Storage);
                }
            }

            return [BusyDomain(folder) with { Domain = store.ReadName() }];
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Damaged)
        {
            return [new Finding(FindingKind.Unreadable, e.Subject, e.Problem, e.NextStep)];
        }
    }

    /// <summary>What is wrong with the home: what belongs to no domain that can be read.</summary>
    public ImmutableArray<Finding> CheckHome()
    {
        var folders = finder.Folders().ToArray();
        var known = folders.Select(f => Path.GetFileName(f.Path)).ToHashSet(StringComparer.Ordinal);
        var processes = options.Hypervisor.Processes(home).Where(p => p.Domain is null || !known.Contains(p.Domain)).ToArray();
        var heads = processes.Length > 0 ? Heads() : [];
        var strays = processes.Where(p => heads is not null && !heads.Contains(p.Id)).Select(p => p.IsAlive
            ? new Finding(
                FindingKind.Stray, $"process {p.Id}", $"runs in {home.Process(p.Id)} and belongs to no domain",
                "if its guest is not needed, end the process whose number is in the file 'pid' there")
            : new Finding(
                FindingKind.Leftover, $"run folder {home.Process(p.Id)}", "is of a process that belongs to no domain",
                "if nothing runs in it, remove the folder"));
        return Finding.Sorted([.. WithoutCatalog(), .. strays, .. finder.Undefined().Select(path => new Finding(
            FindingKind.Kept, $"folder {path}", "is what a domain had that was undefined",
            "if it is not needed, remove the folder; to have the domain back, take what follows its uuid from the folder's name"))]);
    }

    /// <summary>Folders that are no domains: or not yet, or no longer, as long as somebody makes or removes one.</summary>
    private Finding[] WithoutCatalog()
    {
        if (!Folders().Any())
        {
            return [];
        }

        using var held = TryLock(home.Lock);
        return held is null ? [Busy($"home {home.Path}", home.Lock)] :
        [
            .. Folders().Where(f => Directory.Exists(f.Path)).Select(f => Leftovers.Are(f)
                ? new Finding(
                    FindingKind.Leftover, $"folder {f.Path}", "was left by a domain that was being defined or undefined", "remove it: coppice list")
                : new Finding(
                    FindingKind.Unreadable, $"domain folder {f.Path}", "has no catalog",
                    "restore its catalog folder from a backup, or move it away")),
        ];

        IEnumerable<DomainFolder> Folders() => finder.Folders().Where(f => !new CatalogStore(f).Exists);
    }

    /// <summary>The processes that domains name, or may come to name; null if a domain cannot be read.</summary>
    private HashSet<ShortId>? Heads()
    {
        try
        {
            var folders = finder.Folders().Where(f => new CatalogStore(f).Exists).ToArray();
            return folders.Any(HasJournals)
                ? null
                : [.. folders.SelectMany(f => new CatalogStore(f).Read().Processes)];
        }
        catch (CoppiceException)
        {
            return null;
        }
    }

    /// <summary>What is under way or was interrupted; null if nothing.</summary>
    private static Finding? Open(DomainFolder folder)
    {
        if (!HasJournals(folder))
        {
            return null;
        }

        // Whoever holds the lock is about to end it. What is open while we hold it was interrupted.
        using var held = TryLock(folder.Lock);
        return held is null ? BusyDomain(folder) : HasJournals(folder) ? Interrupted(folder) : null;
    }

    private static FileLock? TryLock(string path)
    {
        try
        {
            return FileLock.TryAcquire(path);
        }
        catch (FileException)
        {
            // Who may not write here can only tell that something is open.
            return null;
        }
    }

    private static Finding Interrupted(DomainFolder folder)
    {
        var operations = Recovery.Journals(folder).Select(Path.GetFileNameWithoutExtension);
        return new Finding(
            FindingKind.Unfinished, $"operation {string.Join(", ", operations)}", "was interrupted; until it is settled nothing else can be judged",
            "settle it: coppice check --repair, or any command that changes the domain");
    }

    private static Finding BusyDomain(DomainFolder folder) => Busy($"domain folder {folder.Path}", folder.Lock);

    private static Finding Busy(string subject, string path)
    {
        var holder = FileLock.ReadNote(path).Trim();
        return new Finding(
            FindingKind.Busy, subject, $"{(holder.Length == 0 ? "another command" : holder)} is at work on it", "check again when it is done");
    }

    private static bool HasJournals(DomainFolder folder) => Recovery.Journals(folder).Length > 0;
}
