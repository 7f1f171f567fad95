using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of the host's networks.</summary>
public abstract partial class HypervisorContract
{
    private const string NoSuchNetwork = "no-such-net";

    public static TheoryData<TapDevice> Missing =>
        [new TapDevice { Bridge = NoSuchNetwork }, new TapDevice { Name = NoSuchNetwork, Exists = true }];

    [Theory, MemberData(nameof(Missing))]
    public async Task A_network_that_is_missing_is_named_before_anything_starts(TapDevice tap)
    {
        await using var bed = Open();
        var process = bed.NewProcess();
        var step = bed.Hypervisor.Launch(On(bed, process, tap));
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(NoSuchNetwork, error.Subject, StringComparison.Ordinal);
        Assert.False((await ObserveAsync(bed, process)).IsAlive);
        await UndoTwiceAsync(bed, step);
    }

    [Fact]
    public async Task A_tap_device_is_had_by_one_process_and_passes_on_to_the_one_that_follows()
    {
        await using var bed = Open();
        var tap = new TapDevice { Name = await bed.NewTapAsync(), Exists = true };
        var (old, successor) = (await StartAsync(bed, tap), bed.NewProcess());
        Assert.True(bed.HasTap(old, tap.Name));

        var memory = bed.NewMemory();
        await ApplyAsync(bed, Checkpoint(bed, old, DomainState.Running, memory, bed.NewOverlay(bed.Base)));
        Assert.True(bed.HasTap(old, tap.Name));

        var refused = bed.Hypervisor.Launch(On(bed, bed.NewProcess(), tap, bed.NewOverlay(bed.Base)));
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, refused))).Kind);

        await ApplyAsync(bed, bed.Hypervisor.Launch(On(bed, successor, tap, bed.NewOverlay(bed.Base)) with { Memory = memory, Beside = old }));
        Assert.False(bed.HasTap(successor, tap.Name));
        await CountingAsync(bed, old);
        await ApplyAsync(bed, bed.Hypervisor.End(old));
        var takeOver = bed.Hypervisor.TakeOver(successor, On(bed, successor, tap).Definition, run: true);
        await ApplyAsync(bed, takeOver);
        Assert.True(bed.HasTap(successor, tap.Name));
        await ApplyAsync(bed, takeOver);
        Assert.True(bed.HasTap(successor, tap.Name));
        await CountingAsync(bed, successor);
    }

    [Fact]
    public async Task A_guest_goes_on_without_a_tap_device_that_is_taken_and_has_it_when_the_step_is_repeated()
    {
        await using var bed = Open();
        var tap = new TapDevice { Name = await bed.NewTapAsync(), Exists = true };
        var (old, successor) = (await StartAsync(bed, tap), bed.NewProcess());
        var memory = bed.NewMemory();
        await ApplyAsync(bed, Checkpoint(bed, old, DomainState.Running, memory, bed.NewOverlay(bed.Base)));
        var launch = On(bed, successor, tap, bed.NewOverlay(bed.Base)) with { Memory = memory, Beside = old };
        await ApplyAsync(bed, bed.Hypervisor.Launch(launch));

        // As when the old one could not be ended.
        var takeOver = bed.Hypervisor.TakeOver(successor, launch.Definition, run: true);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, takeOver))).Kind);
        await CountingAsync(bed, successor);
        await ApplyAsync(bed, bed.Hypervisor.End(old));
        await ApplyAsync(bed, takeOver);
        Assert.True(bed.HasTap(successor, tap.Name));
    }

    /// <summary>A process that has a tap device, and whose guest counts.</summary>
    private static async Task<ShortId> StartAsync(IHypervisorBed bed, TapDevice tap)
    {
        var process = bed.NewProcess();
        var launch = On(bed, process, tap);
        await ApplyAsync(bed, bed.Hypervisor.Launch(launch));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, launch.Definition, run: true));
        await CountingAsync(bed, process);
        return process;
    }

    private static LaunchRequest On(IHypervisorBed bed, ShortId process, TapDevice tap, params Layer[] above)
    {
        var definition = bed.Definition with { Devices = [.. bed.Definition.Devices, new NetworkDevice { Tap = tap }] };
        return new LaunchRequest(process, definition, [new DiskChain("vda", [.. above, bed.Base])], MemoryImage.None);
    }
}
