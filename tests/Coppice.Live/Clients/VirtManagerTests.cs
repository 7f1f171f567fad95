using System.Diagnostics;
using Coppice.Live.Tree;

namespace Coppice.Live.Clients;

/// <summary>virt-manager on <c>coppice serve</c>; what it did is seen through the command line.</summary>
public sealed class VirtManagerTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Snapshots_are_taken_run_and_deleted_in_its_window()
    {
        LiveDomain.Require();
        VirtManager.Require();
        await using var served = await ServedHome.StartAsync();
        await served.DefineAsync("archive");
        await served.BootWitnessAsync("web", "<graphics type='vnc'/><video><model type='vga'/></video>");
        await using var manager = await VirtManager.StartAsync(served);
        Assert.Equal(["archive Shutoff", "web Running"], await manager.DomainsAsync("archive", "web"));
        await manager.OpenAsync("web");
        await manager.PressAsync("web", "Snapshots");

        await manager.TakeSnapshotAsync("web", "installed", "The system, as it was installed");
        await SoonAsync(served, "installed <  *");
        await manager.TakeSnapshotAsync("web", "configured", "Users, network, packages");
        await SoonAsync(served, "configured < installed *", "installed < ");
        await manager.RunSnapshotAsync("web", "installed");
        await SoonAsync(served, "configured < installed", "installed <  *");
        Assert.Equal("running", await served.StateAsync("web"));
        await manager.TakeSnapshotAsync("web", "experiment", "Another way, from the same beginning");
        await manager.TakeSnapshotAsync("web", "mistake", "");
        await SoonAsync(served, "configured < installed", "experiment < installed", "installed < ", "mistake < experiment *");
        await manager.DeleteSnapshotAsync("web", "mistake");
        await SoonAsync(served, "configured < installed", "experiment < installed *", "installed < ");

        Assert.Equal(["configured", "experiment", "installed"], await manager.SnapshotsAsync());
        Assert.Equal(["Virtual Machine Manager", "web on QEMU/KVM"], await manager.WindowsAsync());
        Assert.DoesNotContain("Error connecting to", manager.Log, StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("COPPICE_PICTURE") is { Length: > 0 } picture)
        {
            await manager.DrawAsync("web", "experiment", picture);
        }
    }

    /// <summary>It answers a click at once and does what was asked in a thread.</summary>
    private static async Task SoonAsync(ServedHome served, params string[] expected)
    {
        var start = Stopwatch.GetTimestamp();
        var seen = await served.SnapshotsAsync("web");
        while (!seen.SequenceEqual(expected, StringComparer.Ordinal) && Stopwatch.GetElapsedTime(start) < s_patience)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            seen = await served.SnapshotsAsync("web");
        }

        Assert.Equal(expected, seen);
    }
}
