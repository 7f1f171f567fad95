using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Settles whatever operations a crash has left unfinished on a domain. Costs one look at a folder.</summary>
internal sealed class Recovery(DomainFolder folder, StepRunner steps, CatalogStore store)
{
    /// <summary>Settles them. Needs the lock.</summary>
    /// <returns>What was settled, and what could not be cleaned up.</returns>
    public async Task<ImmutableArray<string>> RunAsync()
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var path in Journals(folder))
        {
            using var journal = Journal.Open(path);
            if (journal is null)
            {
                DurableFile.Remove(path);
                continue;
            }

            try
            {
                var settlement = new Settlement(steps, store);
                var settled = await settlement.SettleAsync(journal).ConfigureAwait(false);
                warnings.Add($"{Named(journal.Plan)} had been interrupted and {Told(settled)}");
                warnings.AddRange(settlement.Warnings);
            }
            finally
            {
                steps.LetGo(journal.Plan);
            }
        }

        warnings.AddRange(steps.Runs.Select(r => r.Report.Warning).OfType<string>());

        return warnings.ToImmutable();
    }

    /// <summary>What interrupted operations may yet make of a catalog: those of which it is open whether they stand.</summary>
    public static IEnumerable<CatalogChange> Pending(DomainFolder folder, Catalog catalog)
    {
        foreach (var path in Journals(folder))
        {
            using var journal = TryOpen(path);
            if (journal is { IsCommitted: false, Plan.Commit: { } commit } && journal.Plan.Id != catalog.Last.Id)
            {
                yield return commit;
            }
        }
    }

    /// <summary>Whether an operation that has not ended makes or removes one of some files, or puts it on record.</summary>
    public static bool Concerns(DomainFolder folder, IReadOnlySet<string> files)
    {
        foreach (var path in Journals(folder))
        {
            using var journal = TryOpen(path);
            if (journal?.Plan is { } plan && (plan.Steps.Any(s => s.Files.Any(f => files.Contains(f.Path)))
                || (plan.Commit is { } commit
                    && commit.PutLayers.Concat(commit.Put.SelectMany(s => s.Layers)).Any(l => files.Contains(l.Path)))))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An operation that is not over and does not say itself that it stands; null if there is none.</summary>
    public static Plan? FindOpen(DomainFolder folder)
    {
        foreach (var path in Journals(folder))
        {
            using var journal = TryOpen(path);
            if (journal is { IsCommitted: false })
            {
                return journal.Plan;
            }
        }

        return null;
    }

    /// <summary>
    /// Whether an operation was interrupted that was to make a domain: all that is in its folder is that operation's.
    /// </summary>
    public static bool IsMaking(DomainFolder folder) =>
        Journals(folder).Any(path => Tells(path, journal => journal is { Plan.MakesDomain: true }));

    /// <summary>Whether a file is a journal in which not even the plan was written, so that nothing was done.</summary>
    public static bool IsEmpty(DomainFolder folder, string path) =>
        Path.GetDirectoryName(path) == folder.Journals && Tells(path, journal => journal is null);

    /// <summary>Whether a journal says something; one that cannot be read says nothing.</summary>
    private static bool Tells(string path, Func<Journal?, bool> what)
    {
        try
        {
            using var journal = TryOpen(path);
            return what(journal);
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            return false;
        }
    }

    /// <summary>Looks only, and needs no lock: how it stands with what is unfinished.</summary>
    /// <returns>
    /// What is open, a full clause, or null: whether an operation stands, or what the guest will do once it is finished. And
    /// what will be cleaned up, which changes neither catalog nor guest.
    /// </returns>
    public (string? Open, ImmutableArray<string> Warnings) Look()
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var path in Journals(folder))
        {
            using var journal = TryOpen(path);
            if (journal is null)
            {
                continue;
            }

            var last = store.Read().Last;
            if (!journal.IsCommitted && last.Id != journal.Plan.Id)
            {
                return ($"{Named(journal.Plan)} was interrupted", []);
            }

            if (!journal.IsCommitted && last.End is OperationEnd.RolledForward)
            {
                warnings.Add($"{Named(journal.Plan)} did not come about but has not cleaned up; that is done first");
            }
            else if (Ahead(journal) is { } step)
            {
                return ($"{Named(journal.Plan)} has yet to {step.Summary}", []);
            }
            else
            {
                warnings.Add($"{Named(journal.Plan)} stands but has not cleaned up; that is done first");
            }
        }

        return (null, warnings.ToImmutable());
    }

    /// <summary>
    /// The first step of the clean-up that is not done and does more than remove things; null if there is none.
    /// </summary>
    private static Step? Ahead(Journal journal) => journal.Plan.Steps
        .Where((step, i) => i >= journal.Plan.StepsBeforeCommit && journal[i] is not JournalMark.Applied)
        .FirstOrDefault(step => step.Files.IsEmpty || step.Files.Any(f => f.Effect is FileEffect.Create));

    private static string Named(Plan plan) => $"'{plan.Operation}' (operation {plan.Id})";

    /// <summary>The journals of operations that are under way or were interrupted.</summary>
    public static string[] Journals(DomainFolder folder) =>
        Directory.Exists(folder.Journals) ? Directory.GetFiles(folder.Journals, "*.jsonl") : [];

    private static Journal? TryOpen(string path)
    {
        try
        {
            return Journal.Open(path);
        }
        catch (FileException e) when (e.IsMissing)
        {
            // Its operation has just ended.
            return null;
        }
    }

    private static string Told(Settled settled) => settled switch
    {
        Settled.Committed => "was finished",
        Settled.RolledForward => "was undone; the guest keeps the layers it had moved to",
        _ => "was undone",
    };
}
