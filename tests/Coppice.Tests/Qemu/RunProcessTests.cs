using System.Diagnostics;
using System.Net.Sockets;
using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Tests.Images;

namespace Coppice.Tests.Qemu;

/// <summary>A process is known again whatever it does, and no other is taken for it.</summary>
public sealed class RunProcessTests : IDisposable
{
    // The first thread ends by the system call; the other one stays until its input is closed, and holds all files.
    private const string HeadlessProgram = """
        import ctypes, os, sys, threading
        def last():
            print("headless", flush=True)
            sys.stdin.read()
            os._exit(0)
        threading.Thread(target=last).start()
        ctypes.CDLL(None).syscall(60, 0)
        """;

    private readonly RunFolder _folder = new(Directory.CreateTempSubdirectory("cq-").FullName);

    public void Dispose() => Directory.Delete(_folder.Path, recursive: true);

    [Fact]
    public async Task A_process_that_goes_to_another_folder_still_lives()
    {
        var process = new RunProcess(_folder, ProcessFiles.Qemu, TimeProvider.System);
        await process.StartAsync(
            "/bin/sh", ["-c", "cd / && : >$0/moved && exec sleep 60", _folder.Path], TestContext.Current.CancellationToken);
        while (!File.Exists($"{_folder.Path}/moved"))
        {
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }

        Assert.Equal("/", new FileInfo($"/proc/{process.Pid}/cwd").LinkTarget);
        await process.KillAsync(TestContext.Current.CancellationToken);
        Assert.Null(process.Pid);
    }

    [Theory]
    [InlineData("pid.new")]
    [InlineData("guard.in")]
    public async Task On_a_full_disk_nothing_is_started_and_the_error_says_so(string unwritable)
    {
        File.CreateSymbolicLink($"{_folder.Path}/{unwritable}", "/dev/full");
        var process = new RunProcess(_folder, ProcessFiles.Qemu, TimeProvider.System);
        var error = await Assert.ThrowsAsync<CoppiceException>(
            () => process.StartAsync("/bin/sleep", ["60"], TestContext.Current.CancellationToken));
        Assert.Equal(ErrorKind.Storage, error.Kind);
        Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains(unwritable is "pid.new" ? "I/O error" : "guard.in", error.Message, StringComparison.Ordinal);
        Assert.Null(process.Pid);
    }

    [Fact]
    public void A_pid_that_another_program_has_now_is_not_the_process()
    {
        File.WriteAllText($"{_folder.Path}/pid", $"{Environment.ProcessId} {_folder.Path}\n");
        Assert.Null(new RunProcess(_folder, ProcessFiles.Qemu, TimeProvider.System).Pid);
    }

    [Fact]
    public void It_has_ended_for_certain_only_if_it_can_be_told_and_nobody_listens_on_its_monitor()
    {
        var process = new RunProcess(_folder, ProcessFiles.Qemu, TimeProvider.System);
        Assert.False(process.HasEnded);
        File.WriteAllText($"{_folder.Path}/pid", $"{Environment.ProcessId}\n");
        Assert.False(process.HasEnded);
        File.WriteAllText($"{_folder.Path}/pid", $"{Environment.ProcessId} {Environment.CurrentDirectory}\n");
        Assert.False(process.HasEnded);

        // A pid of another PID namespace, for instance: only who listens tells.
        File.WriteAllText($"{_folder.Path}/pid", $"{int.MaxValue} {_folder.Path}\n");
        Assert.True(process.HasEnded);
        using (var monitor = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            monitor.Bind(new UnixDomainSocketEndPoint(_folder.Readers));
            monitor.Listen(0);
            for (var clients = 0; clients < 4; clients++)
            {
                Assert.False(process.HasEnded);
            }

            // A process that is killed leaves its socket behind.
            File.Move(_folder.Readers, _folder.Readers + ".kept");
        }

        File.Move(_folder.Readers + ".kept", _folder.Readers);
        Assert.True(process.HasEnded);
        File.Delete($"{_folder.Path}/pid");
        Directory.CreateDirectory($"{_folder.Path}/pid");
        Assert.False(process.HasEnded);
    }

    [Fact]
    public async Task A_process_whose_first_thread_has_ended_is_alive_until_the_last_one_has()
    {
        var cancellation = TestContext.Current.CancellationToken;
        Assert.SkipUnless(OperatingSystem.IsLinux() && Tool.Exists("python3"), "needs python3");
        using var program = Process.Start(new ProcessStartInfo("sh", ["-c", "echo $$ $(pwd -P) >pid; exec python3 -c \"$0\"", HeadlessProgram])
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Assert.Equal("headless", await program.StandardOutput.ReadLineAsync(cancellation));
        while (new FileInfo($"/proc/{program.Id}/cwd").LinkTarget is not null)
        {
            await Task.Delay(5, cancellation);
        }

        var process = new RunProcess(_folder, ProcessFiles.Qemu, TimeProvider.System);
        Assert.Equal(program.Id, process.Pid);
        program.StandardInput.Close();
        await program.WaitForExitAsync(cancellation);
        Assert.Null(process.Pid);
    }
}
