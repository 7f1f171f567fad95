using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Turns what went wrong underneath into the one exception of Coppice.</summary>
internal static class Failure
{
    public static CoppiceException Of(FileException e) => new(ErrorKind.Storage, e.Path, e.Problem, e.NextStep, e);

    public static CoppiceException Of(Exception e, string subject) => e switch
    {
        CoppiceException known => known,
        FileException file => Of(file),
        OperationCanceledException => new CoppiceException(ErrorKind.Cancelled, subject, "was cancelled", "", e),
        IOException or UnauthorizedAccessException => new CoppiceException(ErrorKind.Storage, subject, e.Message, "", e),
        _ => new CoppiceException(ErrorKind.Internal, subject, $"{e.GetType().Name}: {e.Message}", "please report this", e),
    };

    /// <summary>The same error with something to add.</summary>
    public static CoppiceException And(this CoppiceException e, string more, ErrorKind? kind = null) =>
        new(kind ?? e.Kind, e.Subject, $"{e.Problem}; {more}", e.NextStep, e.InnerException ?? e);
}
