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
        foreach (var path in Journals())
        {
            using var journal = Journal.Open(path);
            if (journal is null)
            {
                DurableFile.Remove(path);
                continue;
            }

            var settlement = new Settlement(steps, store);
            var settled = await settlement.SettleAsync(journal).ConfigureAwait(false);
            warnings.Add($"{Named(journal.Plan)} had been interrupted and {Told(settled)}");
            warnings.AddRange(settlement.Warnings);
        }

        return warnings.ToImmutable();
    }

    /// <summary>Looks only, and needs no lock: how it stands with what is unfinished.</summary>
    /// <returns>
    /// The operation of which it is open whether it stands, or null; and what will be cleaned up, which changes no catalog.
    /// </returns>
    public (Plan? Open, ImmutableArray<string> Warnings) Look()
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var path in Journals())
        {
            using var journal = TryOpen(path);
            if (journal is { IsCommitted: false } && store.Read().Last.Id != journal.Plan.Id)
            {
                return (journal.Plan, []);
            }

            if (journal is not null)
            {
                warnings.Add($"{Named(journal.Plan)} stands but has not cleaned up; that is done first");
            }
        }

        return (null, warnings.ToImmutable());
    }

    /// <summary>An operation, for people.</summary>
    public static string Named(Plan plan) => $"'{plan.Operation}' (operation {plan.Id})";

    private string[] Journals() =>
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
