using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps when it is to say whether a guest comes up.</summary>
public abstract partial class HypervisorContract
{
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_guest_that_is_tried_goes_on_and_one_whose_process_is_gone_has_failed()
    {
        await using var bed = Open();
        var process = await LaunchAsync(bed, MemoryImage.None, bed.Base);
        Assert.Equal(new GuestTrial(TrialEnd.Runs), await TryAsync(bed, process));
        await CountingAsync(bed, process);
        await bed.KillAsync(process);
        Assert.Equal(TrialEnd.Failed, (await TryAsync(bed, process)).End);
    }

    private static Task<GuestTrial> TryAsync(IHypervisorBed bed, ShortId process) => bed.Hypervisor.TryGuestAsync(
        bed.Folder, process, bed.Definition, boots: false, s_moment, TestContext.Current.CancellationToken);
}
