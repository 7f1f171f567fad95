using Coppice.Core;
using Coppice.Qemu.Probing;
using Coppice.Tests.Domains;
using Coppice.Tests.Images;

namespace Coppice.Tests.Qemu;

public sealed class FirmwareDescriptorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_first_that_suits_is_chosen_as_in_the_order_of_file_names()
    {
        Write("usr/50-plain.json", "/plain", ["pc-i440fx-*", "pc-q35-*"]);
        Write("usr/40-secure.json", "/secure", ["pc-q35-*"], "secure-boot", "requires-smm");
        Write("usr/30-arm.json", "/arm", ["virt-*"]);
        Assert.Equal("/secure", Choose("pc-q35-7.2"));
        Assert.Equal("/plain", Choose("pc-i440fx-7.2"));
        Assert.Null(Choose("microvm"));
    }

    [Fact]
    public void What_is_asked_for_decides()
    {
        Write("usr/10-enrolled.json", "/enrolled", ["pc-q35-*"], "secure-boot", "enrolled-keys", "requires-smm");
        Write("usr/20-secure.json", "/secure", ["pc-q35-*"], "secure-boot", "requires-smm");
        Write("usr/30-plain.json", "/plain", ["pc-q35-*"]);
        Assert.Equal("/secure", Choose("pc-q35-7.2", new FirmwareSettings { Features = [new("enrolled-keys", false)] }));
        Assert.Equal("/plain", Choose("pc-q35-7.2", new FirmwareSettings { Features = [new("secure-boot", false)] }));
        Assert.Equal("/plain", Choose("pc-q35-7.2", new FirmwareSettings { Secure = false }));
        Assert.Equal("/plain", Choose("pc-q35-7.2", managementMode: false));
        Assert.Equal("/enrolled", Choose("pc-q35-7.2", new FirmwareSettings { Secure = true }));
        Assert.Null(Choose("pc-q35-7.2", new FirmwareSettings { Features = [new("amd-sev-es", true)] }));
    }

    [Fact]
    public void The_administrators_folder_hides_files_of_the_distribution()
    {
        Write("usr/10-first.json", "/first", ["pc-q35-*"]);
        Write("usr/20-second.json", "/second", ["pc-q35-*"]);
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Path, "etc")).FullName, "10-first.json"), "");
        Assert.Equal("/second", Choose("pc-q35-7.2"));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"interface-types":["uefi"],"targets":[{"architecture":"x86_64","machines":["*"]}],"features":[]}""")]
    [InlineData("""{"interface-types":["uefi"],"mapping":7,"targets":"x","features":null}""")]
    public void What_is_not_understood_is_passed_over(string content)
    {
        Write("usr/20-good.json", "/good", ["pc-q35-*"]);
        File.WriteAllText(Path.Combine(_folder.Path, "usr/10-bad.json"), content);
        Assert.Equal("/good", Choose("pc-q35-7.2"));
    }

    private string? Choose(string machine, FirmwareSettings? asked = null, bool? managementMode = null)
    {
        var definition = DomainXml.Parse(VirtInstall.Q35()) with { ManagementMode = managementMode };
        definition = definition with { Os = definition.Os with { Firmware = (asked ?? new FirmwareSettings()) with { IsChosen = true } } };
        return FirmwareDescriptor.ReadAll([Path.Combine(_folder.Path, "etc"), Path.Combine(_folder.Path, "usr")])
            .FirstOrDefault(f => f.Suits(definition, machine))?.Code;
    }

    private void Write(string name, string code, string[] machines, params string[] features)
    {
        var path = Path.Combine(_folder.Path, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var architecture = machines[0].StartsWith("virt", StringComparison.Ordinal) ? "aarch64" : "x86_64";
        File.WriteAllText(path, $$"""
            {
                "interface-types": ["uefi"],
                "mapping": {
                    "device": "flash",
                    "executable": {"filename": "{{code}}", "format": "raw"},
                    "nvram-template": {"filename": "{{code}}.vars", "format": "raw"}
                },
                "targets": [{"architecture": "{{architecture}}", "machines": [{{Quoted(machines)}}]}],
                "features": [{{Quoted(features)}}]
            }
            """);
    }

    private static string Quoted(string[] words) => string.Join(", ", words.Select(w => $"\"{w}\""));
}
