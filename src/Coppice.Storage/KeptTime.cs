using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>
/// Changes of an image that leave what its disk holds as it is. The time by which it is known that nobody wrote to it stays too.
/// </summary>
internal static class KeptTime
{
    /// <summary>Does something to an image and gives it back its time; one that is gone by then has none.</summary>
    public static async Task<StepReport> WhileAsync(string path, Func<Task> act)
    {
        var written = FileSystem.Look(path)?.ModifiedAt;
        await act().ConfigureAwait(false);
        try
        {
            if (written is { } time && File.Exists(path))
            {
                FileSystem.SetModified(path, time);
            }

            return StepReport.Nothing;
        }
        catch (FileException e)
        {
            // Whoever may write to an image need not own it.
            return new StepReport
            {
                Warning = $"the time of image {path} could not be kept ({e.Problem}): to whoever looks next it seems rewritten",
            };
        }
    }
}
