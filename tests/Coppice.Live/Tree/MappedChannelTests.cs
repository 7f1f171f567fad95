using Coppice.Contracts;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>
/// What a host sends to a guest that stands still must not get into the RAM after that was cloned: its devices would know of more than the
/// RAM does. Both QEMUs leave it in the socket until the guest goes on. So nothing is lost, and every channel goes on after a revert.
/// </summary>
public sealed class MappedChannelTests
{
    private const int Flood = 1_000_000;

    /// <summary>One of the two QEMUs, or both.</summary>
    public static TheoryData<bool> Programs => [.. Sampling.Of([false, true], 1)];

    [Theory, MemberData(nameof(Programs), DisableDiscoveryEnumeration = true)]
    public async Task A_channel_that_is_flooded_during_checkpoints_loses_nothing_and_flows_after_each_revert(bool isNewer)
    {
        LiveVolume.Require();
        var qemu = isNewer ? QemuPrograms.Backports : QemuPrograms.Usual;
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootMappedAsync(qemu, (xml, _) => FloodedChannel.AddTo(xml));
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await FloodedChannel.EchoAsync(domain);
        var names = Enumerable.Range(1, Sampling.Everything ? 20 : 4).Select(i => $"flooded-{i}").ToArray();
        await using (var channel = await FloodedChannel.OpenAsync(domain, 0))
        {
            foreach (var name in names)
            {
                await channel.FlowAsync(50);
                await domain.CreateAsync(name);
                await channel.FlowAsync(50);
            }
        }

        foreach (var (i, name) in names.Index())
        {
            await domain.RevertAsync(name, discard: true);
            await CheckpointTests.VerifyAsync(domain, boot);
            await using var channel = await FloodedChannel.OpenAsync(domain, Flood * (i + 1));
            await channel.FlowAsync(300);
        }
    }
}
