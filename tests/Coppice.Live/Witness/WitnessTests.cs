namespace Coppice.Live.Witness;

public sealed class WitnessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("coppice-witness-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_guest_at_work_answers_agrees_with_its_disks_and_obeys_the_power_button()
    {
        await using var qemu = await BootAsync(NewDisk("a"), NewDisk("b"));
        await using (var witness = await qemu.ConnectAsync(Cancellation))
        {
            Assert.Equal(["vda", "vdb"], (await witness.DisksAsync(Cancellation)).Keys);
            await witness.DirtyAsync(20_000_000, 10_000_000, Cancellation);
            await witness.SetAsync("place", "in memory", Cancellation);
            await witness.PutAsync("vdb", 7, "on the disk", Cancellation);
            await witness.StartWritingAsync(cancellation: Cancellation);
            await witness.WaitForAckAsync(300, Cancellation);
        }

        await using var again = await qemu.ConnectAsync(Cancellation);
        Assert.Equal("in memory", await again.GetAsync("place", Cancellation));
        Assert.Null(await again.GetAsync("nothing", Cancellation));
        Assert.Equal("on the disk", await again.ReadAsync("vdb", 7, Cancellation));
        Assert.Equal(0, await again.VerifyAsync(Cancellation));
        Assert.Equal(0, (await again.VerifyMemoryAsync(Cancellation)).Bad);

        var status = await again.StatusAsync(Cancellation);
        Assert.True(
            status is { Bad: 0, Errors: 0, Writing: true, Disks: 2, Counter: > 0, DirtiedBytes: > 10_000_000 }, $"{status}");

        var pause = TimeSpan.FromMilliseconds(300);
        await again.BeatAsync(TimeSpan.FromMilliseconds(5), Cancellation);
        await again.WaitForAckAsync((await again.StatusAsync(Cancellation)).Acked + 20, Cancellation);
        await qemu.ExecuteAsync("stop", Cancellation);
        await Task.Delay(pause, Cancellation);
        await qemu.ExecuteAsync("cont", Cancellation);
        await again.WaitForAckAsync((await again.StatusAsync(Cancellation)).Acked + 20, Cancellation);
        Assert.InRange(again.TakeLongestBeatGap(), pause, TimeSpan.FromMinutes(1));

        await qemu.ExecuteAsync("system_powerdown", Cancellation);
        await qemu.WaitForExitAsync(Cancellation);
    }

    [Fact]
    public async Task A_disk_that_is_older_than_the_memory_is_noticed_and_a_consistent_pair_is_not()
    {
        var (a, b, memory) = (NewDisk("a"), NewDisk("b"), Path.Combine(_folder, "memory"));
        WitnessStatus saved;
        await using (var qemu = await BootAsync(a, b))
        {
            await using var witness = await qemu.ConnectAsync(Cancellation);
            await witness.StartWritingAsync(cancellation: Cancellation);
            await witness.WaitForAckAsync(50, Cancellation);

            await qemu.ExecuteAsync("stop", Cancellation);
            Copy("a", "a.old");
            await qemu.ExecuteAsync("cont", Cancellation);
            await Task.Delay(TimeSpan.FromMilliseconds(100), Cancellation);
            await witness.WaitForAckAsync((await witness.StatusAsync(Cancellation)).Acked + 1, Cancellation);
            saved = await witness.StatusAsync(Cancellation);

            await qemu.ExecuteAsync("stop", Cancellation);
            await qemu.SaveMemoryAsync(memory, Cancellation);
        }

        // Each revert writes to its disks, so the second one gets a copy.
        Copy("b", "b.same");
        Assert.Equal(0, await BadAfterRevertAsync("consistent", saved, memory, a, b));
        Assert.NotEqual(0, await BadAfterRevertAsync("skewed", saved, memory, DiskPath("a.old"), DiskPath("b.same")));
    }

    [Fact]
    public async Task Acknowledged_writes_are_on_the_disks_after_the_guest_was_killed()
    {
        var (a, b) = (NewDisk("a"), NewDisk("b"));
        WitnessStatus before;
        long acked;
        await using (var qemu = await BootAsync(a, b))
        {
            await using var witness = await qemu.ConnectAsync(Cancellation);
            await witness.StartWritingAsync(cancellation: Cancellation);
            await witness.WaitForAckAsync(300, Cancellation);
            before = await witness.StatusAsync(Cancellation);
            acked = witness.LastAcked;
        }

        await using var rebooted = await BootAsync(a, b);
        await using var again = await rebooted.ConnectAsync(Cancellation);
        Assert.NotEqual(before.BootId, (await again.StatusAsync(Cancellation)).BootId);
        foreach (var disk in (string[])["vda", "vdb"])
        {
            var scan = await again.ScanAsync(disk, Cancellation);
            Assert.InRange(scan.Highest, acked, long.MaxValue);
            Assert.True(scan is { Valid: 256, Missing: 0, Torn: 0 }, $"{disk}: {scan}");
        }
    }

    /// <summary>Goes back to the memory image with these disks and lets the guest rewrite every slot.</summary>
    private async Task<long> BadAfterRevertAsync(string name, WitnessStatus saved, string memory, params string[] disks)
    {
        await using var qemu = await PlainQemu.StartAsync(_folder, name, disks, memory, Cancellation);
        await qemu.WaitForMigrationAsync(Cancellation);
        await qemu.ExecuteAsync("cont", Cancellation);
        await using var witness = await qemu.ConnectAsync(Cancellation);
        await witness.WaitForAckAsync(saved.Sequence + 300, Cancellation);
        var status = await witness.StatusAsync(Cancellation);
        Assert.Equal(saved.BootId, status.BootId);
        Assert.True(status.Counter >= saved.Counter, $"{status} is older than {saved}");
        return status.Bad;
    }

    private Task<PlainQemu> BootAsync(params string[] disks)
    {
        Assert.SkipWhen(WitnessGuest.Missing is not null, WitnessGuest.Missing ?? "");
        return PlainQemu.StartAsync(_folder, $"boot-{Guid.NewGuid():N}"[..12], disks, null, Cancellation);
    }

    private string DiskPath(string name) => Path.Combine(_folder, name + ".raw");

    private void Copy(string from, string to) => File.Copy(DiskPath(from), DiskPath(to));

    private string NewDisk(string name)
    {
        using var file = File.Create(DiskPath(name));
        file.SetLength(8 << 20);
        return file.Name;
    }
}
