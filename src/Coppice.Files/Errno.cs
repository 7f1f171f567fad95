namespace Coppice.Files;

/// <summary>The error numbers of Linux that are told apart.</summary>
internal static class Errno
{
    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int Io = 5;
    public const int NoSuchAddress = 6;
    public const int WouldBlock = 11;
    public const int Access = 13;
    public const int Exists = 17;
    public const int OtherFileSystem = 18;
    public const int NoDevice = 19;
    public const int NotADirectory = 20;
    public const int Invalid = 22;
    public const int NoSuchRequest = 25;
    public const int NoSpace = 28;
    public const int ReadOnly = 30;
    public const int TooManyLinks = 31;
    public const int NameTooLong = 36;
    public const int NotEmpty = 39;
    public const int NotSupported = 95;
    public const int NotConnected = 107;
    public const int Shutdown = 108;
    public const int Stale = 116;
    public const int Quota = 122;

    private const int HResultFacility = unchecked((int)0xFFFF0000);

    /// <summary>The number behind an exception of the framework, which keeps it in HResult or in the type.</summary>
    public static int From(Exception e) => e switch
    {
        FileException f => f.ErrorNumber,
        FileNotFoundException or DirectoryNotFoundException => NoEntry,
        PathTooLongException => NameTooLong,
        UnauthorizedAccessException { InnerException: { } inner } => From(inner),
        UnauthorizedAccessException => Access,
        _ when (e.HResult & HResultFacility) == 0 => e.HResult,
        _ => Io,
    };
}
