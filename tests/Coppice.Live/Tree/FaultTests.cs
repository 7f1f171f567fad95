using System.Diagnostics;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Cli;

namespace Coppice.Live.Tree;

/// <summary>
/// QEMU or the disk fails while the guest stands still and its memory is being written. The guest goes on if it can, the error
/// says what to do, and no half of a snapshot stays.
/// </summary>
public sealed class FaultTests
{
    private const long Leftover = 1 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("create")]
    [InlineData("create live")]
    [InlineData("revert")]
    public async Task QEMU_killed_while_it_writes_memory_leaves_a_domain_that_is_off_and_loses_nothing_acknowledged(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(operation);
        var before = await domain.ShowAsync();
        var writing = new MemoryWatch(before.Folder);
        long acked;
        CoppiceException error;
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.WaitForAckAsync((await witness.StatusAsync()).Acked + 5);
            error = await FailAsync(domain, operation, () => writing.WhenBegunAsync(domain.KillQemuAsync));
            acked = witness.LastAcked;
        }

        Assert.True(writing.Seen, "QEMU was not killed while it wrote");
        Assert.Equal(ErrorKind.Hypervisor, error.Kind);
        await Aftermath.TouchAsync(domain);
        await Aftermath.VerifyTreeAsync(domain, before.Catalog, operation);
        Assert.Equal(before.Catalog.Snapshots.Keys, (await domain.ShowAsync()).Catalog.Snapshots.Keys);
        Assert.Equal(DomainState.Off, (await domain.ShowAsync()).Hypervisor.State);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var again = await domain.ConnectAsync();
        Assert.True((await again.ScanAsync("vda")).Highest >= acked);
        Assert.Equal(0, (await again.ScanAsync("vdb")).Torn);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("create live")]
    [InlineData("revert")]
    public async Task A_disk_that_is_full_in_the_pause_is_named_and_the_guest_goes_on(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(operation);
        var folder = (await domain.ShowAsync()).Folder.MemoryFolder;
        var kept = Path.Combine(domain.Folder, "kept");
        Directory.CreateDirectory(kept);
        foreach (var file in Directory.GetFiles(folder))
        {
            File.Copy(file, Path.Combine(kept, Path.GetFileName(file)));
        }

        await using var small = await SmallDisk.MountAsync(folder, "400M");
        Assert.SkipWhen(small is null, "only root can mount a small tmpfs");
        foreach (var file in Directory.GetFiles(kept))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        var boot = await CheckpointTests.BootIdAsync(domain);
        var before = await domain.ShowAsync();
        var filler = Path.Combine(folder, "filler");

        // The plan had found enough room; somebody else takes it before the guest stands still.
        var error = await FailAsync(domain, operation, () => FillAsync(filler));
        Assert.True(File.Exists(filler), "the disk was not filled");
        Assert.Equal(ErrorKind.Storage, error.Kind);
        Assert.Contains(folder, error.Subject, StringComparison.Ordinal);
        Assert.Contains("space", error.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
        await Aftermath.RunsByItselfAsync(domain, operation);
        File.Delete(filler);

        await GoesOnAsWithoutAsync(domain, before.Catalog, boot);
        await domain.CreateAsync("room-again");
    }

    [Theory]
    [InlineData("create")]
    [InlineData("create live")]
    public async Task QEMU_that_hangs_for_a_while_in_the_pause_is_waited_for(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(operation);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var before = await domain.ShowAsync();
        var writing = new MemoryWatch(before.Folder);
        var hung = domain.QemuProcesses.Single();
        Task hanging = Task.CompletedTask;
        await RunAsync(domain, operation, () => hanging = writing.WhenBegunAsync(async () =>
        {
            await SignalAsync("STOP", hung);
            await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
            await SignalAsync("CONT", hung);
        }));
        await hanging;
        Assert.True(writing.Seen, "QEMU did not hang while it wrote");
        await Aftermath.TouchAsync(domain);
        await Aftermath.VerifyTreeAsync(domain, before.Catalog, operation);
        await CheckpointTests.VerifyAsync(domain, boot);
    }

    private static async Task<LiveDomain> PrepareAsync(string operation)
    {
        var domain = await LiveDomain.BootAsync();
        await (operation is "create live" ? LiveStreamTests.RequireAsync(domain) : Task.CompletedTask);
        await CheckpointTests.StartLoadAsync(domain);
        await domain.CreateAsync("base");
        return domain;
    }

    private static async Task GoesOnAsWithoutAsync(LiveDomain domain, Catalog before, string boot)
    {
        await Aftermath.TouchAsync(domain);
        var after = await Aftermath.VerifyTreeAsync(domain, before, "after the failure");
        Assert.Equal(before.Snapshots.Keys, after.Snapshots.Keys);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Single(domain.QemuProcesses);
    }

    private static async Task<CoppiceException> FailAsync(LiveDomain domain, string operation, Func<Task> inPause)
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => RunAsync(domain, operation, inPause));
        TestContext.Current.TestOutputHelper?.WriteLine($"{operation}: {error.Kind}: {error.Message}");
        return error;
    }

    /// <summary>Runs an operation, and something that goes wrong beside it from the start of the step with the pause.</summary>
    private static async Task RunAsync(LiveDomain domain, string operation, Func<Task> inPause)
    {
        Request request = operation is not "revert"
            ? new CreateSnapshot(LiveDomain.Name) { Name = "failing", Live = operation is "create live" }
            : new RevertSnapshot(LiveDomain.Name, "base", RevertState.AsTaken, DiscardCurrent: false, Force: false);
        var mishap = Task.CompletedTask;
        var options = new RunOptions
        {
            OnEvent = passed => mishap =
                passed is { Point: OperationPoint.StepIntended, Step.Kind: "qemu.checkpoint" or "qemu.leave" } ? inPause() : mishap,
        };
        try
        {
            await domain.Home.RunAsync(request, options, TestContext.Current.CancellationToken);
        }
        finally
        {
            await mishap;
        }
    }

    /// <summary>Leaves next to nothing free. It is done at once: the step goes on when it returns.</summary>
    private static Task FillAsync(string path)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        var free = new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace;
        var block = new byte[Leftover];
        for (long at = 0; at + Leftover < free; at += Leftover)
        {
            RandomAccess.Write(file, block, at);
        }

        return Task.CompletedTask;
    }

    private static async Task SignalAsync(string signal, int process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process}"]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>Sees from the file that QEMU writes memory: then its guest stands still.</summary>
    private sealed class MemoryWatch(DomainFolder folder)
    {
        public bool Seen { get; private set; }

        public Task WhenBegunAsync(Func<Task> act) => Task.Run(async () =>
        {
            for (var begin = TimeProvider.System.GetTimestamp(); !Seen;)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, "no memory was written");
                Seen = Directory.Exists(folder.MemoryFolder)
                    && new DirectoryInfo(folder.MemoryFolder).GetFiles("*.partial").Any(f => f is { Exists: true, Length: > 0 });
                await Task.Delay(1, TestContext.Current.CancellationToken);
            }

            await act();
        });
    }
}
