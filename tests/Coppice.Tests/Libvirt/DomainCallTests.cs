using System.Xml.Linq;
using Coppice.Core;
using Coppice.Libvirt.Wire;
using Coppice.Tests.Engine;

namespace Coppice.Tests.Libvirt;

/// <summary>Domains through libvirt's protocol, and what is told of them.</summary>
public sealed class DomainCallTests
{
    [Fact]
    public async Task A_domain_lives_and_whoever_asked_is_told_so()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await bed.OpenAsync();
        await using var watcher = await bed.OpenAsync();
        var callback = await watcher.CallAsync(EventProcedures.Register, (0, null));
        await bed.World.DefineAsync();
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        Assert.Equal((1, 1), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.Suspend, EndpointBed.Web);
        Assert.Equal((3, 1), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.Resume, EndpointBed.Web);
        Assert.Equal((1, 5), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.ManagedSave, (EndpointBed.Web, 0u));
        Assert.Equal((5, 5), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        Assert.Equal((1, 3), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.Destroy, EndpointBed.Web);
        Assert.Equal((5, 2), await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u)));
        await client.CallAsync(DomainProcedures.Undefine, EndpointBed.Web);
        (int, int)[] expected = [(0, 0), (4, 0), (2, 0), (3, 0), (4, 0), (5, 4), (2, 2), (4, 2), (6, 2), (5, 1), (1, 0)];
        foreach (var (@event, detail) in expected)
        {
            var told = await watcher.ToldAsync(EventProcedures.Lifecycle, Cancellation);
            if ((told.Event, told.Detail) is (3, 0) && @event is 5)
            {
                // Whatever keeps the memory of a guest has it stand still first, which may be heard.
                told = await watcher.ToldAsync(EventProcedures.Lifecycle, Cancellation);
            }

            Assert.Equal((callback, "web", @event, detail), (told.Callback, told.Domain.Name, told.Event, told.Detail));
        }
    }

    [Fact]
    public async Task What_the_command_line_does_is_told_too()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (0, EndpointBed.Web));
        await client.CallAsync(ConnectionProcedures.GetUri, default);
        await bed.World.DefineAsync();
        Assert.Equal((0, 0), await NextAsync());
        await bed.World.StartAsync();
        Assert.Equal((2, 0), await NextAsync());
        await bed.World.SnapshotAsync("s");
        await bed.World.RunAsync(new RevertSnapshot(World.Name, "s", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Equal((5, 6), await NextAsync());
        Assert.Equal((2, 3), await NextAsync());
        Assert.Equal((4, 2), await NextAsync());
        Assert.Equal((0, 3), await NextAsync());

        // A checkpoint has its guest stand still for an instant, which is told, as libvirt tells it.
        async Task<(int, int)> NextAsync()
        {
            while (true)
            {
                var told = await client.ToldAsync(EventProcedures.Lifecycle, Cancellation);
                if ((told.Event, told.Detail) is not ((3, 0) or (4, 0)))
                {
                    return (told.Event, told.Detail);
                }
            }
        }
    }

    [Fact]
    public async Task Only_a_revert_is_told_as_one()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (0, EndpointBed.Web));
        await bed.World.DefineAsync();
        Assert.Equal((0, 0), await NextAsync());
        await bed.World.SnapshotExternalAsync("one");
        await bed.World.SnapshotExternalAsync("two");
        await client.CallAsync(DomainProcedures.SetAutostart, (EndpointBed.Web, true));
        await client.CallAsync(SnapshotProcedures.Delete, (new RemoteSnapshot("two", EndpointBed.Web), 0u));
        await client.CallAsync(SnapshotProcedures.Revert, (new RemoteSnapshot("one", EndpointBed.Web), 0u));
        Assert.Equal((0, 3), await NextAsync());
        await client.CallAsync(SnapshotProcedures.Delete, (new RemoteSnapshot("one", EndpointBed.Web), 0u));
        await client.CallAsync(DomainFigureProcedures.SetVcpusWithFlags, (EndpointBed.Web, 3u, 2u));
        Assert.Equal((0, 1), await NextAsync());

        await bed.World.StartAsync();
        Assert.Equal((4, 0), await NextAsync());
        Assert.Equal((2, 0), await NextAsync());
        await bed.World.RunAsync(new KillDomain(World.Name));
        await bed.World.StartAsync();
        (int, int)[] killedAndStarted = [(6, 2), (5, 1), (4, 0), (2, 0)];
        foreach (var expected in killedAndStarted)
        {
            Assert.Equal(expected, await NextAsync());
        }

        async Task<(int, int)> NextAsync()
        {
            var told = await client.ToldAsync(EventProcedures.Lifecycle, Cancellation);
            return (told.Event, told.Detail);
        }
    }

    [Fact]
    public async Task Notes_are_changed_while_a_guest_runs_and_whoever_asked_is_told()
    {
        const string Space = "http://example.org/x";
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        var callback = await client.CallAsync(EventProcedures.Register, (23, null));
        await client.CallAsync(EventProcedures.Register, (0, null));
        await client.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 1, "A title", (null, null), 1u));
        Assert.Equal((callback, 1, null), await NextAsync());
        await client.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 2, "<note a='1'>hi</note>", ("p", Space), 3u));
        Assert.Equal((callback, 2, Space), await NextAsync());
        Assert.Equal("A title", await client.CallAsync(DomainProcedures.GetMetadata, (EndpointBed.Web, 1, null, 0u)));
        Assert.Equal("<note a=\"1\">hi</note>", await client.CallAsync(DomainProcedures.GetMetadata, (EndpointBed.Web, 2, Space, 0u)));

        await bed.World.RunAsync(new EditDomain(World.Name, Description: "by the command line"));
        Assert.Equal((callback, 0, null), await NextAsync());
        await client.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 1, null, (null, null), 0u));
        Assert.Equal((callback, 1, null), await NextAsync());
        var missing = await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.GetMetadata, (EndpointBed.Web, 1, null, 0u)));
        Assert.Equal(80, missing.Code);

        async Task<(int, int, string?)> NextAsync()
        {
            var told = await client.ToldAsync(EventProcedures.MetadataChanged, Cancellation);
            return (told.Callback, told.Type, told.Namespace);
        }
    }

    [Fact]
    public async Task A_domain_that_is_off_has_no_live_notes_and_readers_change_none()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        var off = await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 1, "x", (null, null), 1u)));
        Assert.Equal((55, "Requested operation is not valid: domain is not running"), (off.Code, off.Message));
        Assert.Equal(8, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 3, "x", (null, null), 0u)))).Code);
        await using var reader = await bed.OpenAsync(readOnly: true);
        Assert.Equal(29, (await EndpointBed.RefusedAsync(reader.CallAsync(DomainProcedures.SetMetadata, (EndpointBed.Web, 1, "x", (null, null), 0u)))).Code);
    }

    [Fact]
    public async Task Sizes_change_while_a_domain_is_off()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(DomainFigureProcedures.SetMemoryWithFlags, (EndpointBed.Web, 64ul << 10, 2u | 4u));
        await client.CallAsync(DomainFigureProcedures.SetMemory, (EndpointBed.Web, 1024ul)).ContinueWith(t => Assert.True(t.IsFaulted), TaskScheduler.Default);
        await client.CallAsync(DomainFigureProcedures.SetMemoryWithFlags, (EndpointBed.Web, 48ul << 10, 2u));
        await client.CallAsync(DomainFigureProcedures.SetVcpusWithFlags, (EndpointBed.Web, 3u, 2u));
        var (_, most, current, vcpus, _) = await client.CallAsync(DomainFigureProcedures.GetInformation, EndpointBed.Web);
        Assert.Equal((64ul << 10, 48ul << 10, 3), (most, current, vcpus));
        await client.CallAsync(DomainFigureProcedures.SetMaximumMemory, (EndpointBed.Web, 32ul << 10));
        Assert.Equal(new ByteCount(32 << 20), (await bed.World.Open().ShowAsync(World.Name)).Definition.Memory);

        Assert.Equal(8, await RefusedAsync(DomainFigureProcedures.SetMemoryWithFlags, (EndpointBed.Web, 33ul << 10, 2u)));
        Assert.Equal(8, await RefusedAsync(DomainFigureProcedures.SetMemoryWithFlags, (EndpointBed.Web, ulong.MaxValue, 2u | 4u)));
        Assert.Equal(8, await RefusedAsync(DomainFigureProcedures.SetVcpusWithFlags, (EndpointBed.Web, 0u, 2u)));
        Assert.Equal(55, await RefusedAsync(DomainFigureProcedures.SetVcpusWithFlags, (EndpointBed.Web, 2u, 1u)));
        await bed.World.StartAsync();
        Assert.Equal(84, await RefusedAsync(DomainFigureProcedures.SetVcpusWithFlags, (EndpointBed.Web, 2u, 2u)));

        async Task<int> RefusedAsync<TAsked>(Procedure<TAsked, ValueTuple> procedure, TAsked asked) =>
            (await EndpointBed.RefusedAsync(client.CallAsync(procedure, asked))).Code;
    }

    [Fact]
    public async Task A_domain_can_end_with_the_connection_that_started_it()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (0, null));
        await bed.World.DefineAsync();
        await using (var other = await bed.OpenAsync())
        {
            await other.CallAsync(DomainProcedures.CreateWithFlags, (EndpointBed.Web, 2u));
            Assert.True(await other.CallAsync(DomainFigureProcedures.IsActive, EndpointBed.Web));
        }

        (int Callback, RemoteDomain Domain, int Event, int Detail) told;
        do
        {
            told = await client.ToldAsync(EventProcedures.Lifecycle, Cancellation);
        }
        while (told.Event != 5);
        Assert.False(await client.CallAsync(DomainFigureProcedures.IsActive, EndpointBed.Web));

        await using (var other = await bed.OpenAsync())
        {
            // One that was started anew since is not that connection's.
            await other.CallAsync(DomainProcedures.CreateWithFlags, (EndpointBed.Web, 2u));
            await client.CallAsync(DomainProcedures.Destroy, EndpointBed.Web);
            await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        }

        // What the server does when a client has gone it has done before it ends.
        await using (var other = await bed.OpenAsync())
        {
            await client.CallAsync(DomainProcedures.Destroy, EndpointBed.Web);
            await other.CallAsync(DomainProcedures.CreateWithFlags, (EndpointBed.Web, 2u));
            await bed.StopAsync();
        }

        Assert.Single(bed.World.Host.State.Processes);
    }

    [Fact]
    public async Task Saved_memory_has_a_definition_and_goes_on_as_it_was_told()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        var none = await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.GetManagedSaveXml, (EndpointBed.Web, 0u)));
        Assert.Equal((55, "Requested operation is not valid: domain does not have managed save image"), (none.Code, none.Message));
        Assert.Equal(8, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.ManagedSave, (EndpointBed.Web, 6u)))).Code);
        await client.CallAsync(DomainProcedures.ManagedSave, (EndpointBed.Web, 4u));
        Assert.Equal("web", XElement.Parse(await client.CallAsync(DomainProcedures.GetManagedSaveXml, (EndpointBed.Web, 0u))).Element("name")!.Value);
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        Assert.Equal(3, (await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u))).State);
        await client.CallAsync(DomainProcedures.ManagedSave, (EndpointBed.Web, 2u));
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        Assert.Equal(1, (await client.CallAsync(DomainFigureProcedures.GetState, (EndpointBed.Web, 0u))).State);
    }

    [Fact]
    public async Task Memory_that_was_saved_is_told()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (21, EndpointBed.Web));
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        await bed.World.SnapshotAsync("s");
        Assert.Equal(6, await OperationAsync());
        await client.CallAsync(DomainProcedures.ManagedSave, (EndpointBed.Web, 0u));
        Assert.Equal(2, await OperationAsync());

        async Task<object> OperationAsync()
        {
            var told = await client.ToldAsync(EventProcedures.JobCompleted, Cancellation);
            Assert.Contains(told.Figures, f => f.Field == "memory_total");
            return told.Figures.Single(f => f.Field == "operation").Value;
        }
    }

    [Fact]
    public async Task A_definition_shows_the_layer_that_each_disk_is_on()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        var head = bed.World.Catalog.Head.Disks[0].Layer;
        var chain = LayerGraph.Of(bed.World.Catalog).Chain(head);
        var active = XElement.Parse(await client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 0u)));
        var disk = active.Element("devices")!.Elements("disk").First();
        Assert.Equal(chain[0].Path, disk.Element("source")!.Attribute("file")!.Value);
        Assert.Equal(chain.Skip(1).Select(l => l.Path), disk.Descendants("backingStore").Elements("source").Attributes("file").Select(a => a.Value));
        Assert.Equal(
            (await client.CallAsync(DomainProcedures.LookupByName, "web")).Id.ToString(System.Globalization.CultureInfo.InvariantCulture),
            active.Attribute("id")!.Value);
        var inactive = XElement.Parse(await client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 2u)));
        Assert.Null(inactive.Attribute("id"));
        Assert.Empty(inactive.Descendants("backingStore"));
    }

    [Fact]
    public async Task Domains_are_listed_by_every_group_of_flags()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        foreach (var (flags, isListed) in new (uint, bool)[]
            {
                (0, true), (1, true), (2, false), (3, true), (4, true), (8, false), (16, true), (32, false), (64, false), (128, false), (256, false),
                (512, true), (1024, false), (2048, true), (4096, true), (8192, false), (16384, false), (32768, true), (1 | 16 | 4096, true), (1 | 32, false),
            })
        {
            var (domains, count) = await client.CallAsync(DomainProcedures.ListAll, (1, flags));
            Assert.True((domains.Length, (int)count) == (isListed ? (1, 1) : (0, 0)), $"flags {flags}");
        }

        Assert.Single(await client.CallAsync(DomainProcedures.List, 10));
        Assert.Empty(await client.CallAsync(DomainProcedures.ListDefined, 10));
    }

    [Fact]
    public async Task A_definition_whose_disks_were_kept_says_how_they_come_back()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: false);
        await using var client = await bed.OpenAsync();
        var xml = await client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 2u));
        Assert.Equal(55, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.Undefine, EndpointBed.Web))).Code);
        await client.CallAsync(DomainProcedures.UndefineWithFlags, (EndpointBed.Web, 2u));
        Assert.Empty((await client.CallAsync(DomainProcedures.ListAll, (1, 0u))).Domains);
        var error = await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.Define, xml));
        Assert.EndsWith($" {bed.World.Domain.Path}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_would_be_removed_with_another_domain_is_not_committed()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        Task<ValueTuple> CommitAsync(uint flags) =>
            client.CallAsync(JobProcedures.BlockCommit, (EndpointBed.Web, "vda", ((string?)null, (string?)null, 0ul), flags));

        Assert.Equal(8, (await EndpointBed.RefusedAsync(CommitAsync(0))).Code);
        var active = await EndpointBed.RefusedAsync(CommitAsync(4));
        Assert.Equal(55, active.Code);
        Assert.Contains("is what snapshot 'three' has of disk 'vda'", active.Message, StringComparison.Ordinal);
        var pull = await EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.BlockPull, (EndpointBed.Web, "vda", 0ul, 0u)));
        Assert.Contains("is what snapshot 'three' has of disk 'vda'", pull.Message, StringComparison.Ordinal);
        Assert.Equal((false, 0, 0ul, 0ul, 0ul), await client.CallAsync(JobProcedures.GetBlockJob, (EndpointBed.Web, "vda", 0u)));
    }

    [Fact]
    public async Task A_disk_comes_and_goes_and_nothing_else_does()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        const string Disk =
            "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/more.qcow2'/><target dev='vdc' bus='virtio'/></disk>";
        Assert.Equal(55, (await EndpointBed.RefusedAsync(client.CallAsync(DeviceProcedures.Attach, (EndpointBed.Web, Disk)))).Code);
        await client.CallAsync(DomainProcedures.Create, EndpointBed.Web);
        await client.CallAsync(DeviceProcedures.Attach, (EndpointBed.Web, Disk));
        Assert.Equal(["vda", "vdb", "vdc"], bed.World.Catalog.Head.Disks.Select(d => d.Target));
        Assert.Equal(84, (await EndpointBed.RefusedAsync(client.CallAsync(DeviceProcedures.DetachWithFlags, (EndpointBed.Web, Disk, 2u)))).Code);
        await client.CallAsync(DeviceProcedures.DetachWithFlags, (EndpointBed.Web, Disk, 3u));
        Assert.Equal(["vda", "vdb"], bed.World.Catalog.Head.Disks.Select(d => d.Target));
        Assert.Equal(84, (await EndpointBed.RefusedAsync(client.CallAsync(DeviceProcedures.Attach, (EndpointBed.Web, "<rng/>")))).Code);
        Assert.Equal(27, (await EndpointBed.RefusedAsync(client.CallAsync(DeviceProcedures.Attach, (EndpointBed.Web, "<disk>")))).Code);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;
}
