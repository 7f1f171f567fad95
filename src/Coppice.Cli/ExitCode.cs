using Coppice.Core;

namespace Coppice.Cli;

/// <summary>The one table that maps what went wrong to the exit code of the command (docs/cli.md).</summary>
internal static class ExitCode
{
    public const int Success = 0;

    public static int Of(ErrorKind kind) => kind switch
    {
        ErrorKind.Internal => 1,
        ErrorKind.InvalidInput => 2,
        ErrorKind.NotFound => 3,
        ErrorKind.AlreadyExists => 4,
        ErrorKind.WrongState => 5,
        ErrorKind.MissingCapability => 6,
        ErrorKind.WouldLose => 7,
        ErrorKind.Busy => 8,
        ErrorKind.Forbidden => 9,
        ErrorKind.Storage => 10,
        ErrorKind.Hypervisor => 11,
        ErrorKind.Damaged => 12,
        ErrorKind.Uncertain => 13,
        ErrorKind.Cancelled => 130,
        _ => 1,
    };
}
