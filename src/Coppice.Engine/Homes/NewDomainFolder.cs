using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>The folder of a domain that a journalled plan makes.</summary>
internal static class NewDomainFolder
{
    /// <summary>
    /// Carries the plan out. Its journal is what tells a half-made domain from one that has lost its catalog. Needs the lock of the
    /// home.
    /// </summary>
    /// <param name="call">The request.</param>
    /// <param name="folder">The folder, which does not exist.</param>
    /// <param name="name">What the domain is called.</param>
    /// <param name="plan">What makes it.</param>
    public static async Task<OperationResult> MakeAsync(Call call, DomainFolder folder, string name, Plan plan)
    {
        var (store, steps) = (new CatalogStore(folder), call.Steps(folder));
        DurableFolder.Create(folder.Path);
        try
        {
            using var held = await call.LockAsync(folder.Lock, $"domain '{name}'").ConfigureAwait(false);
            var warnings = await new OperationExecutor(folder, steps, store).RunAsync(plan, call.Cancellation).ConfigureAwait(false);
            return Results.Executed(plan, store.Read(), steps.Runs, warnings);
        }
        catch when (!call.Announcer.IsAbandoned && !store.Exists && !Recovery.IsMaking(folder))
        {
            DurableFolder.RemoveIfEmpty(folder.VolumeFolder);
            DurableFolder.Remove(folder.Path);
            throw;
        }
    }
}
