using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>A real guest that goes elsewhere in a folder (ADR 30).</summary>
public sealed class ExportTests
{
    private const string Copy = "copy";

    [Fact]
    public async Task A_guest_that_runs_is_exported_and_goes_on_from_its_snapshot_when_all_else_of_it_is_gone()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var boot = await CheckpointTests.BootIdAsync(domain);
        await CheckpointTests.StartGentleLoadAsync(domain);
        await domain.CreateAsync("one");
        var folder = $"{domain.Folder}/export";
        await domain.RunAsync(new ExportDomain(LiveDomain.Name, folder));
        await CheckpointTests.VerifyAsync(domain, boot);

        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        File.Delete(domain.ImagePath("vda"));
        Directory.Move(folder, folder + "-moved");
        await domain.RunAsync(new ImportDomain(folder + "-moved") { Name = Copy, HostFiles = true });
        Directory.Delete(folder + "-moved", recursive: true);

        await domain.RunAsync(new StartDomain(Copy, Paused: false));
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        await domain.RunAsync(new RevertSnapshot(Copy, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        Assert.DoesNotContain(
            await domain.Home.CheckAsync(Copy, TestContext.Current.CancellationToken), f => f.Severity is not Severity.Note);
    }
}
