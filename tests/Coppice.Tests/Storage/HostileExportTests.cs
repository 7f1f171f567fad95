using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Storage;
using Coppice.Tests.Engine;
using Coppice.Tests.Images;

namespace Coppice.Tests.Storage;

/// <summary>
/// Folders that somebody made to do harm, checksums and all: an import reads nothing outside them, makes nothing of them, and says what
/// is wrong.
/// </summary>
public sealed class HostileExportTests : IDisposable
{
    private readonly TempFolder _folder = TempFolder.InMemory();

    private string Export => _folder.File("export");

    private string Canary => _folder.File("canary");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_manifest_that_no_export_has_written_is_refused()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await ExportAsync();
        var good = await File.ReadAllTextAsync($"{Export}/{ExportFolder.Manifest}", TestContext.Current.CancellationToken);
        (string What, ErrorKind Kind, Action<JsonNode> Change)[] cases =
        [
            ("another version", ErrorKind.Damaged, m => m["version"] = 2),
            ("a word that is not known", ErrorKind.Damaged, m => m["run"] = "rm"),
            ("nothing", ErrorKind.Damaged, m => (m["snapshots"], m["head"]) = (new JsonArray(), null)),
            ("null for a list", ErrorKind.Damaged, m => m["layers"] = null),
            ("null in a list", ErrorKind.Damaged, m => m["snapshots"]!.AsArray().Add(null)),
            ("null among layers", ErrorKind.Damaged, m => m["layers"]!.AsArray().Add(null)),
            ("a snapshot twice", ErrorKind.Damaged, m => m["snapshots"]!.AsArray().Add(m["snapshots"]![0]!.DeepClone())),
            ("a name with a slash", ErrorKind.InvalidInput, m => m["snapshots"]![0]!["name"] = "../../x"),
            ("the domain's name", ErrorKind.InvalidInput, m => m["name"] = "a/b"),
            ("a snapshot that is its own parent", ErrorKind.Damaged, m => m["snapshots"]![0]!["parent"] = m["snapshots"]![0]!["id"]!.DeepClone()),
            ("a current one that is not there", ErrorKind.Damaged, m => m["current"] = "00000000-0000-0000-0000-000000000001"),
            ("a path that leads out", ErrorKind.Forbidden, m => Frozen(m)["path"] = "../canary"),
            ("an absolute path", ErrorKind.Forbidden, m => Frozen(m)["path"] = Canary),
            ("a disk that is a path", ErrorKind.Forbidden, m => Frozen(m)["disk"] = "../.."),
            ("a block device", ErrorKind.Forbidden, m => Frozen(m)["type"] = "Block"),
            ("a layer of the user", ErrorKind.Forbidden, m => Frozen(m)["origin"] = "User"),
            ("a layer that builds on itself", ErrorKind.Damaged, m => Frozen(m)["parent"] = Frozen(m)["id"]!.DeepClone()),
            ("a parent that is not there", ErrorKind.Damaged, m => Frozen(m)["parent"] = "00000001"),
            ("a layer twice", ErrorKind.Damaged, m => m["layers"]!.AsArray().Add(Frozen(m).DeepClone())),
            ("another size", ErrorKind.Damaged, m => Frozen(m)["virtualSize"]!["bytes"] = 4 << 20),
            ("another format", ErrorKind.Forbidden, m => Frozen(m)["format"] = "Raw"),
            ("memory elsewhere", ErrorKind.Damaged, m => m["snapshots"]![0]!["memory"] = new JsonObject { ["mode"] = "External", ["file"] = Canary }),
            ("a head that writes what is frozen", ErrorKind.Damaged, m => m["head"]!["disks"]![0]!["layer"] = Frozen(m)["id"]!.DeepClone()),
            ("a head without a disk", ErrorKind.Damaged, m => m["head"]!["disks"]!.AsArray().RemoveAt(0)),
            ("a process", ErrorKind.Damaged, m => m["head"]!["process"] = "0000abcd"),
            ("a TPM without one", ErrorKind.Damaged, m => m["head"]!["tpm"] = "0000abcd"),
            ("a definition that is not there", ErrorKind.NotFound, m => m["head"]!["definition"] = "0000abcd"),
            ("a tip that is as a snapshot that is not there", ErrorKind.Damaged, m => m["tips"]!.AsArray().Add(Tip(m))),
            ("nil as current", ErrorKind.Damaged, m => m["current"] = $"{Guid.Empty}"),
            ("sizes that nothing has", ErrorKind.Forbidden, m => m["layers"]!.AsArray().Add(Inside(m))),
            ("a number for a word", ErrorKind.Damaged, m => Frozen(m)["format"] = 99),
            ("another number for a word", ErrorKind.Damaged, m => m["snapshots"]![0]!["state"] = 99),
        ];
        foreach (var (what, kind, change) in cases)
        {
            var manifest = JsonNode.Parse(good)!;
            change(manifest);
            await File.WriteAllTextAsync($"{Export}/{ExportFolder.Manifest}", manifest.ToJsonString(), TestContext.Current.CancellationToken);
            await RefusedAsync(what, kind);
        }
    }

    [Fact]
    public async Task Files_that_lead_out_of_the_folder_are_not_followed()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await ExportAsync();
        var (raw, top) = (Directory.GetFiles($"{Export}/images/vdb", "*.raw")[0], Overlay());
        (string What, ErrorKind Kind, Func<Task> Change)[] cases =
        [
            ("a backing file outside", ErrorKind.Damaged, () => Tool.RunAsync("qemu-img", "rebase", "-u", "-F", "raw", "-b", Canary, top)),
            ("a protocol", ErrorKind.Forbidden, () => Tool.RunAsync("qemu-img", "rebase", "-u", "-F", "raw", "-b", "nbd://127.0.0.1:1/x", top)),
            ("a data file", ErrorKind.Forbidden, () => Tool.RunAsync(
                "qemu-img", "create", "-q", "-f", "qcow2", "-o", $"data_file={_folder.File("data")}", top, "1M")),
            ("an encrypted image", ErrorKind.Forbidden, () => Tool.RunAsync(
                "qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x", "-o", "encrypt.format=aes,encrypt.key-secret=s", top, "1M")),
            ("a link to a file outside", ErrorKind.Forbidden, () => Link(raw, Canary)),
            ("a link in the folder", ErrorKind.Forbidden, () => { File.Move(raw, $"{Export}/moved"); return Link(raw, $"{Export}/moved"); }),
            ("a folder that is a link", ErrorKind.Forbidden, () =>
            {
                Directory.Move($"{Export}/images/vdb", _folder.File("outside"));
                File.CreateSymbolicLink($"{Export}/images/vdb", _folder.File("outside"));
                return Task.CompletedTask;
            }),
            ("a manifest that never ends", ErrorKind.Forbidden, async () =>
            {
                File.Delete($"{Export}/{ExportFolder.Manifest}");
                await Tool.RunAsync("mkfifo", $"{Export}/{ExportFolder.Manifest}");
            }),
            ("no checksums", ErrorKind.NotFound, () => { File.Delete($"{Export}/{ExportFolder.Sums}"); return Task.CompletedTask; }),
        ];
        Directory.Move(Export, _folder.File("good"));
        foreach (var (what, kind, change) in cases)
        {
            await Tool.RunAsync("cp", "-a", _folder.File("good"), Export);
            await change();
            await RefusedAsync(what, kind, reseal: what is not ("no checksums" or "a manifest that never ends"));
            Directory.Delete(Export, recursive: true);
            if (Directory.Exists(_folder.File("outside")))
            {
                Directory.Delete(_folder.File("outside"), recursive: true);
            }
        }
    }

    [Fact]
    public async Task What_is_copied_out_of_an_image_is_counted_as_the_file_tells_and_not_as_the_manifest_does()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await DefineAsync();
        await Home("here").RunAsync(
            new CreateSnapshot(World.Name) { Name = "in", Disks = [new("vda", DiskMode.Internal), .. Scenario.External("vdb")] }, new RunOptions());
        await Home("here").RunAsync(new ExportDomain(World.Name, Export) { Snapshots = ["in"] }, new RunOptions());
        var image = Directory.GetFiles($"{Export}/images/vda")[0];
        var taken = Coppice.Files.FileSystem.Look(image)!.AllocatedBytes;
        Assert.InRange(taken, 1, (1 << 20) - 1);

        var planned = await Home("there").RunAsync(new ImportDomain(Export), new RunOptions { PlanOnly = true });
        var copy = Assert.Single(planned.Plan.Prepare, s => s.Kind == "storage.copy-internal");
        Assert.Equal(taken, copy.Files.Single().Bytes.Bytes);
    }

    private static Task Link(string path, string target)
    {
        File.Delete(path);
        File.CreateSymbolicLink(path, target);
        return Task.CompletedTask;
    }

    /// <summary>The lowest layer that a snapshot froze: all of its fields are checked alike.</summary>
    private static JsonNode Frozen(JsonNode manifest) =>
        manifest["layers"]!.AsArray().Concat(manifest["snapshots"]![0]!["layers"]!.AsArray()).First(l => l is not null && (string?)l["format"] == "Qcow2"
            && l["parent"] is null)!;

    private static JsonObject Tip(JsonNode manifest)
    {
        var head = manifest["head"]!.DeepClone();
        head["sameAs"] = "00000000-0000-0000-0000-000000000001";
        return new JsonObject
        {
            ["id"] = "0000abcd", ["leftAt"] = "2026-01-01T00:00:00+00:00", ["state"] = "Off", ["current"] = null, ["head"] = head,
            ["memory"] = new JsonObject { ["mode"] = "None" },
        };
    }

    private static JsonNode Inside(JsonNode manifest)
    {
        var layer = Frozen(manifest).DeepClone();
        layer["inside"] = new JsonObject { ["holder"] = (string)layer["id"]!, ["tag"] = "x" };
        (layer["id"], layer["virtualSize"]!["bytes"]) = ("0000abcd", long.MaxValue);
        return layer;
    }

    private string Overlay() => Directory.GetFiles($"{Export}/images/vda", "*.qcow2").Single(f =>
    {
        using var image = Coppice.Images.Qcow2Image.Open(f);
        return image.Header.BackingName is not null;
    });

    private async Task RefusedAsync(string what, ErrorKind kind, bool reseal = true)
    {
        if (reseal)
        {
            Reseal();
        }

        var home = Home("there");
        var error = await HomeTests.FailAsync(() => home.RunAsync(new ImportDomain(Export), new RunOptions(), TestContext.Current.CancellationToken));
        Assert.True(error.Kind == kind, $"{what}: {error}");
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("there/domains")) && Directory.EnumerateDirectories(_folder.File("there/domains")).Any(), what);
    }

    /// <summary>Whoever changes files changes their checksums too.</summary>
    private void Reseal()
    {
        var sums = Directory.EnumerateFiles(Export, "*", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles($"{Export}/images/vdb/")).Distinct(StringComparer.Ordinal)
            .Where(f => Path.GetFileName(f) != ExportFolder.Sums)
            .ToDictionary(f => Path.GetRelativePath(Export, f).Replace("//", "/", StringComparison.Ordinal), f => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f))));
        File.WriteAllText($"{Export}/{ExportFolder.Sums}", ExportFolder.FormatSums(sums));
    }

    private async Task ExportAsync()
    {
        await File.WriteAllTextAsync(Canary, "secret");
        await DefineAsync();
        var home = Home("here");
        await home.RunAsync(new CreateSnapshot(World.Name) { Name = "one", Disks = [.. Scenario.External("vda", "vdb")] }, new RunOptions());
        await home.RunAsync(new ExportDomain(World.Name, Export), new RunOptions());
    }

    private async Task DefineAsync()
    {
        var definition = World.Definition();
        definition = definition with { Disks = [.. definition.Disks.Select(d => d with { Source = _folder.File(Path.GetFileName(d.Source!)) })] };
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", definition.Disks[0].Source!, "1M");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "raw", definition.Disks[1].Source!, "1M");
        await Home("here").RunAsync(new DefineDomain(definition), new RunOptions());
    }

    private Home Home(string name) => Coppice.Engine.Home.Open(new HomeOptions
    {
        Path = _folder.File(name),
        Hypervisor = new FakeHypervisor(new FakeHost()),
        Storage = new FileStorage(TimeProvider.System),
    });
}
