using System.Diagnostics;
using System.Text.RegularExpressions;
using Coppice.Core;
using Coppice.Qemu;

namespace Coppice.Live.Qemu;

/// <summary>What a program can do is read from itself, and the driver does the same with each.</summary>
public sealed partial class CapabilityTests
{
    public static TheoryData<string> Programs => [QemuPrograms.Usual, QemuPrograms.Backports];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Capabilities_are_what_qemu_says(string qemu)
    {
        await using var bed = new QemuBed(qemu: qemu);
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var options = new QemuOptions { Binary = qemu, CacheFile = $"{bed.Home.Path}/qemu.json" };
        var first = await new QemuHypervisor(options, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        var again = await new QemuHypervisor(options, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        Capability[] lacking =
        [
            Capability.OtherOverlayFormats, Capability.SavedInternalMemory,
            .. qemu == QemuPrograms.Usual ? [Capability.SharedMemoryImage] : Array.Empty<Capability>(),
        ];

        // That hangs on the kernel, and on what it allows to whoever asks.
        Assert.True(first.Items.Add(Capability.LiveMemory).SetEquals(Enum.GetValues<Capability>().Except(lacking)), string.Join(", ", first.Items));
        Assert.Equal((await VersionAsync(qemu), first.Version), (first.Version, again.Version));
        Assert.True(again.Items.SetEquals(first.Items));
    }

    [Fact]
    public async Task Asking_makes_no_home()
    {
        await using var bed = new QemuBed();
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var options = new QemuOptions { CacheFile = $"{bed.Home.Path}/home/cache/qemu.json" };
        await new QemuHypervisor(options, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        Assert.False(Directory.Exists($"{bed.Home.Path}/home"));

        Directory.CreateDirectory($"{bed.Home.Path}/home");
        await new QemuHypervisor(options, TimeProvider.System).CapabilitiesAsync(QemuBed.Cancellation);
        Assert.True(File.Exists(options.CacheFile));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task A_machine_is_sealed_with_the_newest_type_of_the_program(string qemu)
    {
        await using var bed = new QemuBed(qemu: qemu);
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var newest = string.Join('.', (await VersionAsync(qemu)).Split('.').Take(2));
        var plain = await bed.Hypervisor.SealAsync(bed.Definition, QemuBed.Cancellation);
        var express = await bed.Hypervisor.SealAsync(
            bed.Definition with { Os = new OsSettings { Machine = "q35" } }, QemuBed.Cancellation);
        Assert.Equal(($"pc-i440fx-{newest}", $"pc-q35-{newest}"), (plain.Os.Machine, express.Os.Machine));
    }

    [Fact]
    public async Task What_QEMU_does_not_run_is_refused_by_its_type()
    {
        await using var bed = new QemuBed();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.Hypervisor.SealAsync(bed.Definition with { Type = "abacus" }, QemuBed.Cancellation));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("'abacus'", error.Message, StringComparison.Ordinal);
    }

    private static async Task<string> VersionAsync(string qemu)
    {
        using var process = Process.Start(new ProcessStartInfo(qemu, "--version") { RedirectStandardOutput = true })!;
        var text = await process.StandardOutput.ReadToEndAsync(QemuBed.Cancellation);
        await process.WaitForExitAsync(QemuBed.Cancellation);
        return VersionText().Match(text).Value;
    }

    [GeneratedRegex("[0-9]+\\.[0-9]+\\.[0-9]+")]
    private static partial Regex VersionText();
}
