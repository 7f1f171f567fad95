using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Steps;

namespace Coppice.Tests.Qemu;

public sealed class LaunchErrorsTests
{
    private static readonly LaunchArguments s_launch = new(
        new ShortId("0badcafe"), "web", "qemu-system-x86_64", [], Ram: null, MemoryImage.None, null,
        ImmutableDictionary<string, string>.Empty.Add("00000001", "/images/a.qcow2"), ImmutableDictionary<string, DriveMode>.Empty,
        Tpm: null, Predecessor: null, OnlyOn: null, Taps: [], Beside: null, Cables: ImmutableSortedDictionary<string, bool>.Empty, Waits: null);

    [Theory]
    [InlineData(
        "qemu-system-x86_64: -blockdev {\"filename\":\"/images/a.qcow2\"}: Failed to get \"write\" lock\nIs another process using the image [/images/a.qcow2]?",
        ErrorKind.WrongState, "image /images/a.qcow2 of domain 'web'")]
    [InlineData("qemu-system-x86_64: Could not open '/images/a.qcow2': No such file or directory", ErrorKind.NotFound, "image /images/a.qcow2 of domain 'web'")]
    [InlineData(
        "qemu-system-x86_64: -blockdev {}: 'host_device' driver requires '/images/a.qcow2' to be either a character or block device",
        ErrorKind.InvalidInput, "image /images/a.qcow2 of domain 'web'")]
    [InlineData("qemu: could not open kernel file '/boot/vmlinuz': No such file or directory", ErrorKind.NotFound, "file /boot/vmlinuz of domain 'web'")]
    [InlineData("qemu-system-x86_64: load of migration failed: Invalid argument", ErrorKind.Damaged, "domain 'web'")]
    [InlineData("Could not access KVM kernel module: No such device", ErrorKind.MissingCapability, "domain 'web'")]
    [InlineData("cannot set up guest memory 'ram': Cannot allocate memory", ErrorKind.MissingCapability, "domain 'web'")]
    [InlineData("qemu-system-x86_64: something new\u001b[2J", ErrorKind.Hypervisor, "domain 'web'")]
    [InlineData("qemu-system-x86_64: tpm-emulator: TPM result for CMD_INIT: 0x9 operation failed", ErrorKind.Hypervisor, "domain 'web'")]
    [InlineData(
        "qemu-system-x86_64: tpm-emulator: TPM result for CMD_INIT: 0x9 operation failed\nSWTPM_NVRAM_Lock_Lockfile: Could not lock access to lockfile: Resource temporarily unavailable",
        ErrorKind.WrongState, "domain 'web'")]
    [InlineData("", ErrorKind.Hypervisor, "domain 'web'")]
    public void What_qemu_says_is_told_by_subject_and_next_step(string log, ErrorKind kind, string subject)
    {
        var error = LaunchErrors.Explain(log, s_launch, new IOException("it ended"));
        Assert.Equal((kind, subject), (error.Kind, error.Subject));
        Assert.NotEmpty(error.NextStep);
        Assert.DoesNotContain(error.Problem, char.IsControl);
    }

    [Theory]
    [InlineData(null, "10.0.2", true)]
    [InlineData("7.2.22", "7.2.17", true)]
    [InlineData("7.2.22", "10.0.2", false)]
    [InlineData("10.0.2", "10.1.0", false)]
    public void Memory_that_is_bound_to_a_release_is_loaded_by_no_other(string? writer, string version, bool isLoaded)
    {
        var error = Record.Exception(() => LaunchStep.RequireSameVersion(s_launch with { OnlyOn = writer }, Version.Parse(version)));
        Assert.Equal(isLoaded, error is null);
        Assert.True(error is null or CoppiceException { Kind: ErrorKind.MissingCapability, NextStep.Length: > 0 }, $"{error}");
    }
}
