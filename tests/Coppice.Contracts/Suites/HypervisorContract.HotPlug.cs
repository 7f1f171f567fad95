using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>Disks that come to a process and leave it.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_disk_comes_to_a_guest_that_runs_and_leaves_it_again()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (image, definition, chain) = More(bed);
        Assert.Equal(["sdb"], (await ObserveAsync(bed, process, definition)).Unplugged);
        var (open, plug) = bed.Hypervisor.Plug(process, definition, chain);
        await ApplyAsync(bed, open);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, plug));
        await ApplyAsync(bed, plug);
        await ApplyAsync(bed, plug);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, plug));
        var with = await ObserveAsync(bed, process, definition);
        Assert.Equal((image.Path, true), (with.ActiveImages["sdb"], with.Unplugged.IsEmpty));
        await CountingAsync(bed, process);

        var (unplug, close) = bed.Hypervisor.Unplug(process, definition, chain);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, unplug));
        await ApplyAsync(bed, unplug);
        await ApplyAsync(bed, unplug);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, unplug));
        await RefusedToAnotherAsync(bed, image);
        await ApplyAsync(bed, close);
        await ApplyAsync(bed, close);
        await LaunchAsync(bed, MemoryImage.None, image);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_disk_that_came_is_moved_with_the_others_and_all_its_images_are_closed_when_it_leaves()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (image, definition, chain) = More(bed);
        var (open, plug) = bed.Hypervisor.Plug(process, definition, chain);
        await ApplyAsync(bed, open);
        await ApplyAsync(bed, plug);
        var overlay = bed.NewOverlay(image);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(
            process, DomainState.Running, bed.NewMemory(), [new DiskSwitch("sdb", image, overlay)], default)));
        Assert.Equal(overlay.Path, (await ObserveAsync(bed, process, definition)).ActiveImages["sdb"]);

        var (unplug, close) = bed.Hypervisor.Unplug(process, definition, new DiskChain("sdb", [overlay, image]));
        await ApplyAsync(bed, unplug);
        await ApplyAsync(bed, close);
        await LaunchAsync(bed, MemoryImage.None, overlay, image);
    }

    [Fact]
    public async Task Opening_the_images_of_a_disk_is_taken_back_wholly()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (image, definition, chain) = More(bed);
        var (open, _) = bed.Hypervisor.Plug(process, definition, chain);
        await ApplyAsync(bed, open);
        await ApplyAsync(bed, open);
        await RefusedToAnotherAsync(bed, image);
        await UndoTwiceAsync(bed, open);
        await LaunchAsync(bed, MemoryImage.None, image);
    }

    [Fact]
    public async Task An_image_in_use_and_a_process_that_died_take_no_disk_and_a_dead_one_holds_none()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (image, definition, chain) = More(bed);
        var other = await LaunchAsync(bed, MemoryImage.None, image);
        var (open, plug) = bed.Hypervisor.Plug(process, definition, chain);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, open))).Kind);
        await ApplyAsync(bed, bed.Hypervisor.End(other));

        await bed.KillAsync(process);
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, open));
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, plug));
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, plug));
        var (unplug, close) = bed.Hypervisor.Unplug(process, definition, chain);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, unplug));
        await ApplyAsync(bed, close);
        await UndoTwiceAsync(bed, open);
    }

    [Fact]
    public async Task A_disk_on_layers_that_another_disk_has_open_comes_and_leaves()
    {
        await using var bed = Open();
        var (one, two) = (bed.NewOverlay(bed.Base), bed.NewOverlay(bed.Base));
        var process = await StartAsync(bed, one, bed.Base);
        var (definition, chain) = (bed.With(two), new DiskChain("sdb", [two, bed.Base]).Beside([one, bed.Base]));
        var (open, plug) = bed.Hypervisor.Plug(process, definition, chain);
        await ApplyAsync(bed, open);
        await ApplyAsync(bed, open);
        await ApplyAsync(bed, plug);
        Assert.Equal(two.Path, (await ObserveAsync(bed, process, definition)).ActiveImages["sdb"]);
        var (unplug, close) = bed.Hypervisor.Unplug(process, definition, chain);
        await ApplyAsync(bed, unplug);
        await ApplyAsync(bed, close);
        await ApplyAsync(bed, close);
        await CountingAsync(bed, process);
        await LaunchAsync(bed, MemoryImage.None, two, bed.Base);
    }

    [Fact]
    public async Task A_process_starts_with_two_disks_on_the_same_layer_and_one_may_leave()
    {
        await using var bed = Open();
        var (one, two, process) = (bed.NewOverlay(bed.Base), bed.NewOverlay(bed.Base), bed.NewProcess());
        var (definition, chain) = (bed.With(two), new DiskChain("sdb", [two, bed.Base]));
        await ApplyAsync(bed, bed.Hypervisor.Launch(new LaunchRequest(
            process, definition, [new DiskChain("vda", [one, bed.Base]), chain], MemoryImage.None)));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, definition, run: true));
        await CountingAsync(bed, process);
        var images = (await ObserveAsync(bed, process, definition)).ActiveImages;
        Assert.Equal((one.Path, two.Path), (images["vda"], images["sdb"]));
        var (unplug, close) = bed.Hypervisor.Unplug(process, definition, chain.Beside([one, bed.Base]));
        await ApplyAsync(bed, unplug);
        await ApplyAsync(bed, close);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_bus_that_is_fixed_while_the_guest_runs_is_named_while_planning()
    {
        await using var bed = Open();
        var image = bed.NewImage();
        var definition = bed.Definition with
        {
            Devices = [.. bed.Definition.Devices, new DiskDevice { Target = "sdb", Bus = DiskBus.Sata, Source = image.Path, Format = image.Format }],
        };
        var error = Assert.Throws<CoppiceException>(() => bed.Hypervisor.Plug(bed.NewProcess(), definition, new DiskChain("sdb", [image])));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("sdb", error.Subject, StringComparison.Ordinal);
    }

    private static (Layer Image, DomainDefinition Definition, DiskChain Chain) More(IHypervisorBed bed)
    {
        var image = bed.NewImage();
        return (image, bed.With(image), new DiskChain("sdb", [image]));
    }

    private static Task<HypervisorObservation> ObserveAsync(IHypervisorBed bed, ShortId process, DomainDefinition definition) =>
        bed.Hypervisor.ObserveAsync(bed.Folder, process, definition, [], default);

    private static async Task RefusedToAnotherAsync(IHypervisorBed bed, Layer image)
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => LaunchAsync(bed, MemoryImage.None, image));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
    }
}
