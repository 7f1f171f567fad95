using Coppice.Contracts;
using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>
/// Guests whose RAM is a file that is cloned, with all the hardware that people use in one machine: what each device shows or keeps goes
/// back with the RAM, and each works on.
/// </summary>
public sealed class MappedHardwareTests
{
    private const int Processors = 4;
    private const long Whole = 256L << 20, Less = 240L << 20, Little = 176L << 20;
    private const string Firmware = "/usr/share/OVMF";

    private static readonly (string Machine, bool IsNewer)[] s_machines = [("pc", false), ("q35", true), ("pc", true), ("q35", false)];

    /// <summary>Each machine and each QEMU once, or all combinations.</summary>
    public static TheoryData<string, bool> Machines => [.. s_machines.Take(Sampling.Everything ? 4 : 2)];

    [Theory, MemberData(nameof(Machines), DisableDiscoveryEnumeration = true)]
    public async Task All_that_a_machine_has_goes_back_with_its_RAM_and_works_on(string machine, bool isNewer)
    {
        await using var domain = await BootAsync(machine, isNewer ? QemuPrograms.Backports : QemuPrograms.Usual);
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var isUefi = machine is "q35";
        await SayAsync(domain, "first", Less, isUefi);
        var before = await HearAsync(domain);
        var created = await domain.CreateAsync("one");
        Assert.Contains(
            $"external memory (mapped) + external vda, vdb{(isUefi ? ", nvram" : "")}", created.Plan.Mechanism, StringComparison.Ordinal);
        Assert.Contains("copy TPM", created.Plan.Switch!.Summary, StringComparison.Ordinal);
        var image = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        var hash = await GuestHardware.HashAsync(image);

        await SayAsync(domain, "second", Little, isUefi);
        var after = await HearAsync(domain);
        Assert.All(before.Zip(after), pair => Assert.True(pair.First.Key is "variable" && !isUefi || pair.First.Value != pair.Second.Value, $"{pair}"));
        await domain.RevertAsync("one");
        Assert.Equal(before, await HearAsync(domain));
        await WorkAsync(domain, boot);
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal(after, await HearAsync(domain));
        await WorkAsync(domain, boot);
        Assert.Equal(hash, await GuestHardware.HashAsync(image));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task Huge_pages_cannot_be_cloned_and_are_refused_by_name()
    {
        LiveDomain.Require();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => LiveDomain.BootEditedAsync((xml, _) => xml.Replace(
            "<vcpu>", "<memoryBacking><hugepages/></memoryBacking><vcpu>", StringComparison.Ordinal)));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("huge pages", error.Problem, StringComparison.Ordinal);
        Assert.Contains("RAM in ordinary pages can be cloned", error.NextStep, StringComparison.Ordinal);
    }

    /// <summary>A domain with four processors, both network cards, a screen, a balloon and a TPM; on q35 with UEFI and variables in qcow2.</summary>
    private static Task<LiveDomain> BootAsync(string machine, string qemu)
    {
        LiveVolume.Require();
        QemuPrograms.Require(qemu);
        QemuPrograms.RequireTpm();
        Assert.SkipWhen(machine is "q35" && UefiTests.Missing is not null, UefiTests.Missing ?? "");
        return LiveDomain.BootMappedAsync(qemu, (xml, folder) =>
        {
            var firmware = machine is "pc" ? "" : $"<loader readonly='yes' type='pflash'>{Firmware}/OVMF_CODE_4M.fd</loader>"
                + $"<nvram template='{Firmware}/OVMF_VARS_4M.fd' format='qcow2'>{folder}/variables.qcow2</nvram>";
            return GuestHardware.With(xml, Processors)
                .Replace("'MiB'>144<", $"'b'>{Whole}<", StringComparison.Ordinal)
                .Replace("machine='pc'", $"machine='{machine}'", StringComparison.Ordinal)
                .Replace("</type>", $"</type>{firmware}", StringComparison.Ordinal)
                .Replace("</devices>", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>", StringComparison.Ordinal);
        });
    }

    /// <summary>Leaves a word wherever the guest keeps one.</summary>
    private static async Task SayAsync(LiveDomain domain, string word, long balloon, bool isUefi)
    {
        await GuestHardware.BalloonAsync(domain, balloon);
        await GuestHardware.DrawAsync(domain, word);
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("word", word);
        await witness.PutAsync("vda", 0, word);
        await witness.PutIntoTpmAsync(word);
        await witness.MeasureAsync(word);
        if (isUefi)
        {
            await witness.SetVariableAsync("word", word);
        }
    }

    /// <summary>What there is to be seen in each place.</summary>
    private static async Task<KeyValuePair<string, string?>[]> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return
        [
            new("RAM", await witness.GetAsync("word")),
            new("disk", await witness.ReadAsync("vda", 0)),
            new("variable", await witness.GetVariableAsync("word")),
            new("TPM", await witness.ReadFromTpmAsync()),
            new("measured", $"{await witness.MeasureAsync():x}"),
            new("picture", await GuestHardware.LookAsync(domain)),
            new("balloon", $"{await GuestHardware.BalloonAsync(domain)}"),
        ];
    }

    private static async Task WorkAsync(LiveDomain domain, string boot)
    {
        await CheckpointTests.VerifyAsync(domain, boot);
        await GuestHardware.ReachNetworksAsync(domain);
        await GuestHardware.UseProcessorsAsync(domain, Processors);
        Assert.Contains("random: 16", await GuestHardware.TypeAsync(domain, "echo random: $(head -c 16 /dev/hwrng | wc -c)"), StringComparison.Ordinal);
        Assert.True(await GuestHardware.BalloonAsync(domain, Whole) < 0, "the balloon gives nothing back");
    }
}
