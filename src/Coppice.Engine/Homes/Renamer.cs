using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Gives a domain a name that no other has. Holds the lock of the home unless it only plans.</summary>
internal sealed class Renamer(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(RenameDomain request)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        var ends = new TransientEnds(call.Home, home);
        if (call.Options.PlanOnly)
        {
            ends.RequireNone(finder.Folders());
            return await RenameAsync(request).ConfigureAwait(false);
        }

        var settled = await ends.TidyAsync(finder.Folders(), call.Cancellation).ConfigureAwait(false);
        return await call.TellingAsync(settled, () => RenameAsync(request)).ConfigureAwait(false);
    }

    private async Task<OperationResult> RenameAsync(RenameDomain request)
    {
        var folder = finder.Find(request.Domain);
        finder.RequireAllReadable();
        finder.RequireFree(request.Name, folder, "choose another name");
        return await DomainSession.RunAsync(call, request, folder).ConfigureAwait(false);
    }
}
