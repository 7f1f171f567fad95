using System.Collections.Immutable;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>Chains as our records have them, checked before anybody opens an image.</summary>
internal static class CheckedChain
{
    /// <summary>
    /// Requires each image to be there, in the format of the record, and on the next one.
    /// </summary>
    /// <param name="subject">What the chain is of, for errors.</param>
    /// <param name="chain">The records, top first.</param>
    public static void Require(string subject, ImmutableArray<ImageArguments> chain)
    {
        var folders = chain.Where(i => i.Type is Core.StorageType.File).Select(i => Path.GetDirectoryName(i.Path)!);
        ImageErrors.Guard(subject, () => ImageChain.Check([.. chain.Select(i => i.ToRecord())], new AllowedFolders(folders)));
    }
}
