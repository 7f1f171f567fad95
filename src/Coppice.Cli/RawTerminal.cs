using System.Runtime.InteropServices;

namespace Coppice.Cli;

/// <summary>
/// A terminal that hands over every key as it is, until disposed. It is also given back on the signals that end the
/// process: a shell with a raw terminal is of no use.
/// </summary>
internal sealed partial class RawTerminal : IDisposable
{
    private const int StandardInput = 0;
    private const int AfterOutput = 1;

    // struct termios of Linux has 60 bytes on x86-64 and arm64; the rest is room to spare.
    private const int TermiosBytes = 128;

    private readonly byte[] _before = new byte[TermiosBytes];
    private readonly PosixSignalRegistration[] _registrations;
    private int _restored;

    private RawTerminal()
    {
        if (GetAttributes(StandardInput, _before) != 0)
        {
            throw new IOException($"the terminal cannot be asked for its settings: error {Marshal.GetLastPInvokeError()}");
        }

        _registrations =
        [
            .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGINT, PosixSignal.SIGQUIT }
                .Select(signal => PosixSignalRegistration.Create(signal, _ => Restore())),
        ];
        var raw = (byte[])_before.Clone();
        MakeRaw(raw);
        if (SetAttributes(StandardInput, AfterOutput, raw) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new IOException($"the terminal cannot be made raw: error {error}");
        }
    }

    /// <summary>Makes standard input raw if it is a terminal.</summary>
    public static RawTerminal? Enter(bool isTerminal) => isTerminal ? new RawTerminal() : null;

    public void Dispose()
    {
        Restore();
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void Restore()
    {
        if (Interlocked.Exchange(ref _restored, 1) == 0)
        {
            _ = SetAttributes(StandardInput, AfterOutput, _before);
        }
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int GetAttributes(int descriptor, [Out] byte[] termios);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    private static partial int SetAttributes(int descriptor, int actions, [In] byte[] termios);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void MakeRaw([In, Out] byte[] termios);
}
