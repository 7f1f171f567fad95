using System.Collections.Immutable;
using System.Diagnostics;
using Coppice.Core;
using Coppice.Qemu.Guards;

namespace Coppice.Live.Tree;

/// <summary>
/// Guests with a file system that a program writes to, which the agent of Debian freezes. Whether a disk was frozen its own
/// superblock tells: a journal that is to be replayed is a flag there.
/// </summary>
public sealed class QuiesceTests
{
    private const string Frozen = "frozen.*";
    private static readonly string[] s_folders = ["/usr/sbin", "/sbin", "/usr/bin"];
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    // The limit of a freeze, and as much again for a machine that is busy.
    private static readonly TimeSpan s_thawed = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static CreateSnapshot Quiesced(string name) => new(LiveDomain.Name) { Name = name, DiskOnly = true, Quiesce = true };

    [Fact]
    public async Task A_quiesced_snapshot_has_nothing_to_replay_a_plain_one_has_and_the_guest_writes_on()
    {
        await using var domain = await BootAsync();
        var plain = await domain.RunAsync(Quiesced("plain") with { Quiesce = false });
        var quiesced = await domain.RunAsync(Quiesced("quiesced"));
        Assert.Contains("file systems frozen by the agent", quiesced.Mechanism, StringComparison.Ordinal);
        Assert.Equal((true, false), (await NeedsRecoveryAsync(domain, "plain"), await NeedsRecoveryAsync(domain, "quiesced")));
        var snapshots = (await domain.ShowAsync()).Catalog;
        Assert.Equal(
            (Consistency.Crash, Consistency.FileSystems), (snapshots.Find("plain").Consistency, snapshots.Find("quiesced").Consistency));
        Assert.NotNull(plain.Pause);
        await WritesAsync(domain);

        // And a program that writes to it waits, as long as it is frozen.
        await AgentGuest.AskAsync(domain, async (agent, limit) =>
        {
            Assert.Equal(1, await agent.FreezeAsync(limit, Cancellation));
            var (first, second) = (await WrittenAsync(domain), await WrittenAsync(domain));
            Assert.Equal(first, second);
            Assert.True(await agent.IsFrozenAsync(limit, Cancellation));
            return await agent.ThawAsync(limit, Cancellation);
        });
        await WritesAsync(domain);
    }

    [Fact]
    public async Task A_guest_whose_manager_is_killed_while_it_is_frozen_thaws_by_itself_also_if_QEMU_stood_still_meanwhile()
    {
        await using var domain = await BootAsync();
        var before = (await domain.ShowAsync()).Catalog;
        var hits = 0;
        foreach (var (delay, stops) in new[] { (0, false), (60, false), (20, true) })
        {
            hits += await DieAsync(domain, TimeSpan.FromMilliseconds(delay), stops) ? 1 : 0;
            Assert.False(await AgentGuest.AskAsync(domain, (agent, limit) => agent.IsFrozenAsync(limit, Cancellation)));
            await WritesAsync(domain);
            domain.Reopen();
            await domain.RunAsync(new ResumeDomain(LiveDomain.Name));
            Assert.Empty(Notes(domain));
            Assert.Equal(DomainState.Running, (await domain.ShowAsync()).Hypervisor.State);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{hits} of 3 kills hit the freeze");
        Assert.True(hits > 0, "no kill hit the freeze");
        await domain.RunAsync(Quiesced("after"));
        Assert.Contains("after", (await domain.ShowAsync()).Catalog.Snapshots.Values.Select(s => s.Name).Except(before.Snapshots.Values.Select(s => s.Name)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_guest_whose_manager_hangs_while_it_is_frozen_is_thawed_by_the_guard_and_the_next_command_settles(bool goesOn)
    {
        await using var domain = await BootAsync();
        using var victim = await HangFrozenAsync(domain);
        var before = (await domain.ShowAsync()).Catalog;
        await WritesAsync(domain).WaitAsync(s_thawed, Cancellation);
        Assert.NotEmpty(Notes(domain));
        if (goesOn)
        {
            // It learns that what it has was not frozen all the time, and takes it back.
            await SignalAsync("-CONT", victim.Id);
            Assert.Equal(1, await victim.WaitAsync());
        }
        else
        {
            victim.Kill();
            await victim.EndAsync();
        }

        domain.Reopen();
        await domain.RunAsync(new ResumeDomain(LiveDomain.Name));
        Assert.Empty(Notes(domain));
        var view = await domain.ShowAsync();
        Assert.Equal((DomainState.Running, before.Snapshots.Count), (view.Hypervisor.State, view.Catalog.Snapshots.Count));
        Assert.Empty(Directory.EnumerateFiles(view.Folder.Journals));
        Assert.False(await AgentGuest.AskAsync(domain, (agent, limit) => agent.IsFrozenAsync(limit, Cancellation)));
        await WritesAsync(domain);
        await domain.RunAsync(Quiesced("after"));
        Assert.False(await NeedsRecoveryAsync(domain, "after"));
    }

    /// <summary>A manager that was stopped while the guest is frozen. One that was stopped too early or too late goes on.</summary>
    private static async Task<VictimRun> HangFrozenAsync(LiveDomain domain)
    {
        for (var round = 0; ; round++)
        {
            Assert.True(round < 20, "no manager could be stopped while the guest was frozen");
            var victim = VictimRun.Start(domain, "create quiesced", "never", $"hung-{round}");
            while (Notes(domain).IsEmpty)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), Cancellation);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10 * (round % 5)), Cancellation);
            await SignalAsync("-STOP", victim.Id);
            await Task.Delay(s_settled, Cancellation);
            var first = LastWrite(domain);
            await Task.Delay(s_settled, Cancellation);
            if (!Notes(domain).IsEmpty && first == LastWrite(domain))
            {
                return victim;
            }

            await SignalAsync("-CONT", victim.Id);
            await victim.WaitAsync();
            victim.Dispose();
        }
    }

    /// <summary>A manager dies a while after it began to freeze the guest.</summary>
    /// <returns>Whether it died before it had thawed it.</returns>
    private static async Task<bool> DieAsync(LiveDomain domain, TimeSpan delay, bool stopsQemu)
    {
        using var victim = VictimRun.Start(domain, "create quiesced", "never", $"killed-{delay.TotalMilliseconds}");
        while (Notes(domain).IsEmpty)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), Cancellation);
        }

        await Task.Delay(delay, Cancellation);
        if (stopsQemu)
        {
            await SignalAsync("-STOP", domain.QemuProcesses.Single());
        }

        victim.Kill();
        await victim.EndAsync();
        var isHit = !Notes(domain).IsEmpty;
        if (stopsQemu)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.5), Cancellation);
            await SignalAsync("-CONT", domain.QemuProcesses.Single());
        }

        var folder = (await domain.ShowAsync()).Folder;
        await Guard.WaitForOthersAsync(folder, TimeProvider.System, Cancellation).WaitAsync(s_limit, Cancellation);
        return isHit;
    }

    /// <summary>What says that an operation may have left a guest frozen.</summary>
    private static ImmutableArray<string> Notes(LiveDomain domain) =>
        [.. Directory.EnumerateFiles($"{domain.HomePath}/run", Frozen, SearchOption.AllDirectories)];

    private static async Task SignalAsync(string signal, int process)
    {
        using var kill = Process.Start("kill", [signal, $"{process}"]);
        await kill.WaitForExitAsync(Cancellation);
    }

    private static async Task<LiveDomain> BootAsync()
    {
        var archive = AgentGuest.RequireArchive();
        Assert.SkipWhen(ProgramIn("mkfs.ext4") is null, "mkfs.ext4 is not there: apt-get install e2fsprogs");
        var domain = await AgentGuest.BootAsync(archive, (xml, folder) => xml.Replace("<serial", Disk(folder) + "<serial", StringComparison.Ordinal));
        try
        {
            await AgentGuest.AskAsync(domain, async (agent, limit) =>
            {
                await AgentGuest.RunAsync(agent, "mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt");
                await AgentGuest.BeginAsync(agent, "i=0; while :; do i=$((i+1)); echo $i >/mnt/number; sync; done");
                return true;
            });
            await WritesAsync(domain);
            return domain;
        }
        catch
        {
            await domain.DisposeAsync();
            throw;
        }
    }

    private static string? ProgramIn(string name) => s_folders.Select(f => $"{f}/{name}").FirstOrDefault(File.Exists);

    private static string Disk(string folder)
    {
        var image = $"{folder}/ext4.raw";
        using (var file = File.Create(image))
        {
            file.SetLength(32 << 20);
        }

        using var make = Process.Start(ProgramIn("mkfs.ext4")!, ["-q", "-F", image]);
        make.WaitForExit();
        return $"""
            <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vdb' bus='virtio'/></disk>
            """;
    }

    /// <summary>When the guest has written to the disk last.</summary>
    private static async Task<long> WrittenAsync(LiveDomain domain)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(200), Cancellation);
        return LastWrite(domain);
    }

    // To whichever of its layers: what the catalog has as the head, a manager that hangs may have left behind.
    private static long LastWrite(LiveDomain domain) => Directory
        .EnumerateFiles($"{domain.HomePath}/domains", "*", SearchOption.AllDirectories)
        .Where(f => f.Contains("/images/vdb/", StringComparison.Ordinal)).Append($"{domain.Folder}/ext4.raw")
        .Max(f => File.GetLastWriteTimeUtc(f).Ticks);

    private static async Task WritesAsync(LiveDomain domain)
    {
        var before = await WrittenAsync(domain);
        while (await WrittenAsync(domain) == before)
        {
        }
    }

    private static async Task<bool> NeedsRecoveryAsync(LiveDomain domain, string snapshot)
    {
        const int Superblock = 1024, Incompatible = 0x60, Recover = 4;
        var catalog = (await domain.ShowAsync()).Catalog;
        var layer = LayerGraph.Of(catalog)[catalog.Find(snapshot).Disks.First(d => d.Target == "vdb").Layer];
        var copy = $"{domain.Folder}/{snapshot}.head";
        using var dd = Process.Start(
            "qemu-img",
            ["dd", "-U", "-f", layer.Format is ImageFormat.Raw ? "raw" : "qcow2", "-O", "raw", "bs=1024", "count=2", $"if={layer.Path}", $"of={copy}"]);
        await dd.WaitForExitAsync(Cancellation);
        var bytes = await File.ReadAllBytesAsync(copy, Cancellation);
        return (BitConverter.ToUInt32(bytes, Superblock + Incompatible) & Recover) != 0;
    }
}
