using System.Diagnostics;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Guards;

/// <summary>Whom a guard lets run if its maker dies.</summary>
/// <param name="Folder">The domain.</param>
/// <param name="Operation">The operation it belongs to.</param>
/// <param name="Otherwise">The process that goes on while the operation is not committed; null for none.</param>
/// <param name="Committed">The process that goes on once it is; null for none.</param>
internal sealed record GuardOrder(DomainFolder Folder, ShortId Operation, RunFolder? Otherwise, RunFolder? Committed);

/// <summary>
/// A dead man's switch: a shell, in a session of its own, that waits on a pipe whose other end this process holds. If the
/// pipe closes without a word — this process died, whatever killed it — it lets the guest go on. A guard holds the domain's
/// guard lock as long as it lives, so whoever takes that lock knows that no guard acts any more.
/// </summary>
internal sealed class Guard : IDisposable
{
    // The manager may have died before it had flushed the root: what a guest writes to the new head must not be undone by a loss
    // of power that brings the old root back. A cancelled migration ends a while after the command, and "cont" is refused until
    // then: hence the repetitions. QEMU's answers are thrown away, or the pipe would fill over the years.
    private const string Script = """
        lock=$1 root=$2 operation=$3 otherwise=$4 committed=$5
        exec 9>>"$lock"
        flock -w 10 9 || exit
        echo armed
        read -r word && exit
        if grep -q "\"last\": \"committed $operation\"" "$root"; then
            sync "${root%/*}"
            guest=$committed
        else
            guest=$otherwise
        fi
        [ -p "$guest.in" ] || exit
        exec 8<>"$guest.in"
        for pause in 0.02 0.05 0.1 0.2 0.3 0.3; do
            printf 'migrate_cancel\ncont\n' >&8
            sleep $pause
            dd if="$guest.out" of=/dev/null bs=64k count=1 iflag=nonblock
        done
        """;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(15);

    private readonly Process _shell;
    private bool _isOver;

    private Guard(Process shell) => _shell = shell;

    /// <summary>Starts a guard; on return it watches.</summary>
    /// <exception cref="CoppiceException">It cannot be started (<see cref="ErrorKind.Internal"/>).</exception>
    public static async Task<Guard> ArmAsync(GuardOrder order, TimeProvider time, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])
            ["sh", "-c", Script, "coppice-guard", LockOf(order.Folder), order.Folder.CatalogRoot, order.Operation.ToString(),
             order.Otherwise?.Guard ?? "", order.Committed?.Guard ?? ""])
        {
            start.ArgumentList.Add(argument);
        }

        var guard = new Guard(Process.Start(start)!);
        try
        {
            var answer = guard._shell.StandardOutput.ReadLineAsync(cancellation).AsTask();
            var word = await answer.WaitAsync(s_limit, time, cancellation);
            return word == "armed" ? guard : throw NotArmed("another guard is still at work");
        }
        catch (Exception e)
        {
            await guard.DisarmAsync();
            throw e is TimeoutException ? NotArmed("the shell does not answer") : e;
        }
    }

    /// <summary>Waits until no guard of a domain is at work any more. One that was left behind takes a second.</summary>
    /// <exception cref="CoppiceException">One is (<see cref="ErrorKind.Busy"/>).</exception>
    public static async Task WaitForOthersAsync(DomainFolder folder, TimeProvider time, CancellationToken cancellation)
    {
        if (!Directory.Exists(folder.Path))
        {
            return;
        }

        using var free = await FileLock.AcquireAsync(LockOf(folder), s_limit, time, cancellation)
            ?? throw new CoppiceException(
                ErrorKind.Busy, $"domain in {folder.Path}", "a guard is still at work on it", "try again in a second");
    }

    /// <summary>Sends it home without having done anything.</summary>
    public async Task DisarmAsync()
    {
        try
        {
            await _shell.StandardInput.WriteLineAsync("home");
            await _shell.StandardInput.FlushAsync();
        }
        catch (IOException)
        {
            // It is gone already.
        }

        await _shell.WaitForExitAsync();
        Dispose();
    }

    /// <summary>Lets go of the pipe: a guard that was not disarmed does its work.</summary>
    public void Dispose()
    {
        if (_isOver)
        {
            return;
        }

        _isOver = true;
        try
        {
            _shell.StandardInput.Close();
        }
        catch (IOException)
        {
            // It is gone already.
        }

        _shell.Dispose();
    }

    private static string LockOf(DomainFolder folder) => $"{folder.Path}/guard.lock";

    private static CoppiceException NotArmed(string problem) => new(
        ErrorKind.Internal, "the guard of a paused guest", $"cannot be started: {problem}", "nothing was changed; try again");
}
