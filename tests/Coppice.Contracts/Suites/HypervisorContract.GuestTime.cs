using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of the clocks of guests.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_guest_without_a_channel_to_an_agent_is_refused_while_planning_and_the_channel_named()
    {
        await using var bed = Open();
        var error = Assert.Throws<CoppiceException>(() => bed.Hypervisor.SetGuestTime(bed.NewProcess(), bed.Definition));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains($"<target type='virtio' name='{GuestAgentChannel.Name}'/>", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_has_yet_to_go_on_is_an_error_one_that_cannot_be_asked_a_warning_and_one_that_is_gone_nothing()
    {
        await using var bed = Open();
        var process = await LaunchAsync(bed, MemoryImage.None, bed.Base);
        var step = bed.Hypervisor.SetGuestTime(process, WithAgent(bed.Definition));
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step))).Kind);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        Assert.NotNull((await ApplyAsync(bed, step)).Warning);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Null((await ApplyAsync(bed, step)).Warning);
    }

    private static DomainDefinition WithAgent(DomainDefinition definition) => definition with
    {
        Devices =
        [
            .. definition.Devices,
            new CharacterDevice
            {
                Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix, Name = GuestAgentChannel.Name,
            },
        ],
    };
}
