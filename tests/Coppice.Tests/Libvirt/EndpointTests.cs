using System.Diagnostics;
using Coppice.Contracts.Libvirt;
using Coppice.Core;
using Coppice.Libvirt.Wire;
using Coppice.Tests.Engine;

namespace Coppice.Tests.Libvirt;

/// <summary>Who connects, what is asked before anything is opened, and what is no protocol at all.</summary>
public sealed class EndpointTests
{
    private const int UnknownProcedure = 39, NotOpen = 1, Denied = 29, NoDomain = 42;

    private static readonly FrameHeader s_call = new(Programs.Remote, 1, 0, FrameType.Call, 0, FrameStatus.Ok);

    [Fact]
    public async Task A_client_that_has_opened_nothing_is_told_so_and_may_go_on()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await WireClient.ConnectAsync(bed.Socket);
        Assert.Equal([0], await client.CallAsync(ConnectionProcedures.AuthList, default));
        var error = await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.LookupByName, "web"));
        Assert.Equal((NotOpen, "internal error: hypervisor connection not open"), (error.Code, error.Message));
        Assert.True(await client.CallAsync(ConnectionProcedures.SupportsFeature, 10));
        await client.CallAsync(ConnectionProcedures.Open, (null, 0u));
        Assert.Equal(NoDomain, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.LookupByName, "web"))).Code);
    }

    [Fact]
    public async Task What_is_not_known_is_answered_as_libvirt_does_so_that_clients_fall_back()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await bed.OpenAsync();
        var procedure = await EndpointBed.RefusedAsync(client.CallAsync(s_call with { Procedure = 4711 }, default));
        Assert.Equal((UnknownProcedure, 7, 2, "unknown procedure: 4711"), (procedure.Code, procedure.Domain, procedure.Level, procedure.Message));
        var program = await EndpointBed.RefusedAsync(client.CallAsync(s_call with { Program = 0x1234 }, default));
        Assert.Equal((UnknownProcedure, "Cannot find program 4660 version 1"), (program.Code, program.Message));
        var payload = await EndpointBed.RefusedAsync(client.CallAsync(s_call with { Procedure = 23 }, new byte[] { 0, 0, 0, 9, 1 }));
        Assert.Equal((UnknownProcedure, "Unable to decode message payload"), (payload.Code, payload.Message));
        Assert.Equal("QEMU", await client.CallAsync(ConnectionProcedures.GetHypervisorType, default));
    }

    [Fact]
    public async Task Who_may_only_read_can_change_nothing_by_either_socket()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var byFlag = await bed.OpenAsync(readOnly: true);
        await using var bySocket = await WireClient.OpenAsync(bed.ReadOnlySocket);
        foreach (var client in new[] { byFlag, bySocket })
        {
            Assert.Equal(EndpointBed.Web, await client.CallAsync(DomainProcedures.LookupByName, "web"));
            Assert.Equal(Denied, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.Create, EndpointBed.Web))).Code);
            Assert.Equal(Denied, (await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.Create, (EndpointBed.Web, "<domainsnapshot/>", 0u)))).Code);
            Assert.Equal(Denied, (await EndpointBed.RefusedAsync(client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 1u)))).Code);
        }

        Assert.Null(bed.World.Catalog.Head.Process);
    }

    [Fact]
    public async Task A_ping_is_answered()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var client = await WireClient.ConnectAsync(bed.Socket);
        var ping = new FrameHeader(Programs.KeepAlive, 1, KeepAlive.Ping, FrameType.Message, 0, FrameStatus.Ok);
        await client.SendAsync(new Frame(ping, default));
        Assert.Equal(ping with { Procedure = KeepAlive.Pong }, (await client.ToldAsync(Cancellation)).Header);
    }

    [Fact]
    public async Task Whoever_breaks_the_protocol_is_dropped_and_nobody_else_is()
    {
        await using var bed = await EndpointBed.StartAsync();
        await using var other = await bed.OpenAsync();
        foreach (var bytes in new[] { "00000004", "FFFFFFFF", "0000001C200080860000000100000042000000090000000000000000" })
        {
            await using var client = await bed.OpenAsync();
            await client.SendAsync(Convert.FromHexString(bytes));
            await client.Ended;
        }

        Assert.Equal("QEMU", await other.CallAsync(ConnectionProcedures.GetHypervisorType, default));
    }

    [Fact]
    public async Task Two_hundred_that_wait_keep_twenty_that_work_from_nothing()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        var idle = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => bed.OpenAsync()));
        var busy = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => bed.OpenAsync()));
        await Task.WhenAll(busy.Select(async client =>
        {
            for (var i = 0; i < 20; i++)
            {
                await client.CallAsync(SnapshotProcedures.ListAll, (EndpointBed.Web, 1, 0u));
                await client.CallAsync(DomainProcedures.GetXml, (EndpointBed.Web, 0u));
            }
        }));
        foreach (var client in idle.Concat(busy))
        {
            Assert.True(await client.CallAsync(ConnectionProcedures.IsSecure, default));
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_client_that_goes_away_in_the_middle_has_its_snapshot_taken_all_the_same()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using (var client = await bed.OpenAsync())
        {
            var asked = SnapshotProcedures.Create.Asked.Encode((EndpointBed.Web, "<domainsnapshot><name>s</name></domainsnapshot>", 0u));
            await client.SendAsync(new Frame(s_call with { Procedure = SnapshotProcedures.Create.Number, Serial = 9 }, asked));
        }

        var waiting = Stopwatch.StartNew();
        while (bed.World.Catalog.Snapshots.Count == 0 && waiting.Elapsed < TimeSpan.FromSeconds(20))
        {
            await Task.Delay(10, Cancellation);
        }

        Assert.Equal("s", Assert.Single(bed.World.Catalog.Snapshots.Values).Name);
    }

    [Fact]
    public async Task A_socket_that_a_dead_server_left_is_taken_and_that_of_a_living_one_is_not()
    {
        await using var bed = await EndpointBed.StartAsync();
        var error = await HomeTests.FailAsync(() => new Coppice.Server.LibvirtServer(
            bed.World.Open(), new() { Socket = bed.Socket, Ids = new IdSource(_ => { }) }, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)
            .RunAsync(() => { }, Cancellation));
        Assert.Equal((ErrorKind.AlreadyExists, "somebody answers there already"), (error.Kind, error.Problem));
        await bed.StopAsync();
        Assert.False(File.Exists(bed.Socket));
        using (var dead = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0))
        {
            dead.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(bed.Socket));
        }

        if (!File.Exists(bed.Socket))
        {
            return;
        }

        using var stop = new CancellationTokenSource();
        var again = new Coppice.Server.LibvirtServer(
            bed.World.Open(), new() { Socket = bed.Socket, Ids = new IdSource(_ => { }) }, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => again.RunAsync(stop.Cancel, stop.Token));
    }

    [Fact]
    public async Task A_file_that_is_no_socket_is_left_alone()
    {
        using var world = new World();
        var path = $"{world.Path1}.disk";
        await File.WriteAllTextAsync(path, "data", Cancellation);
        var error = await HomeTests.FailAsync(() => new Coppice.Server.LibvirtServer(
            world.Open(), new() { Socket = path, Ids = new IdSource(_ => { }) }, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)
            .RunAsync(() => { }, Cancellation));
        Assert.Equal((ErrorKind.AlreadyExists, "is a file and no socket"), (error.Kind, error.Problem));
        Assert.Equal("data", await File.ReadAllTextAsync(path, Cancellation));
        File.Delete(path);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;
}
