using System.ComponentModel;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Coppice.Core;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Guards;

/// <summary>
/// Stands between QEMU and the file that it writes memory to while its guest runs on. QEMU 7.2 leaves pages of the guest locked for
/// ever if such a write fails, so none may: what finds no room is read all the same, and told afterwards. It is a shell in a session of
/// its own, which goes on to read if this process dies. It ends when QEMU has closed its end.
/// </summary>
internal sealed class StreamDrain : IDisposable
{
    private const string Script = "cat && echo whole >&2 && exit; cat >/dev/null";

    private readonly AnonymousPipeServerStream _pipe;
    private readonly Task<string?> _end;

    private StreamDrain(AnonymousPipeServerStream pipe, AnonymousPipeServerStream complaints, int pid)
    {
        _pipe = pipe;
        Input = new SafeFileHandle(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);
        _end = Task.Run(() => WaitAsync(complaints, pid));
    }

    /// <summary>What QEMU writes to. It gets a copy; this one has to be closed before the drain can end.</summary>
    public SafeFileHandle Input { get; }

    /// <summary>Starts one.</summary>
    /// <param name="file">Open for writing; what comes is written from its position on.</param>
    /// <exception cref="CoppiceException">It cannot be started (<see cref="ErrorKind.Internal"/>).</exception>
    public static StreamDrain Start(SafeFileHandle file)
    {
        var pipe = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.None);
        var complaints = new AnonymousPipeServerStream(PipeDirection.In, HandleInheritability.None);
        try
        {
            SortedDictionary<int, SafeHandle> descriptors = new()
            {
                [0] = pipe.ClientSafePipeHandle, [1] = file, [2] = complaints.ClientSafePipeHandle,
            };
            return new StreamDrain(pipe, complaints, DescriptorSpawn.Start("sh", ["-c", Script, "coppice-drain"], descriptors));
        }
        catch (Exception e)
        {
            pipe.Dispose();
            complaints.Dispose();
            throw e is Win32Exception
                ? new CoppiceException(ErrorKind.Internal, "what writes memory", $"cannot be started: {e.Message}", "nothing was changed; try again", e)
                : e;
        }
        finally
        {
            pipe.DisposeLocalCopyOfClientHandle();
            complaints.DisposeLocalCopyOfClientHandle();
        }
    }

    /// <summary>Closes this process's copy of <see cref="Input"/>, once QEMU has one.</summary>
    public void CloseInput() => _pipe.Dispose();

    /// <summary>Waits until QEMU has closed its end and all is written.</summary>
    /// <returns>Why not all that came could be written; null if it was.</returns>
    public Task<string?> EndAsync()
    {
        CloseInput();
        return _end;
    }

    /// <summary>Lets go of it. It ends by itself.</summary>
    public void Dispose() => CloseInput();

    private static async Task<string?> WaitAsync(AnonymousPipeServerStream complaints, int pid)
    {
        // Its word counts, not how it ended: somebody else may have waited for it.
        using var reader = new StreamReader(complaints);
        var told = (await reader.ReadToEndAsync()).Trim();
        DescriptorSpawn.Wait(pid);
        return told is "whole" ? null : told.Length > 0 ? told : "what writes it was killed";
    }
}
