using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Removes what a domain that was undefined leaves: its process, what Coppice made for it, its folder.</summary>
internal sealed class Removal(HomeOptions options, DomainFolder folder, StepRunner steps)
{
    /// <summary>What there is to do, of a catalog. Images that the user brought stay.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="files">What is known of the files that go.</param>
    public Plan Plan(Catalog catalog, ImmutableDictionary<string, FileObservation> files) => new()
    {
        Id = options.Ids.NextShort(),
        Operation = UndefineDomain.Word,
        Domain = catalog.Domain,
        Mechanism = "forget the domain",
        CleanUp =
        [
            .. catalog.Head.Process is { } process ? [options.Hypervisor.End(process)] : Array.Empty<Step>(),
            .. Reclaiming.All(folder, catalog, files, options.Hypervisor, options.Storage),
        ],
    };

    /// <summary>Does it, as far as it is not done. The folder goes last, so that a crash leaves what tells how to go on.</summary>
    /// <returns>What could not be removed; the folder then stays, and the next command tries again.</returns>
    public Task<ImmutableArray<string>> RunAsync(Catalog catalog) =>
        RunAsync(Plan(catalog, ImmutableDictionary<string, FileObservation>.Empty));

    /// <summary>Carries out a plan that <see cref="Plan"/> made.</summary>
    public async Task<ImmutableArray<string>> RunAsync(Plan plan)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < plan.CleanUp.Length; i++)
        {
            try
            {
                steps.Tell(OperationPoint.StepIntended, plan, i);
                await steps.ApplyAsync(plan, i, CancellationToken.None).ConfigureAwait(false);
                steps.Tell(OperationPoint.StepApplied, plan, i);
            }
            catch (Exception e) when (!steps.IsAbandoned)
            {
                warnings.Add($"{Failure.Of(e, plan.CleanUp[i].Summary).Message}; the next command tries it again");
            }
        }

        if (warnings.Count == 0)
        {
            DurableFolder.Remove(folder.Path);
            steps.Tell(OperationPoint.Ended, plan);
        }

        return warnings.ToImmutable();
    }
}
