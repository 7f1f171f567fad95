using Coppice.Core;

namespace Coppice.Qemu.Processes;

/// <summary>Where a process, and the emulator of its TPM, keep sockets, pid and log. Paths only; nothing is touched.</summary>
/// <param name="Path">The absolute path of the folder.</param>
internal sealed record RunFolder(string Path)
{
    /// <summary>
    /// The names of sockets and pipes in it that QEMU is given relative to the folder, its working directory while it starts.
    /// </summary>
    public const string CommandsName = "qmp.sock", ReadersName = "readers.sock", EventsName = "events.sock", GuardName = "guard",
        TimerName = "timer", TpmControlName = "tpm.sock";

    /// <summary>The folder of a process.</summary>
    public static RunFolder Of(HomeFolder home, ShortId process) => new(home.Process(process));

    /// <summary>The monitor for commands.</summary>
    public string Commands => $"{Path}/{CommandsName}";

    /// <summary>The monitor for those who only read, so that they never wait behind a command.</summary>
    public string Readers => $"{Path}/{ReadersName}";

    /// <summary>
    /// The monitor for whoever watches the guest, for as long as it likes. Processes of earlier builds have none. QEMU drops what it has
    /// to tell while nobody is connected, and keeps what somebody does not read: whoever connects reads on.
    /// </summary>
    public string Events => $"{Path}/{EventsName}";

    /// <summary>The pipes of the guard's monitor, without <c>.in</c> and <c>.out</c>.</summary>
    public string Guard => $"{Path}/{GuardName}";

    /// <summary>The control channel of the emulator of its TPM.</summary>
    public string TpmControl => $"{Path}/{TpmControlName}";

    /// <summary>The uuid of the domain that the process was started for.</summary>
    public string Domain => $"{Path}/domain";

    /// <summary>How the images of each disk are opened.</summary>
    public string Drives => $"{Path}/drives.json";

    /// <summary>The links that lead to its sockets from outside the domain's folder, with NUL between them.</summary>
    public string Links => $"{Path}/links";

    /// <summary>It is there once the process was let go on.</summary>
    public string WentOn => $"{Path}/went-on";

    /// <summary>It is there while the process waits for somebody to take it, and says about how much memory it takes.</summary>
    public string Waiting => $"{Path}/waiting";

    /// <summary>The pipe in which what ends the process is told that it was taken.</summary>
    public string Timer => $"{Path}/{TimerName}";

    /// <summary>It is there once somebody has taken the process.</summary>
    public string Taken => $"{Path}/taken";

    /// <summary>Names the memory file that an operation made from the process, once it is whole.</summary>
    public string Finished(ShortId operation) => $"{Path}/memory.{operation}";

    /// <summary>The image in which an operation has the state of devices saved; it goes with the operation.</summary>
    public string DeviceState(ShortId operation) => $"{Path}/devices.{operation}.qcow2";

    /// <summary>It is there once the copy of a disk was told to end.</summary>
    public string Told(ShortId job) => $"{Path}/told.{job}";

    /// <summary>It is there once a merge was finished in the process.</summary>
    public string Merged(ShortId job) => $"{Path}/merged.{job}";

    /// <summary>It is there while an operation may have left the guest's file systems frozen.</summary>
    public string Frozen(ShortId operation) => $"{Path}/frozen.{operation}";

    /// <summary>A socket of a console, channel or screen.</summary>
    public string Socket(string name) => $"{Path}/{name}";
}
