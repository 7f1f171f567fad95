using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

public sealed class QemuLifeTests
{
    [Fact]
    public async Task A_launched_guest_stands_until_it_takes_over()
    {
        await using var bed = new QemuBed();
        var process = bed.NewProcess();
        var launch = bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [new("vda", [bed.Base])], MemoryImage.None));
        Assert.Equal(StepOutcome.NotDone, await bed.Hypervisor.ProbeAsync(launch, bed.Context(), QemuBed.Cancellation));
        var report = await bed.Hypervisor.ApplyAsync(launch, bed.Context(), QemuBed.Cancellation);
        TestContext.Current.SendDiagnosticMessage("launch {0}", string.Join(", ", report.Timings));
        var standing = await bed.ObserveAsync(process);
        Assert.Equal((DomainState.Paused, true), (standing.State, standing.IsAlive));
        Assert.Equal(bed.Base.Path, standing.ActiveImages["vda"]);
        Assert.Equal(StepOutcome.Done, await bed.Hypervisor.ProbeAsync(launch, bed.Context(), QemuBed.Cancellation));
        await bed.Hypervisor.ApplyAsync(bed.Hypervisor.TakeOver(process, bed.Definition, run: true), bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
        await bed.CountingAsync(process);
    }

    [Fact]
    public async Task Pause_and_resume_undo_each_other()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var pause = bed.Hypervisor.Signal(process, DomainSignal.Pause);
        await bed.Hypervisor.ApplyAsync(pause, bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(process)).State);
        Assert.Equal(StepOutcome.Done, await bed.Hypervisor.ProbeAsync(pause, bed.Context(), QemuBed.Cancellation));
        await bed.Hypervisor.UndoAsync(pause, bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
    }

    [Fact]
    public async Task An_ended_process_is_off_and_leaves_nothing()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var end = bed.Hypervisor.End(process);
        await bed.Hypervisor.ApplyAsync(end, bed.Context(), QemuBed.Cancellation);
        await bed.Hypervisor.ApplyAsync(end, bed.Context(), QemuBed.Cancellation);
        Assert.Equal(HypervisorObservation.Off, await bed.ObserveAsync(process));
        Assert.False(Directory.Exists(bed.Home.Process(process)));
    }

    [Fact]
    public async Task A_process_killed_from_outside_is_off()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await new QemuProcess(RunFolder.Of(bed.Home, process), TimeProvider.System).KillAsync(QemuBed.Cancellation);
        Assert.Equal(HypervisorObservation.Off, await bed.ObserveAsync(process));
    }

    [Fact]
    public async Task Readers_do_not_wait_for_the_monitor_of_commands()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await using var busy = await Machine.ConnectAsync(RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        var readers = Enumerable.Range(0, 8).Select(_ => bed.ObserveAsync(process));
        Assert.All(await Task.WhenAll(readers), o => Assert.True(o.IsAlive));
    }

    [Fact]
    public async Task An_image_in_use_is_named()
    {
        await using var bed = new QemuBed();
        await bed.StartAsync([bed.Base], MemoryImage.None);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.StartAsync([bed.Base], MemoryImage.None));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains(bed.Base.Path, error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_image_is_named()
    {
        await using var bed = new QemuBed();
        File.Delete(bed.Base.Path);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.StartAsync([bed.Base], MemoryImage.None));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(bed.Base.Path, error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capabilities_are_what_qemu_says()
    {
        await using var bed = new QemuBed();
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var cache = $"{bed.Home.Path}/qemu.json";
        var first = await new QemuHypervisor(new QemuOptions { CacheFile = cache }, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        var again = await new QemuHypervisor(new QemuOptions { CacheFile = cache }, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        Assert.Contains(Capability.ExternalMemory, first.Items);
        Assert.Equal(first.Version, again.Version);
        Assert.True(again.Items.SetEquals(first.Items));
    }
}
