using System.Diagnostics;
using Coppice.Core;
using Coppice.Live.Qemu;
using Coppice.Qemu.Tpm;

namespace Coppice.Live.Tree;

/// <summary>
/// Guests with a TPM. What it keeps belongs to every snapshot, taken in the same instant; what it has measured since the boot
/// belongs to the memory.
/// </summary>
public sealed class TpmTests
{
    [Fact]
    public async Task What_it_keeps_and_what_it_has_measured_go_back_with_memory_and_disks()
    {
        await using var domain = await BootAsync("tpm-crb");
        var first = await SayAsync(domain, "first");
        var created = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "one", Memory = new MemoryRequest(MemoryMode.External), Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        Assert.Contains("copy TPM", created.Plan.Switch!.Summary, StringComparison.Ordinal);
        var second = await SayAsync(domain, "second");
        Assert.NotEqual(first, second);
        await domain.RevertAsync("one");
        Assert.Equal(("first, first", first), await HearAsync(domain));

        // What the emulator has stored since is seen by the next boot.
        await SayAsync(domain, "third");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("third, third", (await HearAsync(domain)).Kept);
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal(("second, second", second), await HearAsync(domain));
    }

    [Fact]
    public async Task What_it_keeps_goes_back_with_disks_alone_with_memory_inside_a_disk_and_with_a_domain_that_is_off()
    {
        await using var domain = await BootAsync("tpm-tis");
        await SayAsync(domain, "first");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "disks", DiskOnly = true, Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        await SayAsync(domain, "second");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal) });
        await SayAsync(domain, "third");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "cold", Disks = [new DiskRequest("vda", DiskMode.External)] });

        foreach (var (name, kept) in ((string, string)[])[("disks", "first, first"), ("inside", "second, second"), ("cold", "third, third")])
        {
            await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, name, RevertState.Running, DiscardCurrent: true, Force: false));
            Assert.Equal(kept, (await HearAsync(domain)).Kept);
        }

        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        Assert.Empty(Emulators(domain));
    }

    [Fact]
    public async Task One_whose_process_was_killed_is_there_at_the_next_start_and_one_that_is_damaged_comes_back_with_a_revert()
    {
        await using var domain = await BootAsync("tpm-crb");
        await SayAsync(domain, "first");
        await domain.CreateAsync("one");
        await domain.KillQemuAsync();
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("first, first", (await HearAsync(domain)).Kept);
        Assert.Single(Emulators(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        Assert.Empty(Emulators(domain));

        var view = await domain.ShowAsync();
        var state = $"{view.Folder.Tpm(view.Catalog.Head.Tpm!.Value)}/{TpmState.FileName}";
        await File.WriteAllTextAsync(state, "not what a TPM keeps");
        var damaged = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false)));
        Assert.Contains("TPM", damaged.Message, StringComparison.Ordinal);
        Assert.Contains("revert", damaged.NextStep, StringComparison.Ordinal);
        File.Delete(state);
        var missing = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false)));
        Assert.Equal(ErrorKind.NotFound, missing.Kind);
        Assert.Empty(Emulators(domain));

        await domain.RevertAsync("one");
        Assert.Equal("first, first", (await HearAsync(domain)).Kept);
    }

    [Fact]
    public async Task Without_its_emulator_a_guest_runs_on_its_memory_cannot_be_kept_and_its_disks_can()
    {
        await using var domain = await BootAsync("tpm-crb");
        await SayAsync(domain, "first");
        await domain.CreateAsync("one");
        var emulator = domain.QemuProcesses.Single(p => CommandOf($"/proc/{p}").StartsWith("swtpm", StringComparison.Ordinal));
        using (var kill = Process.Start("kill", ["-TERM", $"{emulator}"]))
        {
            await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        while (CommandOf($"/proc/{emulator}").Length > 0)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.CreateAsync("two"));
        Assert.Contains("TPM emulator", error.Subject, StringComparison.Ordinal);
        Assert.Contains("--disk-only", error.NextStep, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CoppiceException>(() => domain.RevertAsync("one"));
        Assert.Equal(DomainState.Running, (await domain.ShowAsync()).Hypervisor.State);
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "disks", DiskOnly = true, Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        await domain.RevertAsync("one", discard: true);
        Assert.Equal("first, first", (await HearAsync(domain)).Kept);
    }

    [Fact]
    public async Task A_fork_has_a_TPM_of_its_own_that_has_measured_what_the_first_had()
    {
        await using var domain = await BootAsync("tpm-crb");
        var first = await SayAsync(domain, "first");
        await domain.CreateAsync("one");
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", "copy") { State = ForkState.Running });
        Assert.Equal(2, Emulators(domain).Length);
        var original = await SayAsync(domain, "original");
        Assert.Equal(("first, first", first), await HearAsync(domain, "copy"));
        Assert.NotEqual(original, await SayAsync(domain, "fork", "copy"));
        Assert.Equal(("original, original", original), await HearAsync(domain));
        await domain.RunAsync(new KillDomain("copy"));
        await domain.RunAsync(new StartDomain("copy", Paused: false));
        Assert.Equal("fork, fork", (await HearAsync(domain, "copy")).Kept);
    }

    private static Task<LiveDomain> BootAsync(string model)
    {
        LiveDomain.Require();
        QemuPrograms.RequireTpm();
        return LiveDomain.BootEditedAsync((xml, _) => xml.Replace(
            "</devices>", $"<tpm model='{model}'><backend type='emulator' version='2.0'/></tpm></devices>", StringComparison.Ordinal));
    }

    /// <summary>Lets TPM and disk keep a word, and measures it.</summary>
    private static async Task<ulong> SayAsync(LiveDomain domain, string word, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        await witness.PutIntoTpmAsync(word);
        await witness.PutAsync("vda", 0, word);
        return await witness.MeasureAsync(word);
    }

    private static async Task<(string Kept, ulong Measured)> HearAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        return ($"{await witness.ReadFromTpmAsync()}, {await witness.ReadAsync("vda", 0)}", await witness.MeasureAsync());
    }

    /// <summary>The emulators that run in the domain's home.</summary>
    private static string[] Emulators(LiveDomain domain) =>
    [
        .. from process in domain.QemuProcesses
           let words = CommandOf($"/proc/{process}")
           where words.StartsWith("swtpm", StringComparison.Ordinal)
           select words,
    ];

    private static string CommandOf(string process)
    {
        try
        {
            return File.ReadAllText($"{process}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
