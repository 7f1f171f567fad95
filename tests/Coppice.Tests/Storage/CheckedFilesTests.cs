using System.Collections.Immutable;
using System.Diagnostics;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Storage;
using Coppice.Tests.Images;

namespace Coppice.Tests.Storage;

/// <summary>A check and a repair on real images, made wrong with qemu-img's own means and by hand.</summary>
public sealed class CheckedFilesTests : IDisposable
{
    private const string Name = "web";

    private readonly TempFolder _folder = TempFolder.InMemory();
    private readonly Home _home;
    private int _ids = 0x1000;

    public CheckedFilesTests()
    {
        _home = Home.Open(new HomeOptions
        {
            Path = _folder.File("home"),
            Hypervisor = new FakeHypervisor(new FakeHost()),
            Storage = new FileStorage(TimeProvider.System),
            Ids = new IdSource(bytes => { bytes.Clear(); BitConverter.TryWriteBytes(bytes, ++_ids); }),
        });
    }

    private string Base => _folder.File("vda.qcow2");

    private DomainFolder Domain => new HomeFolder(_folder.File("home")).Domain(new DomainId(new Guid(1, 0, 0, new byte[8])));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_layer_of_ours_that_leaks_is_mended_and_still_is_what_its_snapshot_froze()
    {
        var frozen = await DefineAsync();
        Overwrite(frozen, 0x30000, sizeof(ulong));
        System.IO.File.SetLastWriteTimeUtc(frozen, DateTime.UnixEpoch);
        Assert.Equal(FindingKind.Leaking, Assert.Single(await _home.CheckAsync(Name)).Kind);
        await RunAsync(new RepairDomain(Name, Orphans: false));
        Assert.Empty(await _home.CheckAsync(Name));
        await RunAsync(new RevertSnapshot(Name, "two", RevertState.AsTaken, DiscardCurrent: false, Force: false));
    }

    [Fact]
    public async Task Only_what_seems_wrong_is_examined_under_the_lock_of_images_which_a_guest_that_starts_needs()
    {
        var frozen = await DefineAsync();
        var storage = new FileStorage(TimeProvider.System);
        var graph = LayerGraph.Of((await _home.ShowAsync(Name)).Catalog);
        var layer = graph.All.Single(l => l.Path == frozen);
        using (var writer = await WriterAsync(frozen))
        {
            Assert.Equal(ImageHealth.Sound, await storage.ExamineAsync(layer, TestContext.Current.CancellationToken));
            await EndAsync(writer);
        }

        Overwrite(frozen, 0x30000, sizeof(ulong));
        using (var writer = await WriterAsync(frozen))
        {
            Assert.Equal(ImageHealth.InUse, await storage.ExamineAsync(layer, TestContext.Current.CancellationToken));
            await EndAsync(writer);
        }

        Assert.Equal(ImageHealth.Leaking, await storage.ExamineAsync(layer, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_image_of_the_user_that_leaks_is_told_and_not_touched()
    {
        await DefineAsync();
        Overwrite(Base, 0x30000, sizeof(ulong));
        System.IO.File.SetLastWriteTimeUtc(Base, DateTime.UnixEpoch);
        var before = await System.IO.File.ReadAllBytesAsync(Base, TestContext.Current.CancellationToken);
        Assert.False(Assert.Single(await _home.CheckAsync(Name)).IsRepairable);
        await RunAsync(new RepairDomain(Name, Orphans: true));
        Assert.Equal(before, await System.IO.File.ReadAllBytesAsync(Base, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_image_whose_tables_contradict_each_other_is_damage_that_no_repair_touches()
    {
        var frozen = await DefineAsync();
        Overwrite(frozen, 0x20000 + (3 * sizeof(ushort)), sizeof(ushort));
        System.IO.File.SetLastWriteTimeUtc(frozen, DateTime.UnixEpoch);
        Assert.Equal((FindingKind.Corrupt, false), Assert.Single(await _home.CheckAsync(Name)) is var f ? (f.Kind, f.IsRepairable) : default);
    }

    [Fact]
    public async Task A_forged_image_is_refused_by_the_native_reader_and_opened_by_nobody_else()
    {
        var frozen = await DefineAsync();
        System.IO.File.Delete(frozen);
        await Tool.RunAsync("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "nbd:localhost:1", frozen, "16M");
        System.IO.File.SetLastWriteTimeUtc(frozen, DateTime.UnixEpoch);
        Assert.Equal([FindingKind.Altered], (await _home.CheckAsync(Name)).Select(f => f.Kind).Distinct());
    }

    [Fact]
    public async Task Links_in_the_folders_of_a_domain_are_not_followed_and_what_they_lead_to_stays()
    {
        await DefineAsync();
        var treasure = _folder.Folder("treasure");
        var kept = _folder.Write("treasure/vda.kept.0000abcd.qcow2", [1, 2, 3]);
        System.IO.File.CreateSymbolicLink(Domain.Images("elsewhere"), treasure);
        System.IO.File.CreateSymbolicLink($"{Domain.Images("vda")}/vda.link.0000abce.qcow2", kept);
        System.IO.File.CreateSymbolicLink($"{Domain.Images("vda")}/vda.half.0000abcf.qcow2.partial", kept);
        System.IO.File.CreateSymbolicLink($"{Domain.Images("vda")}/nowhere", "/nowhere");
        Assert.All(await _home.CheckAsync(Name), f => Assert.DoesNotContain(treasure, f.Subject, StringComparison.Ordinal));
        await RunAsync(new RepairDomain(Name, Orphans: true));
        Assert.Equal([1, 2, 3], await System.IO.File.ReadAllBytesAsync(kept, TestContext.Current.CancellationToken));
        Assert.True(Directory.Exists(Domain.Images("elsewhere")));
    }

    [Fact]
    public async Task An_empty_layer_stays_as_one_with_data_does_unless_that_is_asked_for()
    {
        await DefineAsync();
        var (empty, full) = ($"{Domain.Images("vda")}/vda.gone.0000abcd.qcow2", $"{Domain.Images("vda")}/vda.gone.0000abce.qcow2");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", empty, "16M");
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", full, "16M");
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write 0 64k", full);
        Assert.Equal([FindingKind.Orphan, FindingKind.Orphan], (await _home.CheckAsync(Name)).Select(f => f.Kind));
        await RunAsync(new RepairDomain(Name, Orphans: false));
        Assert.Equal((true, true), (System.IO.File.Exists(empty), System.IO.File.Exists(full)));
        await RunAsync(new RepairDomain(Name, Orphans: true));
        Assert.Equal((false, false), (System.IO.File.Exists(empty), System.IO.File.Exists(full)));
        Assert.Empty(await _home.CheckAsync(Name));
    }

    [Fact]
    public async Task Folders_beside_borrowed_images_are_looked_into_and_those_of_layers_whose_image_nothing_names_any_more()
    {
        var (lent, pool) = (_folder.Folder("lent"), _folder.Folder("pool"));
        string[] files = [.. new[] { lent, pool }.Select(f => $"{f}/{Domain.BesideImages}/vda/vda.gone.0000abcd.qcow2")];
        foreach (var file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await System.IO.File.WriteAllBytesAsync(file, [1], TestContext.Current.CancellationToken);
        }

        ImmutableArray<Layer> layers =
        [
            Layer($"{lent}/vda.one.0000abce.qcow2") with { Origin = LayerOrigin.Borrowed },
            Layer($"{pool}/{Domain.BesideImages}/vdb/vdb.one.0000abcf.qcow2"),
        ];
        var listed = await new FileStorage(TimeProvider.System).ListAsync(Domain, layers, TestContext.Current.CancellationToken);
        Assert.Equal(files, listed.Keys.Order(StringComparer.Ordinal));

        static Layer Layer(string path) => LayerFileName.Read(path)!;
    }

    /// <summary>A domain that is off, with two snapshots of its one disk.</summary>
    /// <returns>The layer that the second one froze.</returns>
    private async Task<string> DefineAsync()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", Base, "16M");
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write 0 64k", Base);
        await RunAsync(new DefineDomain(new DomainDefinition
        {
            Id = new DomainId(new Guid(1, 0, 0, new byte[8])),
            Name = Name,
            Memory = new ByteCount(1 << 20),
            Disks = [new DiskDevice { Target = "vda", Source = Base, Format = ImageFormat.Qcow2, Snapshot = DiskMode.External }],
        }));
        await RunAsync(new CreateSnapshot(Name) { Name = "one" });
        var catalog = (await _home.ShowAsync(Name)).Catalog;
        var head = LayerGraph.Of(catalog)[catalog.Head.Disks[0].Layer].Path;
        await Tool.RunAsync("qemu-io", "-f", "qcow2", "-c", "write 0 64k", head);
        await RunAsync(new CreateSnapshot(Name) { Name = "two" });
        Assert.Empty(await _home.CheckAsync(Name));
        return head;
    }

    /// <summary>A qemu-io that has an image open for writing.</summary>
    private static async Task<Process> WriterAsync(string image)
    {
        var writer = Process.Start(new ProcessStartInfo("qemu-io", ["-f", "qcow2", image])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        await writer.StandardInput.WriteLineAsync("length");
        await writer.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Contains("MiB", await writer.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        return writer;
    }

    private static async Task EndAsync(Process writer)
    {
        writer.StandardInput.Close();
        await writer.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    private static void Overwrite(string image, long offset, int count)
    {
        using var file = System.IO.File.OpenWrite(image);
        file.Position = offset;
        file.Write(new byte[count]);
    }

    private Task<OperationResult> RunAsync(Request request) => _home.RunAsync(request, new RunOptions());
}
