using System.Globalization;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>Guests on the machine without PCI: everything virtio is at an address of its own, which memory remembers.</summary>
public sealed class MicrovmTests
{
    [Fact]
    public async Task A_guest_under_load_is_checkpointed_in_files_and_inside_its_disk_reverted_and_brought_back()
    {
        await using var domain = await BootAsync();
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var created = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "files", Memory = new MemoryRequest(MemoryMode.External), Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        Assert.NotNull(created.Pause);
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal) });
        await CheckpointTests.VerifyAsync(domain, boot);
        foreach (var name in (string[])["files", "inside"])
        {
            await domain.RevertAsync(name);
            await CheckpointTests.VerifyAsync(domain, boot);
        }

        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        await CheckpointTests.VerifyAsync(domain, boot);

        // Disks alone: the guest boots anew from what it had flushed.
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "disk", DiskOnly = true, Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "disk", RevertState.Running, DiscardCurrent: true, Force: false));
        Assert.NotEqual(boot, await CheckpointTests.BootIdAsync(domain));
        await using var witness = await domain.ConnectAsync();
        Assert.True((await witness.ScanAsync("vda")) is { Missing: 0, Torn: 0 });
    }

    [Fact]
    public async Task Memory_is_loaded_only_by_the_release_that_wrote_it_since_the_machine_has_no_versions()
    {
        QemuPrograms.Require(QemuPrograms.Backports);
        await using var domain = await BootAsync();
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.RunAsync(new SaveDomain(LiveDomain.Name));
        var isOther = (await domain.ShowAsync()).Catalog.Head.Saved!.Image.WrittenBy?.StartsWith("10.0", StringComparison.Ordinal) is false;
        Assert.SkipUnless(isOther, "the usual QEMU is the other one already");

        domain.Reopen(QemuPrograms.Backports);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false)));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("the machine microvm has no versions", error.Problem, StringComparison.Ordinal);
        Assert.Equal(DomainState.Saved, (await domain.ShowAsync()).Hypervisor.State);
        Assert.Empty(domain.QemuProcesses);

        domain.Reopen();
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal(boot, await CheckpointTests.BootIdAsync(domain));
    }

    [Theory, MemberData(nameof(Programs), DisableDiscoveryEnumeration = true)]
    public async Task With_its_RAM_in_a_file_that_is_cloned_it_goes_back_and_is_checkpointed_again(bool isNewer)
    {
        LiveVolume.Require();
        var qemu = isNewer ? QemuPrograms.Backports : QemuPrograms.Usual;
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootMappedAsync(qemu, Edit);
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        foreach (var name in (string[])["one", "two"])
        {
            Assert.Contains("external memory (mapped)", (await domain.CreateAsync(name)).Plan.Mechanism, StringComparison.Ordinal);
            await CheckpointTests.VerifyAsync(domain, boot);
            await domain.RevertAsync("one");
            await CheckpointTests.VerifyAsync(domain, boot);
            Assert.NotEqual(0, await GuestHardware.BalloonAsync(domain, 112 << 20));
        }

        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        await CheckpointTests.VerifyAsync(domain, boot);
    }

    /// <summary>One of the two QEMUs, or both.</summary>
    public static TheoryData<bool> Programs => [.. Sampling.Of([false, true], 1)];

    private static Task<LiveDomain> BootAsync()
    {
        LiveDomain.Require();
        return LiveDomain.BootEditedAsync(Edit);
    }

    private static string Edit(string xml, string folder) => xml
            .Replace("machine='pc'", "machine='microvm'", StringComparison.Ordinal)
            .Replace("</cmdline>", $" tsc_early_khz={Kilohertz()}</cmdline>", StringComparison.Ordinal)
            .Replace(
                "<rng", "<interface type='user'><model type='virtio'/></interface><memballoon model='virtio'/><rng",
                StringComparison.Ordinal);

    /// <summary>
    /// About how fast the time stamp counter of an emulated CPU is. The machine has no other clock to measure it with than one
    /// that a busy host makes useless, and a Linux that does not know it stands still.
    /// </summary>
    private static long Kilohertz()
    {
        const string Label = "cpu MHz";
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith(Label, StringComparison.Ordinal));
        return line is null ? 2_000_000 : (long)(1000 * double.Parse(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture));
    }
}
