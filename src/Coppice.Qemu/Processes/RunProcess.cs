using System.Diagnostics;
using System.Globalization;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Processes;

/// <summary>What a process has in its run folder, by name.</summary>
/// <param name="Pid">Its process id, and the folder as the kernel names it.</param>
/// <param name="Log">What it wrote to its standard error.</param>
/// <param name="Pipes">The named pipes that are made for it, with spaces between them.</param>
internal sealed record ProcessFiles(string Pid, string Log, string Pipes)
{
    /// <summary>The hypervisor.</summary>
    public static ProcessFiles Qemu { get; } = new("pid", "qemu.log", $"{RunFolder.GuardName}.in {RunFolder.GuardName}.out");

    /// <summary>The emulator of its TPM.</summary>
    public static ProcessFiles Tpm { get; } = new("tpm.pid", "tpm.log", "");

    /// <summary>What ends one that nobody has taken when its time is over.</summary>
    public static ProcessFiles Timer { get; } = new("timer.pid", "timer.log", RunFolder.TimerName);
}

/// <summary>
/// A process in a session of its own, which outlives the command that started it. It is known by its run folder: a
/// file there names its pid, and from before the program begins until it has ended the folder is its working directory or holds
/// its standard error, or both. A pid that was given to another program, also after a restart of the machine, has neither there.
/// </summary>
internal sealed class RunProcess(RunFolder folder, ProcessFiles files, TimeProvider time)
{
    private const int MaximumLogBytes = 64 << 10;

    // QEMU's sandbox forbids fork, so -daemonize is out. The pid is on disk before the program begins: there is no instant at
    // which a process runs that nobody could find again. The folder is noted as the kernel names it, links resolved. What the
    // shells say, they say into a pipe that only they hold: it closes when the program begins, or never will.
    private const string StartScript = """
        pid=$1 log=$2 pipes=$3
        shift 3
        [ -z "$pipes" ] || mkfifo -m 600 $pipes || exit
        setsid sh -c 'pid=$1 log=$2; shift 2
            : >"$log" && echo "$$ $(pwd -P)" >"$pid.new" && mv "$pid.new" "$pid" && exec "$@" 2>>"$log"' sh "$pid" "$log" "$@" \
            </dev/null >/dev/null &
        """;

    private const int MaximumPidBytes = 8192;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(2);

    private string PidPath => $"{folder.Path}/{files.Pid}";

    private string LogPath => $"{folder.Path}/{files.Log}";

    /// <summary>
    /// The process id; null if the process is not alive. One that was killed counts as alive until its last thread has let
    /// go of the images: on a busy host that may take a while, and whoever starts a successor would find them in use.
    /// </summary>
    public int? Pid
    {
        get
        {
            try
            {
                return Find();
            }
            catch (Exception e) when (IsDoubt(e))
            {
                return null;
            }
        }
    }

    /// <summary>
    /// Whether it is certain that it was started and has ended: its pid can be read and names no process of it, and nobody
    /// listens on the monitor for readers, which shows a process that this one cannot see. Asks nothing; false in doubt.
    /// </summary>
    public bool HasEnded
    {
        get
        {
            try
            {
                return Directory.Exists("/proc/self/task") && Find() is null && MonitorSocket.IsDeserted(folder.Readers);
            }
            catch (Exception e) when (IsDoubt(e))
            {
                return false;
            }
        }
    }

    /// <summary>Whether one was started in this run folder, alive or not.</summary>
    public bool WasStarted => File.Exists(PidPath);

    /// <summary>Starts it. The run folder must exist, without files of an earlier one.</summary>
    /// <param name="binary">The program.</param>
    /// <param name="arguments">Its arguments, with paths relative to the run folder.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">Its files cannot be written (<see cref="ErrorKind.Storage"/>).</exception>
    public async Task StartAsync(string binary, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = folder.Path, RedirectStandardError = true };
        foreach (var argument in (string[])["-c", StartScript, "sh", files.Pid, files.Log, files.Pipes, binary, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using var shell = Process.Start(start)!;
        using var errors = shell.StandardError;
        var complaint = await errors.ReadToEndAsync(cancellation);
        await shell.WaitForExitAsync(cancellation);
        if (!WasStarted)
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"run folder {folder.Path}", $"cannot be written, so nothing was started: {complaint.Trim()}",
                "make room in it, and repeat the command");
        }
    }

    /// <summary>Connects to one of its monitors, waiting for one that is just being started.</summary>
    /// <exception cref="CoppiceException">It does not answer in time, or ended (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task<QmpConnection> ConnectAsync(string monitor, string subject, TimeSpan limit, CancellationToken cancellation) =>
        QmpConnection.ConnectAsync(monitor, subject, () => Pid is not null, time, limit, cancellation);

    /// <summary>Waits until it is gone.</summary>
    /// <returns>False if it did not go in time.</returns>
    public async Task<bool> WaitForEndAsync(TimeSpan limit, CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); Pid is not null; await Task.Delay(s_interval, time, cancellation))
        {
            if (time.GetElapsedTime(start) > limit)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Whether it is ending, when a monitor failed: that closes before the process is gone. Returns once it is gone.
    /// </summary>
    public Task<bool> EndsAsync(CancellationToken cancellation) => WaitForEndAsync(TimeSpan.FromSeconds(1), cancellation);

    /// <summary>Ends it by force and waits until it is gone.</summary>
    /// <exception cref="CoppiceException">The kernel does not let it go (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task KillAsync(CancellationToken cancellation)
    {
        if (Pid is not { } pid)
        {
            return;
        }

        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It went by itself.
        }

        if (!await WaitForEndAsync(TimeSpan.FromSeconds(10), cancellation))
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, $"process {pid}", "does not end although it was killed", "see whether its storage hangs");
        }
    }

    /// <summary>What it complained about, at most the last 64 KiB.</summary>
    public string Log()
    {
        try
        {
            using var log = File.OpenRead(LogPath);
            log.Seek(-Math.Min(log.Length, MaximumLogBytes), SeekOrigin.End);
            using var reader = new StreamReader(log);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static bool IsDoubt(Exception e) =>
        e is IOException or FormatException or OverflowException or UnauthorizedAccessException;

    /// <exception cref="IOException">It cannot be told whether it is alive.</exception>
    /// <exception cref="FormatException">The same: what names it is damaged.</exception>
    private int? Find()
    {
        var noted = DurableFile.ReadTextBounded(PidPath, MaximumPidBytes).TrimEnd('\n').Split(' ', 2);
        var pid = int.Parse(noted[0], CultureInfo.InvariantCulture);
        var home = noted is [_, var named] ? named : throw new FormatException("the pid names no folder");
        return WorksIn(home, pid) || IsEnding(home, pid) ? pid : null;
    }

    // While QEMU is loaded, its library libpmem walks through folders of /sys: its standard error stays. While it ends, its
    // files are closed first: its working directory stays.
    private bool WorksIn(string folder, int pid) =>
        WorkingFolder($"/proc/{pid}") == folder
            || new FileInfo($"/proc/{pid}/fd/2").LinkTarget == $"{folder}/{files.Log}";

    private static string? WorkingFolder(string task) => new FileInfo($"{task}/cwd").LinkTarget;

    // One that was killed loses its first thread before the others, and each its working directory before it has let go of files.
    private static bool IsEnding(string folder, int pid) => Directory.Exists($"/proc/{pid}/task")
        && Directory.EnumerateDirectories($"/proc/{pid}/task").Any(
            task => WorkingFolder(task) is { } found ? found == folder : !IsDead(task));

    private static bool IsDead(string task)
    {
        try
        {
            var status = File.ReadAllText($"{task}/stat");
            return status[(status.LastIndexOf(')') + 1)..].TrimStart() is ['Z' or 'X', ..];
        }
        catch (IOException)
        {
            return true;
        }
    }
}
