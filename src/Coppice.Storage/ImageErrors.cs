using Coppice.Core;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>What the image reader refuses, in the words and kinds of Coppice.</summary>
internal static class ImageErrors
{
    public static T Guard<T>(string subject, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ImageException e)
        {
            throw new CoppiceException(Kind(e.Fault), $"{subject}, image {e.Path}", e.Problem, e.NextStep, e);
        }
    }

    private static ErrorKind Kind(ImageFault fault) => fault switch
    {
        ImageFault.Missing => ErrorKind.NotFound,
        ImageFault.InUse => ErrorKind.WrongState,
        ImageFault.Malformed or ImageFault.Mismatch => ErrorKind.Damaged,
        ImageFault.Unreadable => ErrorKind.Storage,
        _ => ErrorKind.Forbidden,
    };
}
