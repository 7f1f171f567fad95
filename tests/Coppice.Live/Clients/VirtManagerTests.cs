using System.Diagnostics;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;

namespace Coppice.Live.Clients;

/// <summary>virt-manager on <c>coppice serve</c>; what it did is seen through the command line.</summary>
public sealed class VirtManagerTests
{
    private const string Screen = "<graphics type='vnc'/><video><model type='vga'/></video>";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Snapshots_are_taken_run_and_deleted_in_its_window()
    {
        LiveDomain.Require();
        VirtManager.Require();
        await using var served = await ServedHome.StartAsync();
        await served.DefineAsync("archive");
        await served.BootWitnessAsync("web", Screen);
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
        if (Environment.GetEnvironmentVariable("COPPICE_PICTURE") is { Length: > 0 } picture)
        {
            await manager.DrawAsync("web", "experiment", picture);
        }
    }

    [Fact]
    public async Task A_screen_is_shown_and_the_buttons_of_a_window_do_what_they_say()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        VirtManager.Require();
        await using var served = await ServedHome.StartAsync();
        await served.DefineAsync("web", Screen);
        await using var manager = await VirtManager.StartAsync(served);
        await manager.OpenAsync("web");
        await manager.PressAsync("web", "Run");
        await StateAsync("running");
        await manager.PressAsync("web", "Console");
        await UntilAsync(() => manager.Log.Contains("Viewer connected", StringComparison.Ordinal), "the screen is not shown");
        await manager.PressAsync("web", "Pause");
        await StateAsync("paused");
        await manager.PressAsync("web", "Pause");
        await StateAsync("running");
        await manager.ChooseAsync("web", "Force Reset", isAsked: true);
        await manager.ChooseAsync("web", "Reboot", isAsked: false);
        await manager.PressAsync("web", "Shut Down");
        await manager.ChooseAsync("web", "Save", isAsked: false);
        await StateAsync("saved");
        await manager.PressAsync("web", "Restore");
        await StateAsync("running");
        await manager.PressAsync("web", "Details");
        await manager.ChooseAsync("web", "Force Off", isAsked: true);
        await StateAsync("off");
        Assert.Equal(["Virtual Machine Manager", "web on QEMU/KVM"], await manager.WindowsAsync());

        Task StateAsync(string expected) => UntilAsync(
            async () => await served.StateAsync("web") == expected, $"the domain is not {expected}");
    }

    private static Task UntilAsync(Func<bool> holds, string otherwise) => UntilAsync(() => Task.FromResult(holds()), otherwise);

    /// <summary>It answers a click at once and does what was asked in a thread.</summary>
    private static async Task UntilAsync(Func<Task<bool>> holds, string otherwise)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, otherwise);
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    private static async Task SoonAsync(ServedHome served, params string[] expected)
    {
        var seen = Array.Empty<string>();
        await UntilAsync(
            async () => (seen = await served.SnapshotsAsync("web")).SequenceEqual(expected, StringComparer.Ordinal),
            $"the snapshots are not {string.Join(", ", expected)}");
        Assert.Equal(expected, seen);
    }
}
