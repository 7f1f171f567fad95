using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>A process is known again whatever it does, and no other is taken for it.</summary>
public sealed class QemuProcessTests : IDisposable
{
    private readonly RunFolder _folder = new(Directory.CreateTempSubdirectory("cq-").FullName);

    public void Dispose() => Directory.Delete(_folder.Path, recursive: true);

    [Fact]
    public async Task A_process_that_goes_to_another_folder_still_lives()
    {
        var process = new QemuProcess(_folder, TimeProvider.System);
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

    [Fact]
    public void A_pid_that_another_program_has_now_is_not_the_process()
    {
        File.WriteAllText(_folder.Pid, $"{Environment.ProcessId} {_folder.Path}\n");
        Assert.Null(new QemuProcess(_folder, TimeProvider.System).Pid);
    }
}
