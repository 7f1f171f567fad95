using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class FirmwareTests
{
    [Fact]
    public void A_definition_that_leaves_the_choice_says_what_the_firmware_must_have()
    {
        var definition = With(
            "<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware><loader secure='yes'/>",
            " firmware='efi'");
        Assert.Equal(
            new FirmwareSettings
            {
                IsChosen = true, Secure = true,
                Features = [new FirmwareFeature("secure-boot", true), new FirmwareFeature("enrolled-keys", false)],
            },
            definition.Os.Firmware);
        Assert.Equal(definition, DomainXml.Parse(DomainXml.Format(definition)));
        Assert.Empty(definition.Obstacles);
    }

    [Theory]
    [InlineData("<nvram template='/fw/vars.fd'>/var/web.fd</nvram>", ImageFormat.Raw)]
    [InlineData("<nvram type='file' template='/fw/vars.fd' format='qcow2'><source file='/var/web.fd'/></nvram>", ImageFormat.Qcow2)]
    public void A_definition_that_names_the_files_has_a_flash_chip_behind_its_disks(string nvram, ImageFormat format)
    {
        var definition = With($"<loader readonly='yes' secure='no' type='pflash'>/fw/code.fd</loader>{nvram}");
        Assert.Equal(
            new FirmwareSettings
            {
                Code = "/fw/code.fd", Secure = false, Template = "/fw/vars.fd", Variables = "/var/web.fd", VariablesFormat = format,
            },
            definition.Os.Firmware);
        Assert.Equal(definition, DomainXml.Parse(DomainXml.Format(definition)));
        Assert.Empty(definition.Obstacles);
        Assert.Equal(definition.Disks.Length + 1, definition.DisksAndFlash.Length);
        Assert.Equal(
            ("nvram", DiskKind.Flash, "/var/web.fd", format),
            (definition.DisksAndFlash[^1].Target, definition.DisksAndFlash[^1].Kind, definition.DisksAndFlash[^1].Source, definition.DisksAndFlash[^1].Format));
    }

    [Fact]
    public async Task What_is_written_satisfies_libvirts_schema()
    {
        var definition = With("<loader readonly='yes' secure='yes' type='pflash'>/fw/code.fd</loader><nvram template='/fw/vars.fd'>/var/web.fd</nvram>", " firmware='efi'")
            with { ManagementMode = true };
        var written = DomainXml.Format(definition);
        Assert.Contains("smm state=\"on\"", written, StringComparison.Ordinal);
        await LibvirtSchema.AssertValidAsync("domain.rng", [written]);
    }

    [Theory]
    [InlineData("", "<loader type='pflash'/>", "no firmware is named")]
    [InlineData("", "<nvram>/var/web.fd</nvram>", "no firmware is named")]
    [InlineData("", "<loader>/fw/bios.bin</loader>", "does not say what kind of firmware")]
    [InlineData("", "<loader type='pflash'>code.fd</loader>", "the path 'code.fd' is relative")]
    [InlineData("", "<loader type='pflash' secure='maybe'>/fw/code.fd</loader>", "neither yes nor no")]
    [InlineData(" firmware='efi'", "<nvram>vars.fd</nvram>", "the path 'vars.fd' is relative")]
    [InlineData(" firmware='efi'", "<nvram>/var/../etc/vars.fd</nvram>", "'.' or '..' parts")]
    [InlineData(" firmware='efi'", "<firmware><feature name='secure-boot'/></firmware>", "the attribute enabled is missing")]
    [InlineData(" firmware='efi'", "<firmware><feature enabled='yes' name='a b'/></firmware>", "is not a name of letters")]
    public void What_contradicts_itself_is_refused(string os, string elements, string problem)
    {
        var error = Assert.Throws<CoppiceException>(() => With(elements, os));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(" firmware='bios'", "", "os/@firmware")]
    [InlineData("", "<loader type='rom'>/fw/bios.bin</loader>", "os/loader/@type")]
    [InlineData(" firmware='efi'", "<loader stateless='yes'/>", "os/loader/@stateless")]
    public void Other_firmware_prevents_a_start_and_is_named(string os, string elements, string path) =>
        Assert.Equal(path, Assert.Single(With(elements, os).Obstacles).Path);

    private static DomainDefinition With(string elements, string os = "") =>
        DomainXml.Parse(VirtInstall.Q35(os: os).Replace("<boot dev=\"hd\"/>", $"{elements}<boot dev=\"hd\"/>", StringComparison.Ordinal));
}
