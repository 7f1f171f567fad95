using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of guests that are quiesced. Their agent itself is asked by the tests of each driver.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_guest_that_cannot_be_quiesced_is_refused_while_planning()
    {
        await using var bed = Open();
        var request = new CheckpointRequest(bed.NewProcess(), DomainState.Running, MemoryImage.None, [], default);
        Assert.Equal(ErrorKind.MissingCapability, Refused(request, bed.Definition));
        var agent = WithAgent(bed.Definition);
        Assert.Equal(ErrorKind.WrongState, Refused(request with { State = DomainState.Paused }, agent));
        Assert.Equal(ErrorKind.WrongState, Refused(request with { StaysPaused = true }, agent));
        Assert.Equal(ErrorKind.WrongState, Refused(request with { Memory = bed.NewMemory() }, agent));

        ErrorKind Refused(CheckpointRequest asked, DomainDefinition definition) =>
            Assert.Throws<CoppiceException>(() => bed.Hypervisor.Checkpoint(asked, definition)).Kind;
    }

    [Fact]
    public async Task A_guest_whose_agent_is_not_there_is_not_paused_and_its_disks_do_not_move()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var request = new CheckpointRequest(
            process, DomainState.Running, MemoryImage.None, [new DiskSwitch("vda", bed.Base, bed.NewOverlay(bed.Base))], default);
        var step = bed.Hypervisor.Checkpoint(request, WithAgent(bed.Definition));
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step))).Kind);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
        await UndoTwiceAsync(bed, step);
        Assert.Equal(bed.Base.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        await CountingAsync(bed, process);
    }
}
