using System.Text.Json.Nodes;
using Coppice.Live.Qemu;

namespace Coppice.Live.Clients;

/// <summary>What cockpit's page of machines asks libvirt-dbus, and libvirt-dbus asks <c>coppice serve</c>.</summary>
public sealed class LibvirtBusTests
{
    private const string Domain = "Domain", Snapshot = "DomainSnapshot", Connect = "Connect";

    [Fact]
    public async Task The_page_of_machines_is_filled()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("archive");
        await served.DefineAsync("web");
        await served.Home.DoAsync("start", "web");
        await using var bus = await LibvirtBus.StartAsync(served);
        var paths = (await bus.CallAsync(LibvirtBus.Root, Connect, "ListDomains", "u", "0"))!.AsArray();
        var names = await Task.WhenAll(paths.Select(async p => (string)(await bus.PropertiesAsync((string)p!, Domain))["Name"]!));
        Assert.Equal(["archive", "web"], names.Order(StringComparer.Ordinal));

        var web = await bus.FindAsync("web");
        var properties = await bus.PropertiesAsync(web, Domain);
        Assert.Equal(("web", "hvm"), ((string?)properties["Name"], (string?)properties["OSType"]));
        Assert.Equal((true, false, true), (Is("Active"), Is("Autostart"), Is("Persistent")));
        Assert.Equal("[1,1]", (await bus.CallAsync(web, Domain, "GetState", "u", "0"))!.ToJsonString());
        Assert.Contains("<name>web</name>", (string)(await bus.CallAsync(web, Domain, "GetXMLDesc", "u", "0"))!, StringComparison.Ordinal);
        var figures = (await bus.CallAsync(web, Domain, "GetStats", "uu", "127", "0"))!;
        Assert.True((ulong)figures["cpu.time"]! > 0);
        Assert.Contains("<os_type>hvm</os_type>", (string)(await bus.CallAsync(LibvirtBus.Root, Connect, "GetCapabilities"))!, StringComparison.Ordinal);
        foreach (var other in new[] { "ListNetworks", "ListStoragePools", "ListNodeDevices", "ListInterfaces" })
        {
            Assert.Empty((await bus.CallAsync(LibvirtBus.Root, Connect, other, "u", "0"))!.AsArray());
        }

        bool Is(string name) => (bool)properties[name]!;
    }

    [Fact]
    public async Task The_buttons_of_a_machine_do_what_they_say_and_signals_tell_so()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        await using var bus = await LibvirtBus.StartAsync(served);
        var web = await bus.FindAsync("web");
        await bus.CallAsync(web, Domain, "Create", "u", "0");
        Assert.Equal("running", await served.StateAsync("web"));
        await bus.CallAsync(web, Domain, "Suspend");
        Assert.Equal("paused", await served.StateAsync("web"));
        await bus.CallAsync(web, Domain, "Resume");
        await bus.CallAsync(web, Domain, "Reset", "u", "0");
        await bus.HearAsync($"{web}: org.libvirt.Domain.Reboot ()");
        await bus.CallAsync(web, Domain, "Reboot", "u", "0");
        await bus.CallAsync(web, Domain, "Shutdown", "u", "0");
        await bus.CallAsync(web, Domain, "Destroy", "u", "0");
        Assert.Equal("off", await served.StateAsync("web"));

        // Undefining what has snapshots is asked with the flags that cockpit gives: managed save, snapshots, NVRAM.
        await served.Home.DoAsync("snapshot", "create", "web", "one");
        await bus.CallAsync(web, Domain, "Undefine", "u", "7");
        Assert.Empty(JsonNode.Parse(await served.Home.DoAsync("list", "--json"))!["domains"]!.AsArray());
        await bus.HearAsync(Told(2, 0), Told(3, 0), Told(4, 0), Told(5, 1), Told(1, 0));

        string Told(int @event, int detail) => $"org.libvirt.Connect.DomainEvent (objectpath '{web}', {@event}, {detail})";
    }

    [Fact]
    public async Task Snapshots_are_taken_listed_reverted_to_and_deleted()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        await served.Home.DoAsync("start", "web");
        await using var bus = await LibvirtBus.StartAsync(served);
        var web = await bus.FindAsync("web");
        var one = await TakeAsync("one");
        var two = await TakeAsync("two");
        Assert.Equal(["one < ", "two < one *"], await served.SnapshotsAsync("web"));
        var listed = (await bus.CallAsync(web, Domain, "ListDomainSnapshots", "u", "0"))!.AsArray();
        Assert.Equal([one, two], listed.Select(s => (string)s!).Order(StringComparer.Ordinal));
        Assert.Equal(one, (string?)await bus.CallAsync(two, Snapshot, "GetParent", "u", "0"));
        Assert.Contains("<description>of two</description>", (string)(await bus.CallAsync(two, Snapshot, "GetXMLDesc", "u", "0"))!, StringComparison.Ordinal);

        await bus.CallAsync(one, Snapshot, "Revert", "u", "0");
        Assert.Equal(["one <  *", "two < one"], await served.SnapshotsAsync("web"));
        Assert.Equal((true, false), (await IsCurrentAsync(one), await IsCurrentAsync(two)));
        await bus.CallAsync(one, Snapshot, "Delete", "u", "0");
        Assert.Equal(["two < "], await served.SnapshotsAsync("web"));
        Assert.Equal("running", await served.StateAsync("web"));

        async Task<string> TakeAsync(string name) => (string)(await bus.CallAsync(
            web, Domain, "SnapshotCreateXML", "su", $"<domainsnapshot><name>{name}</name><description>of {name}</description></domainsnapshot>", "0"))!;

        async Task<bool> IsCurrentAsync(string snapshot) => (bool)(await bus.CallAsync(snapshot, Snapshot, "IsCurrent", "u", "0"))!;
    }

    private static async Task<ServedHome> StartAsync()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        LibvirtBus.Require();
        return await ServedHome.StartAsync();
    }
}
