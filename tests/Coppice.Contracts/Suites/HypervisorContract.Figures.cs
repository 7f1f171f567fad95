using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor counts of a guest.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task What_a_guest_uses_is_counted_while_its_process_lives()
    {
        await using var bed = Open();
        Assert.Null(await MeasureAsync(bed, bed.NewProcess(), bed.Definition));
        var process = await StartAsync(bed);
        Assert.True((await ObserveAsync(bed, process)).Pid > 0);
        var before = await MeasureAsync(bed, process, bed.Definition);
        Assert.NotNull(before);
        Assert.True(before.ResidentMemory.Bytes > 0);
        Assert.Null(before.Balloon);
        Assert.Empty(before.Cards);
        Assert.Equal(Enumerable.Range(0, bed.Definition.VirtualCpus), before.Vcpus.Select(v => v.Number));
        var disk = Assert.Single(before.Disks);
        Assert.Equal("vda", disk.Target);
        Assert.True(disk.Reads is { Requests: > 0, Bytes.Bytes: > 0, Errors: 0 });

        var after = before;
        for (var attempt = 0; attempt < 500 && after?.Vcpus[0].Processor?.Total <= before.Vcpus[0].Processor?.Total; attempt++)
        {
            await bed.WaitAsync();
            after = await MeasureAsync(bed, process, bed.Definition);
        }

        Assert.True(after?.Vcpus[0].Processor?.Total > before.Vcpus[0].Processor?.Total);
        Assert.True(after.Processor.Total > before.Processor.Total);
        await bed.KillAsync(process);
        Assert.Null(await MeasureAsync(bed, process, bed.Definition));
        Assert.Null((await ObserveAsync(bed, process)).Pid);
    }

    [Fact]
    public async Task What_a_balloon_leaves_is_told_and_a_card_without_a_tap_device_has_no_figures()
    {
        await using var bed = Open();
        var definition = WithCard(bed, 1);
        definition = definition with { Devices = [.. definition.Devices, new BalloonDevice { Present = true, Address = new PciAddress(0, 8, 0) }] };
        var process = await StartAsync(bed, definition);
        var figures = await MeasureAsync(bed, process, definition);
        Assert.Equal(definition.Memory, figures?.Balloon);
        Assert.Equal(new CardFigures(0, "52:54:00:00:00:01"), Assert.Single(figures!.Cards));
    }

    [Fact]
    public async Task A_card_has_the_figures_of_its_tap_device_while_its_process_has_that()
    {
        await using var bed = Open();
        var tap = new TapDevice { Name = await bed.NewTapAsync(), Exists = true };
        var definition = On(bed, bed.NewProcess(), tap).Definition;
        var (old, successor) = (await StartAsync(bed, tap), bed.NewProcess());
        var card = Assert.Single((await MeasureAsync(bed, old, definition))!.Cards);
        Assert.Equal(tap.Name, card.Device);
        Assert.NotNull(card.Received);
        Assert.NotNull(card.Sent);

        var memory = bed.NewMemory();
        await ApplyAsync(bed, Checkpoint(bed, old, DomainState.Running, memory, bed.NewOverlay(bed.Base)));
        await ApplyAsync(bed, bed.Hypervisor.Launch(On(bed, successor, tap, bed.NewOverlay(bed.Base)) with { Memory = memory, Beside = old }));
        Assert.Null(Assert.Single((await MeasureAsync(bed, successor, definition))!.Cards).Device);
    }

    private static Task<GuestFigures?> MeasureAsync(IHypervisorBed bed, ShortId process, DomainDefinition definition) =>
        bed.Hypervisor.MeasureAsync(bed.Folder, process, definition, TestContext.Current.CancellationToken);
}
