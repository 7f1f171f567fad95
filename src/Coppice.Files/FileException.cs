namespace Coppice.Files;

/// <summary>The file system refused: which path, why, and what can be done about it.</summary>
public sealed class FileException : IOException
{
    /// <summary>Makes an error that names the path and the way out.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="errno">The error number of the system; 0 if there is none.</param>
    /// <param name="problem">What is wrong, without a full stop.</param>
    /// <param name="nextStep">What the user can do, a full clause; may be empty.</param>
    /// <param name="cause">The error underneath, if any.</param>
    internal FileException(string path, int errno, string problem, string nextStep, Exception? cause = null)
        : base($"{path}: {problem}", cause)
    {
        Path = path;
        ErrorNumber = errno;
        Problem = problem;
        NextStep = nextStep;
    }

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The error number of the system; 0 if there is none.</summary>
    public int ErrorNumber { get; }

    /// <summary>What is wrong with it.</summary>
    public string Problem { get; }

    /// <summary>What to do next; may be empty.</summary>
    public string NextStep { get; }

    /// <summary>Whether the file or folder is not there.</summary>
    public bool IsMissing => ErrorNumber is Errno.NoEntry or Errno.NotADirectory;

    /// <summary>Whether it is there already.</summary>
    public bool IsTaken => ErrorNumber == Errno.Exists;

    /// <summary>Whether there is no room for more.</summary>
    public bool IsFull => ErrorNumber is Errno.NoSpace or Errno.Quota;

    /// <summary>Whether the place itself is at fault and may stay so: pulled out, broken, read-only or forbidden.</summary>
    public bool IsOutOfReach => ErrorNumber is Errno.ReadOnly or Errno.Io or Errno.NoDevice or Errno.NoSuchAddress or Errno.NotConnected
        or Errno.Shutdown or Errno.Stale or Errno.Access or Errno.NotPermitted;

    /// <summary>Makes the error of a system call.</summary>
    internal static FileException Of(string path, int errno, Exception? cause = null)
    {
        var (problem, nextStep) = errno switch
        {
            Errno.NoEntry or Errno.NotADirectory => ("does not exist", ""),
            Errno.Exists => ("exists already", "choose another name"),
            Errno.NoSpace => ("no space is left on the file system", "free some space and try again"),
            Errno.Quota => ("the disk quota is used up", "free some space and try again"),
            Errno.Access or Errno.NotPermitted => ("permission denied", "check who owns it, and as whom you run this"),
            Errno.OtherFileSystem => ("a hard link cannot lead from one mount to another", "keep both folders in one mount of one file system"),
            Errno.TooManyLinks => ("the file has as many names as its file system allows", "remove forks that are no longer needed"),
            Errno.ReadOnly => ("the file system is read-only", "remount it writable or use another folder"),
            Errno.NameTooLong => ("the name is too long", "choose a shorter one"),
            Errno.Io => ("the device reports an I/O error", "look into the kernel's log"),
            _ => (System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno), ""),
        };
        return new FileException(path, errno, problem, nextStep, cause);
    }

    /// <summary>Runs an act of the framework and names the path if it fails.</summary>
    internal static T Guard<T>(string path, Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not FileException)
        {
            throw Of(path, Errno.From(e), e);
        }
    }

    /// <summary>Runs an act of the framework and names the path if it fails.</summary>
    internal static void Guard(string path, Action act) =>
        Guard(path, () =>
        {
            act();
            return true;
        });
}
