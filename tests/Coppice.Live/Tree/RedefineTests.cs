using System.Diagnostics;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// Real guests and files: a forgotten snapshot comes back with its RAM, overlays of the user's own take the writes, and layers
/// are made that no snapshot names.
/// </summary>
public sealed class RedefineTests
{
    [Fact]
    public async Task A_snapshot_that_was_forgotten_is_put_back_with_its_RAM_unless_a_file_of_it_was_written_since_R36()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        await domain.CreateAsync("inner");
        await SayAsync(domain, "second");
        await domain.CreateAsync("leaf");
        await domain.RevertAsync("inner", discard: true);
        var documents = new[] { await DumpAsync(domain, "inner"), await DumpAsync(domain, "leaf") };
        await ForgetAsync(domain, "leaf");
        await ForgetAsync(domain, "inner");
        Assert.Empty((await domain.ShowAsync()).Catalog.Snapshots);
        await SayAsync(domain, "third");

        foreach (var document in documents)
        {
            var frozen = document.Content!.Modified.Keys.Last(f => f != document.Memory!.File);
            await RefusedAsync(domain, document, frozen, () => File.SetLastWriteTimeUtc(frozen, DateTime.UnixEpoch));
            await RefusedAsync(domain, document, document.Memory!.File!, () => File.Move(document.Memory.File!, $"{document.Memory.File}.away"));
            File.Move($"{document.Memory.File}.away", document.Memory.File!);
            await domain.RunAsync(new RedefineSnapshot(LiveDomain.Name, document, IsCurrent: false));
        }

        await domain.RevertAsync("leaf");
        Assert.Equal("second, second", await HearAsync(domain));
        await domain.RevertAsync("inner", discard: true);
        Assert.Equal("first, first", await HearAsync(domain));
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal("third, third", await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task One_inside_the_image_comes_back_with_its_RAM_too_and_the_image_may_have_been_written_since_R97()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal), Disks = [new DiskRequest("vda", DiskMode.Internal)],
        });
        var document = await DumpAsync(domain, "inside");
        await ForgetAsync(domain, "inside");
        await SayAsync(domain, "second");

        await domain.RunAsync(new RedefineSnapshot(LiveDomain.Name, document, IsCurrent: true));
        await domain.RevertAsync("inside");
        Assert.Equal("first, first", await HearAsync(domain));
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "inside", metadataOnly: false));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task An_overlay_made_by_qemu_img_under_a_running_guest_takes_its_writes()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        var overlay = Path.Combine(domain.Folder, "mine.qcow2");
        var request = new CreateSnapshot(LiveDomain.Name)
        {
            Name = "on mine", ReuseExternal = true, Disks = [new DiskRequest("vda", DiskMode.External, overlay)],
        };
        await RefusedAsync("32M", "is a disk of");
        await MakeAsync("64M");
        await QemuIoAsync(overlay);
        var written = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(request));
        Assert.Contains("is not empty", written.Message, StringComparison.Ordinal);
        Assert.Equal("first, first", await HearAsync(domain));

        await MakeAsync("64M");
        await domain.RunAsync(request);
        await SayAsync(domain, "second");
        Assert.Contains(overlay, (await domain.ShowAsync()).Hypervisor.ActiveImages.Values);
        await domain.RevertAsync("on mine", discard: true);
        Assert.Equal("first, first", await HearAsync(domain));
        Assert.True(File.Exists(overlay));

        async Task RefusedAsync(string size, string part)
        {
            await MakeAsync(size);
            var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(request));
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }

        Task MakeAsync(string size) =>
            RunAsync("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", domain.ImagePath("vda"), "-F", "qcow2", overlay, size);
    }

    [Fact]
    public async Task Without_metadata_the_guest_runs_on_and_boots_from_layers_that_no_snapshot_names()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        var result = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { DiskOnly = true, NoMetadata = true });
        Assert.Contains(result.Plan.Warnings, w => w.Contains(domain.ImagePath("vda"), StringComparison.Ordinal));
        Assert.Empty(result.Catalog!.Snapshots);
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.PutAsync("vda", 1, "second");
        }

        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var after = await domain.ConnectAsync();
        Assert.Equal("first", await after.ReadAsync("vda", 0));
        Assert.Equal("second", await after.ReadAsync("vda", 1));
    }

    private static async Task<SnapshotDocument> DumpAsync(LiveDomain domain, string name) => SnapshotXml.Parse(
        SnapshotXml.Format(await domain.Home.ReadSnapshotAsync(LiveDomain.Name, name)), SnapshotParseMode.Redefine);

    private static async Task ForgetAsync(LiveDomain domain, string name) =>
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, name, metadataOnly: true));

    /// <summary>Something happens to a file, and is undone; meanwhile the snapshot is refused by the name of the file.</summary>
    private static async Task RefusedAsync(LiveDomain domain, SnapshotDocument document, string file, Action happens)
    {
        var time = File.GetLastWriteTimeUtc(file);
        happens();
        var error = await Assert.ThrowsAsync<CoppiceException>(
            () => domain.RunAsync(new RedefineSnapshot(LiveDomain.Name, document, IsCurrent: false)));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        if (File.Exists(file))
        {
            File.SetLastWriteTimeUtc(file, time);
        }
    }

    private static async Task SayAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("note", text);
        await witness.PutAsync("vda", 0, text);
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return $"{await witness.GetAsync("note")}, {await witness.ReadAsync("vda", 0)}";
    }

    /// <summary>Writes to the overlay alone: its backing image is in use.</summary>
    private static Task QemuIoAsync(string overlay) => RunAsync(
        "qemu-io", "-c", "write -q 0 64k",
        $$"""json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":"{{overlay}}"} }""");

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }
}
