using System.Text;
using Coppice.Core;

namespace Coppice.Qemu.Processes;

/// <summary>Where a process keeps its sockets, pid and log. Paths only; nothing is touched.</summary>
/// <param name="Path">The absolute path of the folder.</param>
internal sealed record RunFolder(string Path)
{
    /// <summary>
    /// The names of files in it that QEMU is given relative to the folder, its working directory while it starts.
    /// </summary>
    public const string CommandsName = "qmp.sock", ReadersName = "readers.sock", GuardName = "guard", LogName = "qemu.log";

    /// <summary>The longest address of a unix socket.</summary>
    private const int MaximumSocketBytes = 107;

    private const int LongestSocketName = 24;

    /// <summary>The folder of a process.</summary>
    public static RunFolder Of(HomeFolder home, ShortId process) => new(home.Process(process));

    /// <summary>The monitor for commands.</summary>
    public string Commands => $"{Path}/{CommandsName}";

    /// <summary>The monitor for those who only read, so that they never wait behind a command.</summary>
    public string Readers => $"{Path}/{ReadersName}";

    /// <summary>The pipes of the guard's monitor, without <c>.in</c> and <c>.out</c>.</summary>
    public string Guard => $"{Path}/{GuardName}";

    /// <summary>The process id, and the folder as the kernel names it.</summary>
    public string Pid => $"{Path}/pid";

    /// <summary>What QEMU wrote to its standard error.</summary>
    public string Log => $"{Path}/{LogName}";

    /// <summary>How the images of each disk are opened.</summary>
    public string Drives => $"{Path}/drives.json";

    /// <summary>It is there once the process was let go on.</summary>
    public string WentOn => $"{Path}/went-on";

    /// <summary>Names the memory file that an operation made from the process, once it is whole.</summary>
    public string Finished(ShortId operation) => $"{Path}/memory.{operation}";

    /// <summary>A socket of a console, channel or screen.</summary>
    public string Socket(string name) => $"{Path}/{name}";

    /// <summary>Refuses a home whose path leaves no room for the addresses of sockets.</summary>
    /// <exception cref="CoppiceException">It is too long (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public void CheckLength()
    {
        var length = Encoding.UTF8.GetByteCount(Path) + 1 + LongestSocketName;
        if (length > MaximumSocketBytes)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput,
                $"folder {Path}",
                $"its path is {length - MaximumSocketBytes} bytes too long for the address of a unix socket",
                "choose a home with a shorter path by --home or COPPICE_HOME");
        }
    }
}
