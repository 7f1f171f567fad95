using System.Collections;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Coppice.Cli;

/// <summary>
/// Starts this program again, out of everybody's way: in a session of its own, with nothing open, and with what the kernel has left over of
/// processors and disks (SCHED_IDLE, from which it derives the class of I/O; threads inherit it). .NET has no way to choose any of these.
/// </summary>
internal static unsafe partial class AsideProcess
{
    // glibc needs 336 bytes for the one and 80 for the other.
    private const int AttributesBytes = 1024, ActionsBytes = 512;

    private const short SetSession = 0x80;
    private const int IdlePolicy = 5;
    private const int ReadWrite = 2;

    /// <summary>Starts it.</summary>
    /// <exception cref="Win32Exception">It cannot be started.</exception>
    /// <exception cref="EntryPointNotFoundException">The C library is older than glibc 2.29.</exception>
    public static void Start(IReadOnlyList<string> arguments)
    {
        var attributes = stackalloc byte[AttributesBytes];
        var actions = stackalloc byte[ActionsBytes];
        Require(InitializeAttributes(attributes));
        Require(InitializeActions(actions));
        string[] line = [.. Self(), .. arguments];
        var argv = Texts(line);
        var environment = Texts([.. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(v => $"{v.Key}={v.Value}")]);
        try
        {
            Require(SetFlags(attributes, SetSession));
            for (var descriptor = 0; descriptor <= 2; descriptor++)
            {
                Require(AddOpen(actions, descriptor, "/dev/null", ReadWrite, 0));
            }

            // A file system that somebody gave a command in can be unmounted meanwhile.
            Require(AddFolder(actions, "/"));
            Require(Spawn(out var pid, line[0], actions, attributes, argv, environment));

            // It has one thread yet. The C library refuses this policy as an attribute; if the kernel does too, it only has less manners.
            var priority = 0;
            _ = SetScheduler(pid, IdlePolicy, ref priority);
        }
        finally
        {
            Free(argv);
            Free(environment);
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
        }
    }

    /// <summary>What this program was started as: by itself, or as a library of the framework's own program.</summary>
    private static string[] Self()
    {
        var program = Environment.ProcessPath ?? throw new Win32Exception();
        return Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, Environment.GetCommandLineArgs()[0]] : [program];
    }

    private static byte** Texts(string[] texts)
    {
        var pointers = (byte**)NativeMemory.AllocZeroed((nuint)texts.Length + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Length; i++)
        {
            pointers[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        return pointers;
    }

    private static void Free(byte** texts)
    {
        for (var text = texts; *text is not null; text++)
        {
            Marshal.FreeCoTaskMem((nint)(*text));
        }

        NativeMemory.Free(texts);
    }

    private static void Require(int error)
    {
        if (error != 0)
        {
            throw new Win32Exception(error);
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Spawn(out int pid, string program, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitializeActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddOpen(byte* actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddFolder(byte* actions, string path);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int InitializeAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    private static partial int SetScheduler(int pid, int policy, ref int priority);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int DestroyAttributes(byte* attributes);
}
