using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Tests.Engine;
using Coppice.Tests.Images;

namespace Coppice.Tests.Trees;

/// <summary>A tree of real images goes to another home in a folder, byte for byte (ADR 30).</summary>
public sealed class CarriedTreeTests : IDisposable
{
    private const string Copy = "copy";
    private readonly TempFolder _folder = TempFolder.InMemory();

    private string Export => _folder.File("export");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Every_snapshot_tip_and_the_head_hold_the_same_bytes_in_another_home_when_the_first_is_gone()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        using var orchard = await PlantAsync();
        var before = await ContentsAsync(orchard);
        await RunAsync(orchard, new ExportDomain(World.Name, Export));
        await CheckFolderAsync();

        Directory.Move(Export, Export + "-moved");
        Directory.Delete(orchard.Folder, recursive: true);
        using var other = ImageOrchard.Enter(_folder.Folder("other"));
        var imported = await RunAsync(other, new ImportDomain(Export + "-moved") { Name = Copy, HostFiles = true });
        Assert.Contains(imported.Plan.Warnings, w => w.Contains("/fw/vars.fd", StringComparison.Ordinal));
        Directory.Delete(Export + "-moved", recursive: true);
        Assert.Equal(before, await ContentsAsync(other));
        other.CheckFiles(await other.LookAsync());
        Assert.DoesNotContain(await other.Open().CheckAsync(Copy), f => f.Severity is not Severity.Note);

        // It is a domain like any other: back to any of them, and gone without a trace.
        await RunAsync(other, new RevertSnapshot(Copy, "inside", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        await RunAsync(other, new RevertSnapshot(Copy, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        var sight = Assert.Single(await other.LookAsync());
        Assert.Equal($"{sight["one"]}", $"{sight.Head}");
        await RunAsync(other, new UndefineDomain(Copy, Snapshots: true));
        other.CheckFiles(await other.LookAsync());
    }

    [Fact]
    public async Task One_snapshot_begins_a_domain_also_one_that_is_inside_an_image()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        using var orchard = await PlantAsync();
        var before = Assert.Single(await orchard.LookAsync());
        foreach (var name in new[] { "one", "inside" })
        {
            await RunAsync(orchard, new ExportDomain(World.Name, $"{Export}-{name}") { Snapshots = [name] });
            using var other = ImageOrchard.Enter(_folder.Folder($"only-{name}"));
            await RunAsync(other, new ImportDomain($"{Export}-{name}") { HostFiles = true });
            var sight = Assert.Single(await other.LookAsync());
            Assert.Equal($"{before[name]}", $"{sight.Head}");
            Assert.Equal($"{before[name]}", $"{sight[name]}");
        }
    }

    [Fact]
    public async Task Holes_stay_holes()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        using var orchard = await PlantAsync(size: 64);
        await RunAsync(orchard, new ExportDomain(World.Name, Export));
        var raw = Assert.Single(Directory.GetFiles($"{Export}/images/vdb", "*.raw"));
        Assert.Equal(64L << 20, new FileInfo(raw).Length);
        Assert.InRange(Coppice.Files.FileSystem.Look(raw)!.AllocatedBytes, 1, 1 << 20);
    }

    [Fact]
    public async Task What_fails_half_way_leaves_nothing_at_either_end()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        using var orchard = await PlantAsync();
        var vda = Assert.Single(await orchard.LookAsync()).Catalog.Head.Disks[0].Layer;
        var failing = 0;
        using var cancel = new CancellationTokenSource();
        var error = await HomeTests.FailAsync(() => orchard.Open().RunAsync(
            new ExportDomain(World.Name, Export),
            new RunOptions { OnEvent = e => Cancel(e, "storage.copy-image", 3) }, cancel.Token));
        Assert.Equal(ErrorKind.Cancelled, error.Kind);
        Assert.Equal([orchard.Folder], Directory.EnumerateFileSystemEntries(_folder.Path));
        Assert.True(LayerGraph.Of(Assert.Single(await orchard.LookAsync()).Catalog).Has(vda));

        await RunAsync(orchard, new ExportDomain(World.Name, Export));
        var image = Directory.GetFiles($"{Export}/images/vda")[^1];
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write -P 9 0 64k", image);
        using var other = ImageOrchard.Enter(_folder.Folder("other"));
        var damaged = await HomeTests.FailAsync(() => RunAsync(other, new ImportDomain(Export) { HostFiles = true }));
        Assert.Equal((ErrorKind.Damaged, image), (damaged.Kind, damaged.Subject));
        Assert.Empty(Directory.EnumerateDirectories(_folder.File("other/home/domains")));

        void Cancel(OperationEvent e, string kind, int times)
        {
            if (e.Point is OperationPoint.StepApplied && e.Step?.Kind == kind && ++failing == times)
            {
                cancel.Cancel();
            }
        }
    }

    /// <summary>Two disks and the variables of a firmware; a snapshot outside and one inside its image, and a tip.</summary>
    private async Task<ImageOrchard> PlantAsync(int size = 1)
    {
        var folder = _folder.Folder("source");
        var template = _folder.Folder("source/fw") + "/vars.fd";
        await File.WriteAllBytesAsync(template, [.. Enumerable.Range(0, 128 << 10).Select(i => (byte)i)]);
        var orchard = ImageOrchard.Enter(folder);
        var definition = World.Uefi(variables: null);
        definition = definition with
        {
            Os = definition.Os with { Firmware = definition.Os.Firmware! with { Template = template } },
            Disks = [.. definition.Disks.Select(d => d with { Source = folder + d.Source!["/images".Length..] })],
        };
        foreach (var disk in definition.Disks)
        {
            var format = disk.Format is ImageFormat.Raw ? "raw" : "qcow2";
            await Tool.RunAsync("qemu-img", "create", "-q", "-f", format, disk.Source!, string.Create(CultureInfo.InvariantCulture, $"{size}M"));
        }

        await RunAsync(orchard, new DefineDomain(definition));
        await WriteAsync(orchard, 1);
        await RunAsync(orchard, new CreateSnapshot(World.Name) { Name = "one", Disks = [.. Scenario.External("vda", "vdb")] });
        await WriteAsync(orchard, 2);
        await RunAsync(orchard, new CreateSnapshot(World.Name)
        {
            Name = "inside", Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", DiskMode.Internal)],
        });
        await WriteAsync(orchard, 3);
        await RunAsync(orchard, new RevertSnapshot(World.Name, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        await WriteAsync(orchard, 4);
        return orchard;
    }

    private static async Task WriteAsync(ImageOrchard orchard, int pattern)
    {
        var catalog = Assert.Single(await orchard.LookAsync()).Catalog;
        var graph = LayerGraph.Of(catalog);
        foreach (var layer in catalog.Head.Disks.Where(d => d.Target != DiskDevice.FlashTarget).Select(d => graph[d.Layer]))
        {
            var format = layer.Format is ImageFormat.Raw ? "raw" : "qcow2";
            await Tool.RunAsync(
                "qemu-io", "-f", format, "-c", string.Create(CultureInfo.InvariantCulture, $"write -P {pattern} {pattern * 64}k 64k"), layer.Path);
        }
    }

    /// <summary>The folder alone is enough for any tool.</summary>
    private async Task CheckFolderAsync()
    {
        foreach (var image in Directory.GetFiles($"{Export}/images", "*.qcow2", SearchOption.AllDirectories))
        {
            await Tool.RunAsync("qemu-img", "check", "-q", image);
            var chain = await Tool.RunAsync("qemu-img", "info", "--backing-chain", "--output=json", image);
            Assert.DoesNotContain(_folder.File("source"), chain, StringComparison.Ordinal);
        }

        await Tool.RunAsync("sh", "-c", $"cd '{Export}' && sha256sum --quiet -c {ExportFolder.Sums}");
    }

    private static async Task<string> ContentsAsync(ImageOrchard orchard)
    {
        var sight = Assert.Single(await orchard.LookAsync());
        var names = sight.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal);
        return string.Join('\n', [.. names.Select(n => $"{n}: {sight[n]}"), .. sight.Tips.Values.Select(t => $"tip: {t}"), $"head: {sight.Head}"]);
    }

    private static Task<OperationResult> RunAsync(ImageOrchard orchard, Request request) =>
        orchard.Open().RunAsync(request, new RunOptions(), TestContext.Current.CancellationToken);
}
