using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// Guests with UEFI firmware. Its variables belong to every snapshot, taken in the same instant: what a guest has set since is
/// gone after a revert, from its firmware as from its disks.
/// </summary>
public sealed class UefiTests
{
    private const string Folder = "/usr/share/OVMF";
    private const string Chosen = "<firmware><feature enabled='no' name='secure-boot'/></firmware>";

    /// <summary>Why no such guest can be started, or null.</summary>
    public static string? Missing => File.Exists($"{Folder}/OVMF_VARS_4M.fd") ? null : "UEFI firmware (Debian package ovmf) is not installed";

    [Fact]
    public async Task Variables_go_back_with_memory_and_disks()
    {
        await using var domain = await BootAsync(" firmware='efi'", Chosen);
        await SayAsync(domain, "first");
        var created = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "one", Memory = new MemoryRequest(MemoryMode.External), Disks = [new DiskRequest("vda", DiskMode.External)],
        });
        Assert.Contains("external memory (stream) + external vda, nvram", created.Plan.Mechanism, StringComparison.Ordinal);
        await SayAsync(domain, "second");
        await domain.RevertAsync("one");
        Assert.Equal("first, first", await HearAsync(domain));

        // What the chip itself holds is seen by the firmware that boots next.
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("first, first", await HearAsync(domain));
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal("second, second", await HearAsync(domain));
    }

    [Fact]
    public async Task Variables_in_qcow2_under_secure_boot_go_back_with_memory_inside_a_disk_and_with_a_domain_that_is_off()
    {
        await using var domain = await BootAsync(
            "", $"<loader readonly='yes' secure='yes' type='pflash'>{Folder}/OVMF_CODE_4M.secboot.fd</loader>"
                + $"<nvram template='{Folder}/OVMF_VARS_4M.fd' format='qcow2'>VARIABLES</nvram>", "<smm state='on'/>");
        await SayAsync(domain, "first");
        var created = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal) });
        Assert.Contains("internal memory in vda + internal vda + external nvram", created.Plan.Mechanism, StringComparison.Ordinal);
        await SayAsync(domain, "second");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.CreateAsync("cold");
        await domain.RevertAsync("inside", discard: true);
        Assert.Equal("first, first", await HearAsync(domain));

        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "cold", RevertState.Running, DiscardCurrent: true, Force: false));
        Assert.Equal("second, second", await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        Assert.True(File.Exists(Path.Combine(domain.Folder, "variables.qcow2")), "variables at a place that was given are the user's");
    }

    [Fact]
    public async Task A_fork_has_variables_of_its_own()
    {
        await using var domain = await BootAsync(" firmware='efi'", Chosen);
        await SayAsync(domain, "first");
        await domain.CreateAsync("one");
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", "copy") { State = ForkState.Running });
        await SayAsync(domain, "original");
        Assert.Equal("first, first", await HearAsync(domain, "copy"));
        await SayAsync(domain, "fork", "copy");
        await domain.RunAsync(new KillDomain("copy"));
        await domain.RunAsync(new StartDomain("copy", Paused: false));
        Assert.Equal("fork, fork", await HearAsync(domain, "copy"));
        Assert.Equal("original, original", await HearAsync(domain));
        await domain.RevertAsync("one", discard: true);
        Assert.Equal("first, first", await HearAsync(domain));
    }

    private static async Task<LiveDomain> BootAsync(string os, string firmware, string features = "")
    {
        LiveDomain.Require();
        Assert.SkipWhen(Missing is not null, Missing ?? "");
        return await LiveDomain.BootEditedAsync((xml, folder) => xml
            .Replace("'MiB'>144<", "'MiB'>192<", StringComparison.Ordinal)
            .Replace("machine='pc'", "machine='q35'", StringComparison.Ordinal)
            .Replace("<os>", $"<os{os}>", StringComparison.Ordinal)
            .Replace("</type>", $"</type>{firmware.Replace("VARIABLES", $"{folder}/variables.qcow2", StringComparison.Ordinal)}", StringComparison.Ordinal)
            .Replace("<acpi/>", $"<acpi/>{features}", StringComparison.Ordinal));
    }

    private static async Task SayAsync(LiveDomain domain, string text, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        await witness.SetVariableAsync("word", text);
        await witness.PutAsync("vda", 0, text);
    }

    private static async Task<string> HearAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        return $"{await witness.GetVariableAsync("word")}, {await witness.ReadAsync("vda", 0)}";
    }
}
