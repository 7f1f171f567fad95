using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of TPMs.</summary>
public abstract partial class HypervisorContract
{
    private static readonly ShortId s_tpm = new("7b000001"), s_copied = new("7b000002");

    [Fact]
    public async Task A_TPM_is_made_once_and_taken_back()
    {
        await using var bed = Open();
        bed.RequireTpm();
        var step = bed.Hypervisor.CreateTpm(bed.Folder, s_tpm);
        await UndoTwiceAsync(bed, step);
        await ApplyAsync(bed, step);
        Assert.NotNull(bed.ReadTpm(s_tpm));
        await UndoTwiceAsync(bed, step);
        Assert.Null(bed.ReadTpm(s_tpm));
        await ApplyAsync(bed, step);
        await ApplyAsync(bed, bed.Hypervisor.Launch(WithTpm(bed, bed.NewProcess(), s_tpm)));
    }

    [Fact]
    public async Task A_TPM_that_is_missing_is_refused_rather_than_replaced_by_a_new_one()
    {
        await using var bed = Open();
        bed.RequireTpm();
        var launch = bed.Hypervisor.Launch(WithTpm(bed, bed.NewProcess(), s_tpm));
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, launch));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        await UndoTwiceAsync(bed, launch);
        Assert.Null(bed.ReadTpm(s_tpm));
        error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Hypervisor.CopyTpm(bed.Folder, new TpmCopy(s_tpm, s_copied))));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
    }

    [Fact]
    public async Task A_copy_of_a_TPM_is_another_TPM_with_the_same_content()
    {
        await using var bed = Open();
        bed.RequireTpm();
        await ApplyAsync(bed, bed.Hypervisor.CreateTpm(bed.Folder, s_tpm));
        var step = bed.Hypervisor.CopyTpm(bed.Folder, new TpmCopy(s_tpm, s_copied));
        await ApplyAsync(bed, step);
        await UndoTwiceAsync(bed, step);
        Assert.Null(bed.ReadTpm(s_copied));
        await ApplyAsync(bed, step);
        Assert.Equal(bed.ReadTpm(s_tpm), bed.ReadTpm(s_copied));

        var head = bed.NewOverlay(bed.Base);
        await ApplyAsync(bed, bed.Hypervisor.Launch(WithTpm(bed, bed.NewProcess(), s_tpm, head, bed.Base)));
        await ApplyAsync(bed, bed.Hypervisor.Launch(WithTpm(bed, bed.NewProcess(), s_copied, bed.NewOverlay(bed.Base), bed.Base)));
    }

    [Fact]
    public async Task Nothing_is_launched_with_a_TPM_and_nothing_that_it_keeps()
    {
        await using var bed = Open();
        var error = Assert.Throws<CoppiceException>(() => bed.Hypervisor.Launch(WithTpm(bed, bed.NewProcess(), s_tpm) with { Tpm = null }));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
    }

    [Fact]
    public async Task What_nothing_reaches_any_more_is_removed_also_if_it_is_gone()
    {
        await using var bed = Open();
        bed.RequireTpm();
        await ApplyAsync(bed, bed.Hypervisor.CreateTpm(bed.Folder, s_tpm));
        var removal = bed.Hypervisor.RemoveTpm(bed.Folder, s_tpm);
        await ApplyAsync(bed, removal);
        await ApplyAsync(bed, removal);
        Assert.Null(bed.ReadTpm(s_tpm));
    }

    [Fact]
    public async Task What_a_guest_that_stands_still_has_in_its_TPM_is_copied_as_it_is()
    {
        await using var bed = Open();
        var process = await StartWithTpmAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var kept = bed.ReadTpm(s_tpm);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(process, DomainState.Paused, bed.NewMemory(), [], default)
        {
            TpmCopy = new TpmCopy(s_tpm, s_copied),
        }));
        Assert.Equal(kept, bed.ReadTpm(s_copied));
        Assert.Equal(kept, bed.ReadTpm(s_tpm));
    }

    [Fact]
    public async Task The_TPM_of_a_guest_that_runs_on_is_refused_before_anything_is_done()
    {
        await using var bed = Open();
        var request = new CheckpointRequest(bed.NewProcess(), DomainState.Running, bed.NewMemory(), [], default)
        {
            RunsOn = true, TpmCopy = new TpmCopy(s_tpm, s_copied),
        };
        Assert.Equal(ErrorKind.MissingCapability, Assert.Throws<CoppiceException>(() => bed.Hypervisor.Checkpoint(request)).Kind);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_checkpoint_copies_the_TPM_in_the_same_instant_and_gives_the_copy_back(bool keepsMemory)
    {
        await using var bed = Open();
        var process = await StartWithTpmAsync(bed);
        var (memory, overlay) = (keepsMemory ? bed.NewMemory() : MemoryImage.None, bed.NewOverlay(bed.Base));
        var step = bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, [new DiskSwitch("vda", bed.Base, overlay)], default)
            {
                TpmCopy = new TpmCopy(s_tpm, s_copied),
            });
        await ApplyAsync(bed, step);
        await CountingAsync(bed, process);
        Assert.NotNull(bed.ReadTpm(s_copied));

        var loaded = bed.NewProcess();
        await ApplyAsync(bed, bed.Hypervisor.Launch(WithTpm(bed, loaded, s_copied, bed.NewOverlay(bed.Base), bed.Base) with { Memory = memory }));
        await ApplyAsync(bed, bed.Hypervisor.End(loaded));
        await UndoTwiceAsync(bed, step);
        Assert.Null(bed.ReadTpm(s_copied));
        Assert.NotNull(bed.ReadTpm(s_tpm));
        await CountingAsync(bed, process);
    }

    private static async Task<ShortId> StartWithTpmAsync(IHypervisorBed bed)
    {
        bed.RequireTpm();
        await ApplyAsync(bed, bed.Hypervisor.CreateTpm(bed.Folder, s_tpm));
        var process = bed.NewProcess();
        await ApplyAsync(bed, bed.Hypervisor.Launch(WithTpm(bed, process, s_tpm)));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        return process;
    }

    private static LaunchRequest WithTpm(IHypervisorBed bed, ShortId process, ShortId state, params Layer[] chain)
    {
        var definition = bed.Definition with { Devices = [.. bed.Definition.Devices, new TpmDevice { Model = TpmModel.Crb }] };
        var disk = new DiskChain("vda", chain is [] ? [bed.Base] : [.. chain]);
        return new LaunchRequest(process, definition, [disk], MemoryImage.None) { Tpm = state };
    }
}
