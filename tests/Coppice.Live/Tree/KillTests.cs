using System.Diagnostics;
using System.Globalization;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// The manager is killed with SIGKILL, alone or together with QEMU, at every point of its journal and at random instants
/// while the guest stands still. Afterwards the tree is the old or the new one and no acknowledged write is lost.
/// </summary>
public sealed class KillTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    [InlineData("undo")]
    public async Task The_guest_of_a_manager_killed_at_any_point_runs_on_and_the_tree_is_the_old_or_the_new_one(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        for (var point = 0; ; point++)
        {
            if (!await DieAsync(domain, operation, $"event:{point}", point))
            {
                Assert.True(point > 5, $"only {point} points were passed");
                return;
            }
        }
    }

    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    public async Task The_guest_of_a_manager_killed_at_a_random_instant_of_the_pause_runs_on(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        var random = Seed();
        for (var round = 0; round < 12; round++)
        {
            var instant = random.NextDouble() * 400;
            await DieAsync(domain, operation, string.Create(CultureInfo.InvariantCulture, $"switch:{instant:0.0}"), round);
        }
    }

    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    public async Task A_loss_of_manager_and_QEMU_together_loses_no_acknowledged_write(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        var random = Seed();
        for (var round = 0; round < 4; round++)
        {
            var moment = round % 2 == 0 ? $"event:{random.Next(2, 9)}+qemu" : $"switch:{random.Next(5, 300)}+qemu";
            await LosePowerAsync(domain, operation, moment, round);
        }
    }

    [Fact]
    public async Task A_kill_gets_through_when_QEMU_hangs_in_a_snapshot_that_was_interrupted()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        var id = (await domain.ShowAsync()).Catalog.Domain;
        Assert.True(await RunVictimAsync(domain, "create", "switch:0", "new"), "the manager was not killed");
        foreach (var process in domain.QemuProcesses)
        {
            using var stop = Process.Start("kill", ["-STOP", $"{process}"]);
            await stop.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        domain.Reopen();
        await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(new PauseDomain(LiveDomain.Name)));
        Assert.Single(Directory.EnumerateFiles(new HomeFolder(domain.HomePath).Domain(id).Journals));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        var view = await domain.ShowAsync();
        Assert.Equal(DomainState.Off, view.Hypervisor.State);
        Assert.Empty(Directory.EnumerateFiles(view.Folder.Journals));
        Assert.Empty(view.Catalog.Snapshots);

        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var witness = await domain.ConnectAsync();
        Assert.Single(domain.QemuProcesses);
    }

    private static async Task<LiveDomain> PrepareAsync()
    {
        var domain = await LiveDomain.BootAsync();
        await CheckpointTests.StartLoadAsync(domain);
        await domain.CreateAsync("base");
        await domain.RevertAsync("base");
        return domain;
    }

    /// <returns>Whether the moment came.</returns>
    private static async Task<bool> DieAsync(LiveDomain domain, string operation, string moment, int round)
    {
        var boot = await CheckpointTests.BootIdAsync(domain);
        var before = await domain.ShowAsync();
        var died = await RunVictimAsync(domain, operation, moment, $"{operation}-{round}");

        // Nobody touches the domain: the guard alone resumes the guest.
        await UntilAsync(async () => (await domain.ShowAsync()).Hypervisor.State is DomainState.Running, $"{moment}: the guest stands still");
        await TouchAsync(domain);
        await VerifyTreeAsync(domain, before.Catalog, moment);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Single(domain.QemuProcesses);
        return died;
    }

    private static async Task LosePowerAsync(LiveDomain domain, string operation, string moment, int round)
    {
        long acked;
        var before = await domain.ShowAsync();
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.WaitForAckAsync((await witness.StatusAsync()).Acked + 5);
            await RunVictimAsync(domain, operation, moment, $"{operation}-{round}");
            await domain.KillQemuAsync();
            acked = witness.LastAcked;
        }

        await TouchAsync(domain);
        var after = await VerifyTreeAsync(domain, before.Catalog, moment);
        Assert.Equal(DomainState.Off, (await domain.ShowAsync()).Hypervisor.State);
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using (var witness = await domain.ConnectAsync())
        {
            // A revert that was committed has gone back; what was acknowledged is then in the tip, not in the head.
            if (operation == "create" || after.Current == before.Catalog.Current && after.Tips.Length == before.Catalog.Tips.Length)
            {
                Assert.True((await witness.ScanAsync("vda")).Highest >= acked, moment);
            }

            Assert.Equal(0, (await witness.ScanAsync("vdb")).Torn);
            await witness.StartWritingAsync();
            await witness.WaitForAckAsync(5);
        }

        Assert.Equal(0, await CheckImagesAsync(domain));
    }

    /// <summary>Any command recovers what a crash left; this one changes nothing.</summary>
    private static async Task TouchAsync(LiveDomain domain)
    {
        domain.Reopen();
        await domain.RunAsync(new SetCurrentSnapshot(LiveDomain.Name, "base"));
        var folder = (await domain.ShowAsync()).Folder;
        Assert.Empty(Directory.Exists(folder.Journals) ? Directory.EnumerateFiles(folder.Journals) : []);
    }

    private static async Task<Catalog> VerifyTreeAsync(LiveDomain domain, Catalog before, string moment)
    {
        var view = await domain.ShowAsync();
        var lost = before.Snapshots.Keys.Except(view.Catalog.Snapshots.Keys);
        Assert.True(!lost.Any(), $"{moment}: a snapshot was lost");
        Assert.InRange(view.Catalog.Snapshots.Count, before.Snapshots.Count, before.Snapshots.Count + 1);
        var known = new LayerGraph(view.Catalog).All.Select(l => l.Path)
            .Concat(view.Catalog.Snapshots.Values.Select(s => s.Memory.File).OfType<string>())
            .Concat(view.Catalog.Tips.Select(t => t.Memory.File).OfType<string>());
        var present = Directory.EnumerateFiles(view.Folder.Path, "*", SearchOption.AllDirectories)
            .Where(f => f.Contains("/images/", StringComparison.Ordinal) || f.Contains("/memory/", StringComparison.Ordinal));
        Assert.Equal([], present.Except(known));
        Assert.Equal([], known.Where(f => !File.Exists(f)));
        return view.Catalog;
    }

    private static async Task<int> CheckImagesAsync(LiveDomain domain)
    {
        var failures = 0;
        var view = await domain.ShowAsync();
        foreach (var layer in new LayerGraph(view.Catalog).All)
        {
            using var check = Process.Start(new ProcessStartInfo("qemu-img", ["check", "-q", "-U", "-f", "qcow2", layer.Path]))!;
            await check.WaitForExitAsync(TestContext.Current.CancellationToken);
            failures += check.ExitCode is 0 or 3 ? 0 : 1; // 3: leaked clusters, which a killed QEMU may leave
        }

        return failures;
    }

    private static async Task<bool> RunVictimAsync(LiveDomain domain, string operation, string moment, string name)
    {
        var snapshot = operation == "revert" ? "base" : name;
        var victim = Path.Combine(AppContext.BaseDirectory, "coppice-victim.dll");
        using var process = Process.Start(new ProcessStartInfo(
            "dotnet", [victim, domain.HomePath, moment, LiveDomain.Name, operation, snapshot]) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        const int Killed = 128 + 9;
        Assert.True(process.ExitCode is 0 or Killed, $"{operation} at {moment}: {await errors}");
        return process.ExitCode == Killed;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string otherwise)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, otherwise);
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private static Random Seed()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("COPPICE_SEED"), out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"COPPICE_SEED={seed}");
        return new Random(seed);
    }
}
