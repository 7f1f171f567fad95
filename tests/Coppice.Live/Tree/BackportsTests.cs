using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>Real guests on QEMU 10.0; the other tests run on the one in <c>PATH</c>.</summary>
public sealed class BackportsTests
{
    [Fact]
    public async Task A_guest_under_load_is_checkpointed_reverted_and_brought_back_and_agrees_with_its_disks_R133()
    {
        Require();
        await using var domain = await LiveDomain.BootOnAsync(QemuPrograms.Backports);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        foreach (var name in (string[])["one", "two", "three"])
        {
            var created = await domain.CreateAsync(name);
            Assert.NotNull(created.Pause);
            await CheckpointTests.VerifyAsync(domain, boot);
        }

        await domain.RevertAsync("two");
        await CheckpointTests.VerifyAsync(domain, boot);
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Single(domain.QemuProcesses);
    }

    [Fact]
    public async Task A_paused_guest_is_checkpointed_twice_stays_paused_and_is_reverted_paused_R130()
    {
        Require();
        await using var domain = await LiveDomain.BootOnAsync(QemuPrograms.Backports);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.RunAsync(new PauseDomain(LiveDomain.Name));
        await domain.CreateAsync("still");
        await domain.CreateAsync("still again");
        Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);

        foreach (var name in (string[])["still", "still again"])
        {
            await domain.RevertAsync(name);
            Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);
            await domain.RunAsync(new ResumeDomain(LiveDomain.Name));
            await CheckpointTests.VerifyAsync(domain, boot);
        }
    }

    [Fact]
    public async Task What_the_usual_QEMU_kept_is_brought_back_by_a_newer_one()
    {
        Require();
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        var older = (await domain.ShowAsync()).Definition.Os.Machine;
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("before the upgrade");

        domain.Reopen(QemuPrograms.Backports);
        await domain.RevertAsync("before the upgrade");
        await CheckpointTests.VerifyAsync(domain, boot);
        await domain.CreateAsync("after the upgrade");
        await domain.RevertAsync("after the upgrade");
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Equal(older, (await domain.ShowAsync()).Definition.Os.Machine);
    }

    private static void Require()
    {
        LiveDomain.Require();
        QemuPrograms.Require(QemuPrograms.Backports);
    }
}
