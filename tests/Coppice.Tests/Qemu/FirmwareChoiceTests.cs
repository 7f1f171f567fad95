using Coppice.Core;
using Coppice.Qemu;
using Coppice.Tests.Domains;
using Coppice.Tests.Images;

namespace Coppice.Tests.Qemu;

public sealed class FirmwareChoiceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Code => _folder.File("code.fd");

    public FirmwareChoiceTests()
    {
        _folder.Write("code.fd", new byte[4096]);
        File.WriteAllText(_folder.File("10-secure.json"), $$"""
            {
                "interface-types": ["uefi"],
                "mapping": {
                    "device": "flash",
                    "executable": {"filename": "{{Code}}", "format": "raw"},
                    "nvram-template": {"filename": "/fw/vars.fd", "format": "raw"}
                },
                "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
                "features": ["secure-boot", "requires-smm"]
            }
            """);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_chosen_is_stored_in_full_and_chosen_no_second_time()
    {
        var filled = Fill(new FirmwareSettings { IsChosen = true });
        Assert.Equal(new FirmwareSettings { IsChosen = true, Code = Code, Template = "/fw/vars.fd", Secure = true }, filled.Os.Firmware);
        Assert.True(filled.ManagementMode);
        Assert.Equal(filled, new FirmwareChoice([]).Fill(filled, "pc-q35-7.2"));
    }

    [Fact]
    public void The_template_of_a_file_that_was_named_is_looked_up()
    {
        Assert.Equal("/fw/vars.fd", Fill(new FirmwareSettings { Code = Code }).Os.Firmware!.Template);
        Assert.Equal("/mine.fd", Fill(new FirmwareSettings { Code = Code, Template = "/mine.fd" }).Os.Firmware!.Template);
        Assert.Null(new FirmwareChoice([]).Fill(Definition(new FirmwareSettings { Code = Code }), "pc-q35-7.2").Os.Firmware!.Template);
    }

    [Fact]
    public void A_file_that_is_not_there_is_named() =>
        AssertRefused(ErrorKind.NotFound, "/no/code.fd is not there", () => Fill(new FirmwareSettings { Code = "/no/code.fd" }));

    [Theory]
    [InlineData("/fw/vars.fd")]
    [InlineData("CODE")]
    public void What_comes_with_the_firmware_is_not_written_to(string variables) => AssertRefused(
        ErrorKind.InvalidInput, "which comes with the firmware",
        () => Fill(new FirmwareSettings { Code = Code, Variables = variables == "CODE" ? Code : variables }));

    [Fact]
    public void Secure_variables_need_system_management_mode()
    {
        var secure = new FirmwareSettings { Code = Code, Secure = true };
        Assert.True(Fill(secure).ManagementMode);
        AssertRefused(
            ErrorKind.InvalidInput, "<smm> is off",
            () => new FirmwareChoice([_folder.Path]).Fill(Definition(secure) with { ManagementMode = false }, "pc-q35-7.2"));
    }

    private DomainDefinition Fill(FirmwareSettings firmware) => new FirmwareChoice([_folder.Path]).Fill(Definition(firmware), "pc-q35-7.2");

    private static DomainDefinition Definition(FirmwareSettings firmware)
    {
        var definition = DomainXml.Parse(VirtInstall.Q35());
        return definition with { Os = definition.Os with { Firmware = firmware } };
    }

    private static void AssertRefused(ErrorKind kind, string problem, Action act)
    {
        var error = Assert.Throws<CoppiceException>(act);
        Assert.Equal(kind, error.Kind);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
    }
}
