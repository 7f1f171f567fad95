using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Removes what a domain that was undefined leaves: its process, what Coppice made for it, its folder.</summary>
internal sealed class Removal(HomeOptions options, DomainFolder folder, StepRunner steps)
{
    /// <summary>What there is to do, of a catalog. Images that the user brought stay. Loans that are over bind nothing.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="files">What is known of the files that go.</param>
    public Plan Plan(Catalog catalog, ImmutableDictionary<string, FileObservation> files) =>
        PlanOf(catalog.Without(new Lending(options, folder.Home).Stale(catalog)), files);

    private Plan PlanOf(Catalog catalog, ImmutableDictionary<string, FileObservation> files) => new()
    {
        Id = options.Ids.NextShort(),
        Operation = UndefineDomain.Word,
        Domain = catalog.Domain,
        Mechanism = "forget the domain",
        CleanUp =
        [
            .. Merging.Halted(catalog, options.Hypervisor),
            .. catalog.Head.Process is { } process ? [options.Hypervisor.End(process)] : Array.Empty<Step>(),
            .. catalog.Spares.Select(s => options.Hypervisor.End(s.Process)),
            .. Reclaiming.All(folder, catalog, files, options.Hypervisor, options.Storage),
        ],
        Warnings = [.. Reclaiming.StayingInside(catalog, files).Select(l =>
            $"internal snapshot {l.Inside!.Tag} stays{(HoldsMemory(catalog, l) ? ", with memory," : "")} in {l.Path}, "
                + "which has another name or is used by a fork")],
    };

    private static bool HoldsMemory(Catalog catalog, Layer layer) => catalog.Memories.Any(m => m.Layer == layer.Id);

    /// <summary>
    /// Does it, as far as it is not done. The folder goes last, and of that the catalog, so that a crash leaves what tells how to
    /// go on.
    /// </summary>
    /// <returns>
    /// What stays, and what could not be removed; because of the latter the folder stays too, and the next command tries again.
    /// </returns>
    public async Task<ImmutableArray<string>> RunAsync(Catalog catalog)
    {
        var images = LayerGraph.Of(catalog).All.Select(l => l.Path);
        var plan = Plan(catalog, await options.Storage.ObserveFilesAsync(images, CancellationToken.None).ConfigureAwait(false));
        return [.. plan.Warnings, .. await RunAsync(plan).ConfigureAwait(false)];
    }

    /// <summary>Carries out a plan that <see cref="Plan"/> made.</summary>
    /// <returns>What could not be removed.</returns>
    public async Task<ImmutableArray<string>> RunAsync(Plan plan)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        await ChecksumTaker.WaitUntilGoneAsync(folder, options.Time).ConfigureAwait(false);
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

        if (File.Exists(folder.Home.VolumeRecord) && await options.Storage.ObserveVolumeAsync(folder.Home, CancellationToken.None).ConfigureAwait(false) is null)
        {
            warnings.Add("the memory volume is not mounted, and what is there of the domain goes with a later command");
        }

        if (warnings.Count == 0)
        {
            DurableFolder.Remove(folder.VolumeFolder);
            DurableFolder.Remove(folder.Path, folder.ForgottenRoot);
            steps.Tell(OperationPoint.Ended, plan);
        }

        return warnings.ToImmutable();
    }
}
