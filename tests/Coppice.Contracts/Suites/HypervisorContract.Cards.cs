using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>A network card goes, and another comes in its place.</summary>
public abstract partial class HypervisorContract
{
    private const int Slot = 9;

    [Fact]
    public async Task A_network_card_is_replaced_at_its_place_once_the_guest_lets_go_of_it()
    {
        await using var bed = Open();
        var (old, renewed) = (WithCard(bed, 1), WithCard(bed, 2));
        var process = await StartAsync(bed, old);
        Assert.Empty((await ObserveAsync(bed, process, old)).GoneCards);
        var (letGo, plug) = bed.Hypervisor.RenewCard(process, renewed, 0);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, letGo));
        await Task.WhenAll(ApplyAsync(bed, letGo), bed.LetGoAsync(process, Slot));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, letGo));
        Assert.Equal([0], (await ObserveAsync(bed, process, old)).GoneCards);
        await ApplyAsync(bed, letGo);
        await ApplyAsync(bed, plug);
        await ApplyAsync(bed, plug);
        Assert.Empty((await ObserveAsync(bed, process, renewed)).GoneCards);
        await CountingAsync(bed, process);

        // Memory that is kept now fits a process that has the new card from its start.
        var memory = bed.NewMemory();
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(process, DomainState.Running, memory, [], default)));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await CountingAsync(bed, await StartAsync(bed, renewed, memory));
    }

    [Fact]
    public async Task Of_a_process_that_died_no_card_is_missed()
    {
        await using var bed = Open();
        var process = await StartAsync(bed, WithCard(bed, 1));
        await bed.KillAsync(process);
        var (letGo, plug) = bed.Hypervisor.RenewCard(process, WithCard(bed, 2), 0);
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, letGo));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, letGo));
        await ApplyAsync(bed, plug);
    }

    [Fact]
    public async Task Which_cards_are_fixed_while_the_guest_runs_is_told_while_planning()
    {
        await using var bed = Open();
        var plain = WithCard(bed, 1);
        var q35 = plain with { Os = plain.Os with { Machine = "pc-q35-7.2" } };
        Assert.Null(bed.Hypervisor.WhyFixed(plain, Card(plain)));
        Assert.NotNull(bed.Hypervisor.WhyFixed(q35, Card(q35)));
        var silent = plain with { Features = MachineFeatures.None };
        Assert.NotNull(bed.Hypervisor.WhyFixed(silent, Card(silent)));
        var behindPort = q35.With(Card(q35), Card(q35) with { Address = new PciAddress(1, 0, 0) });
        Assert.Null(bed.Hypervisor.WhyFixed(behindPort, Card(behindPort)));
        var mapped = plain.With(Card(plain), Card(plain) with { Address = new VirtioMmioAddress() });
        Assert.NotNull(bed.Hypervisor.WhyFixed(mapped, Card(mapped)));
        var shared = plain with { Devices = [.. plain.Devices, new NetworkDevice { Address = new PciAddress(0, Slot, 1) }] };
        Assert.NotNull(bed.Hypervisor.WhyFixed(shared, Card(shared)));
    }

    private static NetworkDevice Card(DomainDefinition definition) => definition.Devices.OfType<NetworkDevice>().First();

    private static DomainDefinition WithCard(IHypervisorBed bed, int number) => bed.Definition with
    {
        Features = MachineFeatures.Acpi,
        Devices =
        [
            .. bed.Definition.Devices,
            new NetworkDevice { Mac = $"52:54:00:00:00:{number:x2}", Address = new PciAddress(0, Slot, 0) },
        ],
    };

    private static async Task<ShortId> StartAsync(IHypervisorBed bed, DomainDefinition definition, MemoryImage? memory = null)
    {
        var process = bed.NewProcess();
        var launch = new LaunchRequest(process, definition, [new DiskChain("vda", [bed.Base])], memory ?? MemoryImage.None);
        await ApplyAsync(bed, bed.Hypervisor.Launch(launch));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, definition, run: true));
        await CountingAsync(bed, process);
        return process;
    }
}
