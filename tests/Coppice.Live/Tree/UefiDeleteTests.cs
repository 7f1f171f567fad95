using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>
/// Snapshots of a guest with UEFI firmware and a TPM are deleted while it runs. Its variables are in layers like its disks, and
/// are merged below a firmware that has them open; what the TPM keeps is in a file for each snapshot, which goes with it.
/// </summary>
public sealed class UefiDeleteTests
{
    private const string Tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";

    [Fact]
    public async Task Layers_of_variables_and_disks_are_merged_below_the_guest_in_both_directions_and_all_that_stays_is_as_it_was()
    {
        await using var domain = await BootAsync();
        foreach (var name in new[] { "one", "two", "three", "four" })
        {
            await SayAsync(domain, name);
            await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
            {
                Name = name, Memory = new MemoryRequest(MemoryMode.External), Disks = [new DiskRequest("vda", DiskMode.External)],
            });
        }

        await SayAsync(domain, "head");
        await DeleteAsync(domain, "two", MergeDirection.Commit);
        await DeleteAsync(domain, "three", MergeDirection.Stream);
        foreach (var name in new[] { "one", "four" })
        {
            await domain.RevertAsync(name, discard: name != "one");
            Assert.Equal(Thrice(name), await HearAsync(domain));
        }

        // The lowest layers are the image that the user brought and the variables that the domain began with.
        await SayAsync(domain, "last");
        await DeleteAsync(domain, "one", MergeDirection.Stream);
        Assert.Equal(Thrice("last"), await HearAsync(domain));
        var tip = Assert.Single((await domain.ShowAsync()).Catalog.Tips);
        await domain.RunAsync(new RevertToTip(LiveDomain.Name, tip.Id.Value, Force: false));
        Assert.Equal(Thrice("head"), await HearAsync(domain));

        // What lies on disk alone is seen by the firmware that boots next.
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal(Thrice("head"), await HearAsync(domain));
        await domain.RevertAsync("four", discard: true);
        Assert.Equal(Thrice("four"), await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    /// <summary>Deletes a snapshot below the guest, which is not to notice.</summary>
    private static async Task DeleteAsync(LiveDomain domain, string name, MergeDirection direction)
    {
        var (before, heard, processes) = (await LayersAsync(domain), await HearAsync(domain), domain.QemuProcesses);
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, name, metadataOnly: false) { Direction = direction, Wait = true });
        Assert.Equal(processes, domain.QemuProcesses);
        var view = await domain.ShowAsync();
        Assert.Empty(view.Catalog.Jobs);
        Assert.Equal(view.Catalog.Snapshots.Count + view.Catalog.Tips.Length + 1, Directory.GetDirectories(view.Folder.TpmFolder).Length);
        Assert.Equal(before.Select(b => b - 1), await LayersAsync(domain));
        Assert.Equal(heard, await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    /// <summary>How many layers there are of the disk and of the variables.</summary>
    private static async Task<int[]> LayersAsync(LiveDomain domain)
    {
        var layers = LayerGraph.Of((await domain.ShowAsync()).Catalog).All;
        return [.. new[] { "vda", DiskDevice.FlashTarget }.Select(d => layers.Count(l => l.Disk == d))];
    }

    private static Task<LiveDomain> BootAsync()
    {
        LiveDomain.Require();
        QemuPrograms.RequireTpm();
        Assert.SkipWhen(UefiTests.Missing is not null, UefiTests.Missing ?? "");
        return LiveDomain.BootEditedAsync((xml, _) => xml
            .Replace("'MiB'>144<", "'MiB'>192<", StringComparison.Ordinal)
            .Replace("machine='pc'", "machine='q35'", StringComparison.Ordinal)
            .Replace("<os>", "<os firmware='efi'>", StringComparison.Ordinal)
            .Replace("</type>", "</type><firmware><feature enabled='no' name='secure-boot'/></firmware>", StringComparison.Ordinal)
            .Replace("</devices>", $"{Tpm}</devices>", StringComparison.Ordinal));
    }

    private static async Task SayAsync(LiveDomain domain, string word)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetVariableAsync("word", word);
        await witness.PutIntoTpmAsync(word);
        await witness.PutAsync("vda", 0, word);
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return $"{await witness.GetVariableAsync("word")}, {await witness.ReadFromTpmAsync()}, {await witness.ReadAsync("vda", 0)}";
    }

    private static string Thrice(string word) => $"{word}, {word}, {word}";
}
