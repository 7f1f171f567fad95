using Coppice.Contracts;
using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>A guest runs on while its memory is written, where its RAM cannot be cloned (R227).</summary>
public sealed class LiveStreamTests
{
    public static TheoryData<string> Programs => [QemuPrograms.Usual, QemuPrograms.Backports];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task RAM_and_disks_come_back_together_of_a_guest_that_ran_on(string qemu)
    {
        LiveDomain.Require();
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootOnAsync(qemu);
        await RequireAsync(domain);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        for (var round = 0; round < Rounds; round++)
        {
            var created = await CreateAsync(domain, $"live-{round}");
            Assert.Contains("external memory (background stream)", created.Plan.Mechanism, StringComparison.Ordinal);
            Assert.Contains("written while the guest ran on", created.Mechanism, StringComparison.Ordinal);
            Assert.True(created.Pause < created.Elapsed / 2, $"it stood still for {created.Pause} of {created.Elapsed}");
            await CheckpointTests.VerifyAsync(domain, boot);

            // The checkpoint after it is a plain one, in the same process.
            await domain.CreateAsync($"plain-{round}");
            await domain.RevertAsync($"live-{round}", discard: true);
            await CheckpointTests.VerifyAsync(domain, boot);
        }

        Assert.Single(domain.QemuProcesses);
    }

    [Fact]
    public async Task One_that_ends_with_the_snapshot_has_nothing_of_it_and_is_not_let_run_on()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await RequireAsync(domain);
        var created = await domain.Home.RunAsync(
            new CreateSnapshot(LiveDomain.Name) { Name = "last", Live = true, Halt = true }, new(), TestContext.Current.CancellationToken);
        Assert.DoesNotContain("ran on", created.Mechanism, StringComparison.Ordinal);
        await domain.RevertAsync("last");
        await using var witness = await domain.ConnectAsync();
        Assert.Equal(0, (await witness.StatusAsync()).Bad);
    }

    private static int Rounds => Sampling.Everything ? 10 : 2;

    private static Task<Engine.OperationResult> CreateAsync(LiveDomain domain, string name) => domain.Home.RunAsync(
        new CreateSnapshot(LiveDomain.Name) { Name = name, Live = true }, new(), TestContext.Current.CancellationToken);

    /// <summary>Skips the test where a guest cannot run on while its memory is written.</summary>
    internal static async Task RequireAsync(LiveDomain domain)
    {
        var plan = await Record.ExceptionAsync(() => domain.Home.RunAsync(
            new CreateSnapshot(LiveDomain.Name) { Name = "plan", Live = true }, new() { PlanOnly = true }, TestContext.Current.CancellationToken));
        Assert.SkipWhen(
            plan is CoppiceException { Kind: ErrorKind.MissingCapability }, "QEMU may not watch the pages of its guests here (userfaultfd)");
    }
}
