using System.Globalization;
using System.Text.RegularExpressions;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;
using Coppice.Storage;
using Coppice.Tests.Images;

namespace Coppice.Tests.Storage;

/// <summary>
/// Somebody uses qemu-img on the images of a domain that is off, and its catalog is stale. Whatever it was: nothing that is left
/// is lost, nothing wrong is started or reverted to unasked, and the error says how to go on.
/// </summary>
public sealed partial class OutsideChangesTests : IDisposable
{
    private const string Name = "web";
    private const int First = 0x11, Second = 0x22, Third = 0x33;

    private readonly TempFolder _folder = TempFolder.InMemory();
    private readonly Home _home;
    private int _ids = 0x1000;

    public OutsideChangesTests()
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

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_disk_that_was_committed_into_what_a_snapshot_froze_is_not_taken_for_that_snapshot()
    {
        await DefineAsync();
        var head = await SnapshotAsync("s1", Second);
        await CommitAsync(head);

        var error = await RefusedAsync(Start, ErrorKind.WouldLose);
        Assert.Contains(Base, error.Subject, StringComparison.Ordinal);
        Assert.Contains("after snapshot 's1' froze it", error.Problem, StringComparison.Ordinal);
        Assert.Contains("coppice snapshot revert web SNAPSHOT --force", error.NextStep, StringComparison.Ordinal);
        error = await RefusedAsync(Revert("s1"), ErrorKind.WouldLose);
        Assert.Contains("--force", error.NextStep, StringComparison.Ordinal);
        var created = await RunAsync(Create("s2"));
        Assert.Contains(created.Plan.Warnings, w => w.Contains(Base, StringComparison.Ordinal));

        await RunAsync(Revert("s1") with { Force = true });
        await HoldsAsync(await HeadAsync(), Second);
        await PlanAsync(Start);
        await RunAsync(Revert("s1"));
    }

    [Fact]
    public async Task A_layer_that_was_committed_and_removed_is_named_and_the_snapshot_below_it_goes_on_with_what_it_held()
    {
        await DefineAsync();
        var head = await SnapshotAsync("s1", Second);
        await CommitAsync(head);
        File.Delete(head);

        var error = await RefusedAsync(Start, ErrorKind.NotFound);
        Assert.Contains(head, error.Message, StringComparison.Ordinal);
        await RefusedAsync(Create("s2"), ErrorKind.NotFound);
        await RunAsync(Revert("s1") with { Force = true });
        Assert.Empty((await CatalogAsync()).Tips);
        await HoldsAsync(await HeadAsync(), Second);
        await PlanAsync(Start);
    }

    [Fact]
    public async Task A_layer_that_was_flattened_is_refused_until_its_link_is_put_back_as_the_error_says()
    {
        await DefineAsync();
        var head = await SnapshotAsync("s1", Second);
        await Tool.RunAsync("qemu-img", "rebase", "-q", "-f", "qcow2", "-b", "", head);

        await PutBackAsync(await RefusedAsync(Start, ErrorKind.Damaged));
        await PlanAsync(Start);
        await HoldsAsync(head, Second);
        await RunAsync(Revert("s1"));
        await HoldsAsync(await HeadAsync(), First);
    }

    [Theory]
    [InlineData("snapshot create")]
    [InlineData("snapshot delete")]
    [InlineData("disk resize")]
    public async Task Nothing_is_built_or_removed_while_the_chain_of_the_disk_is_another_one(string operation)
    {
        await DefineAsync();
        var head = await SnapshotAsync("s1", Second);
        await Tool.RunAsync("qemu-img", "rebase", "-q", "-f", "qcow2", "-b", "", head);
        DomainRequest request = operation switch
        {
            "snapshot create" => Create("s2"),
            "snapshot delete" => new DeleteSnapshot(Name, "s1", metadataOnly: false),
            _ => new ResizeDisk(Name, "vda", new ByteCount(32 << 20)),
        };
        var before = await CatalogAsync();
        Assert.Contains("qemu-img rebase -u", (await RefusedAsync(request, ErrorKind.Damaged)).NextStep, StringComparison.Ordinal);
        Assert.Equal(before.Revision, (await CatalogAsync()).Revision);
        await HoldsAsync(head, Second);
    }

    [Fact]
    public async Task A_layer_in_the_middle_that_was_committed_leaves_a_disk_that_can_be_had_whole_again()
    {
        await DefineAsync();
        var middle = await SnapshotAsync("s1", Second);
        var head = await SnapshotAsync("s2", Third, at: 64);
        await CommitAsync(middle);
        await Tool.RunAsync("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", Base, head);

        await PutBackAsync(await RefusedAsync(Start, ErrorKind.Damaged));
        await RunAsync(new EditSnapshot(Name, "s1", "renamed", null));
        await RunAsync(new EditSnapshot(Name, "renamed", "s1", null));
        await RefusedAsync(Start, ErrorKind.WouldLose);
        await RunAsync(Start with { Force = true }, planOnly: true);
        await HoldsAsync(head, Second);
        await HoldsAsync(head, Third, at: 64);
        await RunAsync(Revert("s2") with { Force = true });
        await HoldsAsync(await HeadAsync(), Second);
    }

    [Fact]
    public async Task A_snapshot_whose_layer_the_disk_was_rebased_onto_is_not_deleted()
    {
        await DefineAsync();
        await SnapshotAsync("s1", Second);
        await SnapshotAsync("s2", Third);
        var other = (await CatalogAsync()).Find("s2").Layers[0].Path;
        await RunAsync(Revert("s1") with { DiscardCurrent = true });
        var head = await HeadAsync();
        await Tool.RunAsync("qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "qcow2", "-b", other, head);

        await PutBackAsync(await RefusedAsync(new DeleteSnapshot(Name, "s2", metadataOnly: false), ErrorKind.Damaged));
        await RunAsync(new DeleteSnapshot(Name, "s2", metadataOnly: false));
        Assert.False(File.Exists(other));
        await HoldsAsync(head, First);
    }

    [Fact]
    public async Task What_the_users_own_image_builds_on_is_frozen_as_well()
    {
        await Tool.RunAsync("qemu-img", "create", "-q", "-f", "qcow2", _folder.File("golden.qcow2"), "16M");
        await DefineAsync("-F", "qcow2", "-b", "golden.qcow2");
        await SnapshotAsync("s1", Second);
        await PlanAsync(Start);
        await WriteAsync(_folder.File("golden.qcow2"), Third, at: 64);
        Assert.Contains("golden", (await RefusedAsync(Start, ErrorKind.WouldLose)).Subject, StringComparison.Ordinal);
        Assert.Contains("golden", (await RefusedAsync(Revert("s1"), ErrorKind.WouldLose)).Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_that_was_only_copied_is_taken_as_it_is_once_it_was_forced()
    {
        await DefineAsync();
        await SnapshotAsync("s1", Second);
        File.SetLastWriteTimeUtc(Base, TimeProvider.System.GetUtcNow().UtcDateTime);
        await RefusedAsync(Revert("s1"), ErrorKind.WouldLose);
        await RunAsync(Revert("s1") with { Force = true });
        await RunAsync(Revert("s1"));
        await PlanAsync(Start);
    }

    [Fact]
    public async Task What_Coppice_itself_does_to_a_frozen_image_is_no_change_of_it()
    {
        await DefineAsync();
        await SnapshotAsync("s1", Second);
        await RunAsync(Create("inside") with { Disks = [new DiskRequest("vda", DiskMode.Internal)] });
        await SnapshotAsync("s2", Third);
        await RunAsync(Revert("s1") with { DiscardCurrent = true });
        await RunAsync(new DeleteSnapshot(Name, "inside", metadataOnly: false));
        var frozen = (await CatalogAsync()).Find("s2").Layers[0].Path;
        Assert.DoesNotContain("inside", await Tool.RunAsync("qemu-img", "snapshot", "-l", frozen), StringComparison.Ordinal);
        await RunAsync(Revert("s2"));
        await HoldsAsync(await HeadAsync(), Second);
        await RunAsync(new EditSnapshot(Name, "s1", "renamed", null));
        await PlanAsync(Start);
    }

    [Fact]
    public async Task The_time_of_an_image_that_is_somebody_elses_cannot_be_kept_and_that_is_told_and_blocks_nothing()
    {
        await DefineAsync();
        await RunAsync(Create("inside") with { Disks = [new DiskRequest("vda", DiskMode.Internal)] });
        FileActs.Observer = (act, path) =>
        {
            if (act is FileAct.SetTime)
            {
                throw FileException.Of(path, Errno.NotPermitted);
            }
        };
        var deleted = await RunAsync(new DeleteSnapshot(Name, "inside", metadataOnly: false));
        FileActs.Observer = null;
        Assert.Contains("could not be kept (permission denied)", Assert.Single(deleted.Warnings), StringComparison.Ordinal);
        Assert.Empty((await CatalogAsync()).Snapshots);
        Assert.True(Assert.Throws<FileException>(() => FileSystem.SetModified(_folder.File("none"), default)).IsMissing);
    }

    private static StartDomain Start => new(Name, Paused: false);

    private static RevertSnapshot Revert(string name) => new(Name, name, RevertState.AsTaken, DiscardCurrent: false, Force: false);

    private static CreateSnapshot Create(string name) => new(Name) { Name = name };

    private async Task DefineAsync(params string[] more)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        await Tool.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", .. more, Base, "16M"]);
        await WriteAsync(Base, First);
        await RunAsync(new DefineDomain(new DomainDefinition
        {
            Id = new DomainId(new Guid(1, 0, 0, new byte[8])),
            Name = Name,
            Memory = new ByteCount(1 << 20),
            Disks = [new DiskDevice { Target = "vda", Source = Base, Format = ImageFormat.Qcow2, Snapshot = DiskMode.External }],
        }));
    }

    /// <summary>Takes a snapshot, and writes to the disk as a guest would.</summary>
    /// <returns>The layer that takes the writes.</returns>
    private async Task<string> SnapshotAsync(string name, int written, int at = 0)
    {
        await RunAsync(Create(name));
        var head = await HeadAsync();
        await WriteAsync(head, written, at);
        return head;
    }

    private static Task<string> CommitAsync(string layer) => Tool.RunAsync("qemu-img", "commit", "-q", "-f", "qcow2", layer);

    private static Task<string> WriteAsync(string image, int pattern, int at = 0) => Tool.RunAsync(
        "qemu-io", "-f", "qcow2", "-c", string.Create(CultureInfo.InvariantCulture, $"write -P {pattern} {at}k 64k"), image);

    private static async Task HoldsAsync(string image, int pattern, int at = 0) => Assert.DoesNotContain(
        "failed",
        await Tool.RunAsync(
            "qemu-io", "-r", "-f", "qcow2", "-c", string.Create(CultureInfo.InvariantCulture, $"read -P {pattern} {at}k 64k"), image),
        StringComparison.OrdinalIgnoreCase);

    private Task<OperationResult> RunAsync(Request request, bool planOnly = false) =>
        _home.RunAsync(request, new RunOptions { PlanOnly = planOnly });

    /// <summary>The images are real and the machine is not: whether it would be started is what counts.</summary>
    private Task<OperationResult> PlanAsync(Request request) => RunAsync(request, planOnly: true);

    private async Task<CoppiceException> RefusedAsync(DomainRequest request, ErrorKind kind)
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => RunAsync(request));
        Assert.Equal(kind, error.Kind);
        return error;
    }

    /// <summary>Types what an error says.</summary>
    private static async Task PutBackAsync(CoppiceException error)
    {
        var words = Command().Match(error.NextStep);
        Assert.True(words.Success, error.NextStep);
        var (format, parent, image) = (words.Groups[1].Value, words.Groups[2].Value, words.Groups[3].Value);
        await Tool.RunAsync("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", format, "-b", parent, image);
    }

    private async Task<Catalog> CatalogAsync() => (await _home.ShowAsync(Name)).Catalog;

    private async Task<string> HeadAsync()
    {
        var catalog = await CatalogAsync();
        return LayerGraph.Of(catalog)[catalog.Head.Disks[0].Layer].Path;
    }

    [GeneratedRegex("""qemu-img rebase -u -F (\w+) -b "([^"]+)" "([^"]+)";""")]
    private static partial Regex Command();
}
