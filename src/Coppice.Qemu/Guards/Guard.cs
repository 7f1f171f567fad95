using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Guards;

/// <summary>Whom a guard lets run if its maker dies.</summary>
/// <param name="Folder">The domain.</param>
/// <param name="Operation">The operation it belongs to.</param>
/// <param name="Otherwise">The process that goes on while the operation is not committed; null for none.</param>
/// <param name="Committed">The process that goes on once it is; null for none.</param>
internal sealed record GuardOrder(DomainFolder Folder, ShortId Operation, RunFolder? Otherwise, RunFolder? Committed)
{
    /// <summary>
    /// Memory may be on its way out, and is given up first. Nothing else is cancelled: what is written in the background must not be,
    /// whose ever it is; see <see cref="StreamDrain"/>.
    /// </summary>
    public bool Cancels { get; init; }

    /// <summary>The guest whose file systems are frozen meanwhile: it is thawed too. Null if none are.</summary>
    public FrozenGuest? Frozen { get; init; }
}

/// <summary>A guest whose file systems are frozen, and which does not thaw them by itself.</summary>
/// <param name="Agent">A connection to its agent. The guard shares it: nobody has to be there to connect anew.</param>
/// <param name="Limit">How long it may be frozen, whether or not its guard's maker still lives.</param>
internal sealed record FrozenGuest(SafeHandle Agent, TimeSpan Limit);

/// <summary>
/// A dead man's switch: a shell, in a session of its own, that waits on a pipe whose other end this process holds. If the
/// pipe closes without a word — this process died, whatever killed it — it lets the guest go on, and thaws its file systems if
/// they are frozen. Of those it also watches the time: a maker that hangs may live on. A guard holds the domain's guard lock from
/// its first instant as long as it lives, so whoever takes that lock knows that no guard acts any more. It need not say that it
/// watches: what its maker does not say any more it reads once it has begun.
/// </summary>
internal sealed class Guard : IDisposable
{
    // The manager may have died before it had flushed the root: what a guest writes to the new head must not be undone by a loss
    // of power that brings the old root back. A cancelled migration ends a while after the command, and "cont" is refused until
    // then: hence the repetitions. QEMU's answers are thrown away, or the pipe would fill over the years. An agent carries out
    // one command after the other: when it has repeated the id, it has thawed.
    private const string Script = """
        exec 2>/dev/null
        root=$1 operation=$2 otherwise=$3 committed=$4 limit=$5 cancel=$6
        if [ "$limit" ]; then word=$(timeout "$limit" head -n 1); else read -r word; fi
        [ "$word" ] && exit
        if grep -q "\"last\": \"committed $operation\"" "$root"; then
            sync "${root%/*}"
            guest=$committed
        else
            guest=$otherwise
        fi
        [ -p "$guest.in" ] || exit
        exec 8<>"$guest.in"
        for pause in 0.02 0.05 0.1 0.2 0.3 0.3 ${limit:+1 1 1 1 1 1}; do
            printf '%s\ncont\n' "$cancel" >&8
            if [ "$limit" ]; then
                printf '\377{"execute": "guest-fsfreeze-thaw"}\n' >&7
                printf '{"execute": "guest-sync", "arguments": {"id": %s}}\n' $$ >&7
            fi
            sleep $pause
            dd if="$guest.out" of=/dev/null bs=64k count=1 iflag=nonblock
            if [ "$limit" ]; then
                case $(dd bs=64k count=1 iflag=nonblock <&7) in *[!0-9]$$"}"*) exit ;; esac
            fi
        done
        """;

    private const int AgentDescriptor = 7, LockDescriptor = 9;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(15);

    private readonly AnonymousPipeServerStream _orders;
    private readonly AnonymousPipeServerStream _words;
    private readonly int _pid;
    private bool _isOver;

    private Guard(AnonymousPipeServerStream orders, AnonymousPipeServerStream words, int pid) =>
        (_orders, _words, _pid) = (orders, words, pid);

    /// <summary>Starts a guard; on return it watches.</summary>
    /// <exception cref="CoppiceException">It cannot be started (<see cref="ErrorKind.Internal"/>).</exception>
    public static async Task<Guard> ArmAsync(GuardOrder order, TimeProvider time, CancellationToken cancellation)
    {
        using var held = await FileLock.AcquireAsync(LockOf(order.Folder), s_limit, time, cancellation)
            ?? throw NotArmed("another guard is still at work");
        var guard = Start(order, held);
        held.PassOn();
        return guard;
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
            await _orders.WriteAsync("home\n"u8.ToArray());
        }
        catch (IOException)
        {
            // It is gone already.
        }

        await _words.CopyToAsync(Stream.Null);
        Close();
        DescriptorSpawn.Wait(_pid);
    }

    /// <summary>Lets go of the pipe: a guard that was not disarmed does its work, and nobody waits for that.</summary>
    public void Dispose()
    {
        if (!_isOver)
        {
            Close();
            _ = Task.Run(() => DescriptorSpawn.Wait(_pid));
        }
    }

    private void Close()
    {
        _isOver = true;
        _orders.Dispose();
        _words.Dispose();
    }

    private static Guard Start(GuardOrder order, FileLock held)
    {
        var orders = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.None);
        var words = new AnonymousPipeServerStream(PipeDirection.In, HandleInheritability.None);
        try
        {
            string[] arguments =
            [
                "-c", Script, "coppice-guard", order.Folder.CatalogRoot, order.Operation.ToString(),
                order.Otherwise?.Guard ?? "", order.Committed?.Guard ?? "",
                order.Frozen?.Limit.TotalSeconds.ToString(CultureInfo.InvariantCulture) ?? "", order.Cancels ? "migrate_cancel" : "",
            ];
            SortedDictionary<int, SafeHandle> descriptors = new()
            {
                [0] = orders.ClientSafePipeHandle, [1] = words.ClientSafePipeHandle, [LockDescriptor] = held.File,
            };
            if (order.Frozen is { Agent: { } agent })
            {
                descriptors[AgentDescriptor] = agent;
            }

            return new Guard(orders, words, DescriptorSpawn.Start("sh", arguments, descriptors));
        }
        catch (Exception e)
        {
            orders.Dispose();
            words.Dispose();
            throw e is System.ComponentModel.Win32Exception ? NotArmed(e.Message) : e;
        }
        finally
        {
            orders.DisposeLocalCopyOfClientHandle();
            words.DisposeLocalCopyOfClientHandle();
        }
    }

    private static string LockOf(DomainFolder folder) => $"{folder.Path}/guard.lock";

    private static CoppiceException NotArmed(string problem) => new(
        ErrorKind.Internal, "the guard of a paused guest", $"cannot be started: {problem}", "nothing was changed; try again");
}
