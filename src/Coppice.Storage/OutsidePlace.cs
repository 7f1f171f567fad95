using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>
/// Takes back what was made outside the folder of a domain. That place may have been pulled out, be read-only or forbidden by now, and
/// may stay so: the domain must not wait for it.
/// </summary>
internal static class OutsidePlace
{
    /// <summary>Removes something; what cannot be is told and left, unless it is in the domain's own folder.</summary>
    public static Task Undo(string path, StepContext context, Action remove)
    {
        try
        {
            remove();
        }
        catch (FileException e) when (e.IsOutOfReach && !path.StartsWith(context.Folder.Path + "/", StringComparison.Ordinal))
        {
            context.Leave($"{path} may be left, remove it yourself: {e.Problem}");
        }

        return Task.CompletedTask;
    }
}
