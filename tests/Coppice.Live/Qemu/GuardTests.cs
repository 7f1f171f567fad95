using System.Diagnostics;
using System.Runtime.CompilerServices;
using Coppice.Core;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

public sealed class GuardTests
{
    private const string HolderVariable = "COPPICE_LIVE_GUARD_HOLDER";

    [Theory]
    [InlineData("old 0badcafe", true, false)]
    [InlineData("committed 0badcafe", false, true)]
    [InlineData("rolled forward 0badcafe", true, false)]
    public async Task A_manager_that_is_killed_leaves_one_guest_running(string last, bool oldRuns, bool newRuns)
    {
        await using var bed = new QemuBed();
        var old = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(old);
        var successor = await bed.StartAsync([bed.NewCopy()], MemoryImage.None, run: false);
        await File.WriteAllTextAsync(bed.Folder.CatalogRoot, $"{{\n  \"last\": \"{last}\"\n}}\n", QemuBed.Cancellation);
        using var manager = StartManager(bed, old, successor);
        Assert.Equal("standing", await manager.StandardOutput.ReadLineAsync(QemuBed.Cancellation));
        Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(old)).State);

        var start = TimeProvider.System.GetTimestamp();
        manager.Kill();
        var resumed = oldRuns ? old : successor;
        while ((await bed.ObserveAsync(resumed)).State is not DomainState.Running)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        }

        TestContext.Current.SendDiagnosticMessage("resumed after {0}", TimeProvider.System.GetElapsedTime(start));
        await Guard.WaitForOthersAsync(bed.Folder, TimeProvider.System, QemuBed.Cancellation);
        Assert.Equal(oldRuns ? DomainState.Running : DomainState.Paused, (await bed.ObserveAsync(old)).State);
        Assert.Equal(newRuns ? DomainState.Running : DomainState.Paused, (await bed.ObserveAsync(successor)).State);
    }

    [Fact]
    public async Task A_guard_that_was_sent_home_does_nothing_and_the_next_one_can_be_armed()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None, run: false);
        var order = new GuardOrder(bed.Folder, new ShortId("0badcafe"), RunFolder.Of(bed.Home, process), null);
        for (var i = 0; i < 10; i++)
        {
            using var guard = await Guard.ArmAsync(order, TimeProvider.System, QemuBed.Cancellation);
            await guard.DisarmAsync();
        }

        Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(process)).State);
    }

    /// <summary>
    /// This program again, as the manager that is going to be killed: it arms a guard, stops the guest and waits.
    /// </summary>
    private static Process StartManager(QemuBed bed, ShortId old, ShortId successor)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[HolderVariable] = $"{bed.Home.Path}|{bed.Definition.Id}|{old}|{successor}";
        return Process.Start(start)!;
    }

#pragma warning disable CA2255 // The manager has to be a process of its own, and this is the only program that there is.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void BecomeManager()
    {
        if (Environment.GetEnvironmentVariable(HolderVariable)?.Split('|') is [var home, var domain, var old, var successor])
        {
            Hold(new HomeFolder(home), DomainId.Parse(domain), new ShortId(old), new ShortId(successor));
        }
    }

    // Nothing of this assembly runs on another thread before its initializer has returned, so nothing here may be async.
    private static void Hold(HomeFolder home, DomainId domain, ShortId old, ShortId successor)
    {
        var order = new GuardOrder(
            home.Domain(domain), new ShortId("0badcafe"), RunFolder.Of(home, old), RunFolder.Of(home, successor));
        using var guard = Guard.ArmAsync(order, TimeProvider.System, CancellationToken.None).GetAwaiter().GetResult();
        var machine = Machine.ConnectAsync(
            RunFolder.Of(home, old), TimeProvider.System, CancellationToken.None).GetAwaiter().GetResult();
        machine!.StopAsync().GetAwaiter().GetResult();
        Console.WriteLine("standing");
        Task.Delay(TimeSpan.FromMinutes(1), TimeProvider.System).GetAwaiter().GetResult();
    }
}
