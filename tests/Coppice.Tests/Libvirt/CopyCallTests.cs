using System.Collections.Immutable;
using Coppice.Contracts.Libvirt;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Tests.Libvirt;

/// <summary>virsh blockcopy and blockcommit --active, as they are called.</summary>
public sealed class CopyCallTests
{
    private const int Copy = 2, ActiveCommit = 4;
    private const int Completed = 0, Cancelled = 2, Ready = 3;
    private const uint Shallow = 1, Reuse = 2, TransientJob = 4, Pivot = 2;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Pivot, Completed)]
    [InlineData(0u, Cancelled)]
    public async Task A_disk_is_copied_its_watchers_are_told_and_whoever_asked_says_how_it_ends(uint end, int told)
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        var before = Head(bed);
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (16, EndpointBed.Web));
        await client.CallAsync(JobProcedures.BlockCopy, (EndpointBed.Web, "vda", Disk("/copies/a.qcow2"), [new TypedParameter("granularity", 65536u)], TransientJob));
        var (found, type, _, current, last) = await InfoAsync(client);
        Assert.True(found && type is Copy && current < last);
        Assert.Equal(83, (await EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.AbortBlockJob, (EndpointBed.Web, "vda", Pivot)))).Code);
        Assert.Equal(83, (await EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.BlockPull, (EndpointBed.Web, "vda", 0ul, 0u)))).Code);
        Assert.Contains("<mirror type='file' file='/copies/a.qcow2' format='qcow2' job='copy'>", await XmlAsync(client), StringComparison.Ordinal);

        Tick(bed);
        Assert.Equal(("vda", Copy, Ready), await ToldAsync(client));
        (found, type, _, current, last) = await InfoAsync(client);
        Assert.True(found && current == last);
        Assert.Contains("job='copy' ready='yes'", await XmlAsync(client), StringComparison.Ordinal);

        await client.CallAsync(JobProcedures.AbortBlockJob, (EndpointBed.Web, "vda", end));
        Assert.Equal(("vda", Copy, told), await ToldAsync(client));
        Assert.Equal((false, 0, 0ul, 0ul, 0ul), await InfoAsync(client));
        Assert.Equal(end is Pivot ? "/copies/a.qcow2" : before, Head(bed));
        Assert.True(bed.World.Host.State.Images.ContainsKey("/copies/a.qcow2"));
        Assert.DoesNotContain("<mirror", await XmlAsync(client), StringComparison.Ordinal);
        Assert.Contains($"<source file='{Head(bed)}'", await XmlAsync(client), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_guest_writes_to_is_committed_and_it_goes_over()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await bed.World.StartAsync();
        await bed.World.RunAsync(new CreateSnapshot(Engine.World.Name) { DiskOnly = true, NoMetadata = true });
        await using var client = await bed.OpenAsync();
        await client.CallAsync(EventProcedures.Register, (16, EndpointBed.Web));
        await client.CallAsync(JobProcedures.BlockCommit, (EndpointBed.Web, "vda", ((string?)null, (string?)null, 5ul), 4u));
        Assert.Equal((true, ActiveCommit), (await InfoAsync(client)) is var info ? (info.Found, info.Type) : default);
        Tick(bed);
        Assert.Equal(("vda", ActiveCommit, Ready), await ToldAsync(client));
        Assert.Contains("<mirror type='file' job='active-commit' ready='yes'>", await XmlAsync(client), StringComparison.Ordinal);
        await client.CallAsync(JobProcedures.AbortBlockJob, (EndpointBed.Web, "vda", Pivot));
        Assert.Equal(("vda", ActiveCommit, Completed), await ToldAsync(client));
        Assert.Equal("/images/web-a.qcow2", Head(bed));
    }

    [Fact]
    public async Task What_cannot_be_copied_to_is_refused_with_libvirts_errors()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        Task<RemoteError> RefusedAsync(string xml, uint flags, params ImmutableArray<TypedParameter> parameters) =>
            EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.BlockCopy, (EndpointBed.Web, "vda", xml, parameters, flags)));

        Assert.Equal("Requested operation is not valid: domain is not transient", (await RefusedAsync(Disk("/copies/a"), 0)).Message);
        Assert.Equal(67, (await RefusedAsync(Disk("/copies/a", "bogus"), TransientJob)).Code);
        Assert.Equal(84, (await RefusedAsync("<disk type='network'><source protocol='nbd'/></disk>", TransientJob)).Code);
        Assert.Equal(27, (await RefusedAsync("<disk", TransientJob)).Code);
        Assert.Equal(8, (await RefusedAsync(Disk("a"), TransientJob)).Code);
        Assert.Equal(8, (await RefusedAsync(Disk("/copies/a"), TransientJob, new TypedParameter("colour", 1u))).Code);
        Assert.Equal(8, (await RefusedAsync(Disk("/copies/a"), TransientJob, new TypedParameter("bandwidth", "much"))).Code);
        Assert.Equal(
            "missing destination file for disk vda: /copies/a: No such file or directory",
            (await RefusedAsync(Disk("/copies/a"), TransientJob | Reuse | Shallow)).Message);
        Assert.Equal(8, (await RefusedAsync(Disk("/copies/a"), 64)).Code);
        Assert.Equal(8, (await EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.BlockRebase, (EndpointBed.Web, "vda", (string?)null, 0ul, 8u)))).Code);
        Assert.Equal(8, (await EndpointBed.RefusedAsync(client.CallAsync(JobProcedures.AbortBlockJob, (EndpointBed.Web, "vda", Pivot)))).Code);
        Assert.Empty(bed.World.Catalog.Mirrors);
    }

    [Fact]
    public async Task A_rebase_that_is_a_copy_is_one()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.RunAsync(new RunTransient(Engine.World.Definition(), Paused: false));
        await using var client = await bed.OpenAsync();
        await client.CallAsync(JobProcedures.BlockRebase, (EndpointBed.Web, "vda", "/copies/a.raw", 0ul, 8u | 4u));
        var mirror = Assert.Single(bed.World.Catalog.Mirrors);
        Assert.Equal((MirrorKind.Whole, ImageFormat.Raw), (mirror.Kind, LayerGraph.Of(bed.World.Catalog)[mirror.Target].Format));
        await client.CallAsync(DomainProcedures.Destroy, EndpointBed.Web);
        Assert.False(bed.World.Host.State.Images.ContainsKey("/copies/a.raw"));
    }

    private static string Disk(string path, string? format = null) =>
        $"<disk type='file'><source file='{path}'/>{(format is null ? "" : $"<driver type='{format}'/>")}</disk>";

    private static string Head(EndpointBed bed) => LayerGraph.Of(bed.World.Catalog)[bed.World.Catalog.Head.Disks[0].Layer].Path;

    private static void Tick(EndpointBed bed)
    {
        for (var tick = 0; tick < 5; tick++)
        {
            bed.World.Host.Tick();
        }
    }

    private static Task<(bool Found, int Type, ulong Bandwidth, ulong Current, ulong End)> InfoAsync(WireClient client) =>
        client.CallAsync(JobProcedures.GetBlockJob, (EndpointBed.Web, "vda", 0u));

    private static Task<string> XmlAsync(WireClient client) => client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 0u));

    private static async Task<(string Target, int Type, int Status)> ToldAsync(WireClient client)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        var told = await client.ToldAsync(EventProcedures.BlockJobByTarget, limit.Token);
        return (told.Target, told.Type, told.Status);
    }
}
