using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Settles whatever operations a crash has left unfinished on a domain. Needs its lock; costs one look at a folder.</summary>
internal sealed class Recovery(DomainFolder folder, StepRunner steps, CatalogStore store)
{
    /// <returns>What was settled, and what could not be cleaned up.</returns>
    public async Task<ImmutableArray<string>> RunAsync()
    {
        if (!Directory.Exists(folder.Journals))
        {
            return [];
        }

        var warnings = ImmutableArray.CreateBuilder<string>();
        foreach (var path in Directory.GetFiles(folder.Journals, "*.jsonl"))
        {
            using var journal = Journal.Open(path);
            if (journal is null)
            {
                DurableFile.Remove(path);
                continue;
            }

            var settlement = new Settlement(steps, store);
            var settled = await settlement.SettleAsync(journal).ConfigureAwait(false);
            warnings.Add($"'{journal.Plan.Operation}' (operation {journal.Plan.Id}) had been interrupted and {Told(settled)}");
            warnings.AddRange(settlement.Warnings);
        }

        return warnings.ToImmutable();
    }

    private static string Told(Settled settled) => settled switch
    {
        Settled.Committed => "was finished",
        Settled.RolledForward => "was undone; the guest keeps the layers it had moved to",
        _ => "was undone",
    };
}
