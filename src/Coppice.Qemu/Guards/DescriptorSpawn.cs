using System.Collections;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Coppice.Qemu.Guards;

/// <summary>
/// Starts a program in a session of its own, where no terminal and no Ctrl-C reaches it, and chooses its open files one by one.
/// .NET has no way to do either. None of the files can be inherited by a program that another thread starts in the same instant.
/// </summary>
internal static unsafe partial class DescriptorSpawn
{
    // More than any C library needs; glibc and musl have 80 bytes.
    private const int ActionsBytes = 512, AttributesBytes = 512;
    private const short NewSession = 0x80;
    private const int Interrupted = 4;
    private const int DuplicateClosing = 1030, AboveAll = 10;

    /// <summary>Starts a program.</summary>
    /// <param name="program">Its name or path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="descriptors">The files that it has open besides standard error, by number.</param>
    /// <returns>Its pid. Somebody has to <see cref="Wait"/> for it.</returns>
    /// <exception cref="Win32Exception">It cannot be started.</exception>
    public static int Start(string program, IEnumerable<string> arguments, SortedDictionary<int, SafeHandle> descriptors)
    {
        var actions = stackalloc byte[ActionsBytes];
        var attributes = stackalloc byte[AttributesBytes];
        Require(InitializeActions(actions));
        Require(InitializeAttributes(attributes));
        var copies = new List<int>();
        using var argv = new TextArray([program, .. arguments]);
        using var environment = new TextArray(
            Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(v => $"{v.Key}={v.Value}"));
        try
        {
            foreach (var (number, file) in descriptors)
            {
                // Out of the way of all numbers that are going to be replaced.
                copies.Add(Duplicate((int)file.DangerousGetHandle(), DuplicateClosing, AboveAll));
                Require(copies[^1] < 0 ? Marshal.GetLastPInvokeError() : AddDuplicate(actions, copies[^1], number));
            }

            Require(SetFlags(attributes, NewSession));
            Require(Spawn(out var pid, program, actions, attributes, argv.Pointer, environment.Pointer));
            return pid;
        }
        finally
        {
            copies.Where(c => c >= 0).ToList().ForEach(c => _ = Close(c));
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
            foreach (var file in descriptors.Values)
            {
                GC.KeepAlive(file);
            }
        }
    }

    /// <summary>Waits until a program has ended that was started here, and lets the kernel forget it.</summary>
    public static void Wait(int pid)
    {
        while (WaitFor(pid, out _, 0) < 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }
    }

    private static void Require(int error)
    {
        if (error != 0)
        {
            throw new Win32Exception(error);
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_spawnp", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Spawn(
        out int pid, string program, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitializeActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDuplicate(byte* actions, int file, int number);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Duplicate(int file, int command, int least);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int InitializeAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int DestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitFor(int pid, out int status, int options);

    /// <summary>Texts as C has them, with a null pointer behind the last.</summary>
    private sealed class TextArray : IDisposable
    {
        private readonly nint[] _texts;

        public TextArray(IEnumerable<string> texts)
        {
            _texts = [.. texts.Select(Marshal.StringToCoTaskMemUTF8)];
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)_texts.Length + 1, (nuint)sizeof(byte*));
            for (var i = 0; i < _texts.Length; i++)
            {
                Pointer[i] = (byte*)_texts[i];
            }
        }

        public byte** Pointer { get; }

        public void Dispose()
        {
            Array.ForEach(_texts, Marshal.FreeCoTaskMem);
            NativeMemory.Free(Pointer);
        }
    }
}
