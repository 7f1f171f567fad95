using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class VirtInstallTests
{
    public static TheoryData<string> All => [VirtInstall.Pc(), VirtInstall.Q35(), VirtInstall.Desktop(), VirtInstall.Uefi(), VirtInstall.Tpm()];

    [Theory, MemberData(nameof(All))]
    public void Nothing_prevents_it_from_being_started(string document) => Assert.Empty(DomainXml.Parse(document).Obstacles);

    [Theory, MemberData(nameof(All))]
    public async Task It_is_read_written_and_sealed_without_loss(string document)
    {
        var definition = DomainXml.Parse(document);
        var decided = DomainSeal.AssignAddresses(definition);

        Assert.Equal(definition, DomainXml.Parse(DomainXml.Format(definition)));
        Assert.Equal(decided, DomainXml.Parse(DomainXml.Format(decided)));
        Assert.Equal(decided, DomainSeal.AssignAddresses(decided));
        Assert.Equal(definition.Obstacles, decided.Obstacles);
        Assert.Contains("""<libosinfo:os id="http://debian.org/debian/12" />""", DomainXml.Format(decided), StringComparison.Ordinal);
        await LibvirtSchema.AssertValidAsync("domain.rng", [document, DomainXml.Format(definition), DomainXml.Format(decided)]);
    }

    [Fact]
    public void Sleep_states_topology_and_VMwares_port_are_read()
    {
        var (pc, desktop) = (DomainXml.Parse(VirtInstall.Pc()), DomainXml.Parse(VirtInstall.Desktop()));

        Assert.Equal(new SleepStates(ToMemory: false, ToDisk: false), pc.Sleep);
        Assert.Equal(new CpuTopology(Sockets: 1, Dies: 1, Cores: 1, Threads: 2), pc.Topology);
        Assert.Null(pc.VmwarePort);
        Assert.False(desktop.VmwarePort);
        Assert.Null(desktop.Topology);
    }

    [Fact]
    public void Controllers_are_numbered_as_libvirt_does()
    {
        Assert.Equal(
            ["usb controller 0", "usb controller 0 (ich9-uhci1)", "usb controller 0 (ich9-uhci2)", "usb controller 0 (ich9-uhci3)"],
            DomainXml.Parse(VirtInstall.Pc()).Devices.OfType<ControllerDevice>().Select(c => c.Label));
        Assert.Equal(
            Enumerable.Range(0, 15),
            DomainXml.Parse(VirtInstall.Q35()).Devices.OfType<ControllerDevice>().Where(c => c.Kind == ControllerKind.Pci).Select(c => c.Index));
    }

    [Fact]
    public void Numbers_that_are_given_stay_and_a_second_ICH9_gets_one_of_its_own()
    {
        var definition = DomainXml.Parse(Documents.With(
            """
            <controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>
            <controller type='usb' index='1' model='qemu-xhci'/>
            <controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>
            """));

        Assert.Equal([0, 0, 1, 2, 2], definition.Devices.OfType<ControllerDevice>().Select(c => c.Index));
    }

    [Fact]
    public void The_devices_of_a_pc_get_their_places_and_the_console_its_serial_port() => Assert.Equal(
        [
            "disk 'hda' 0:0:0:0", "usb controller 0 00:03.7", "usb controller 0 (ich9-uhci1) 00:03.0+",
            "usb controller 0 (ich9-uhci2) 00:03.1", "usb controller 0 (ich9-uhci3) 00:03.2", "interface '52:54:00:6b:3c:58' 00:04.0",
            "console 0 ", "input tablet 0:1", "graphics ", "video 00:02.0", "serial 0 ", "ide controller 0 00:01.1",
        ],
        Places(VirtInstall.Pc()));

    [Fact]
    public void The_devices_of_a_q35_sit_behind_its_ports_and_the_network_card_behind_the_first() => Assert.Equal(
        [
            "disk 'vda' 02:00.0", "usb controller 0 03:00.0", "interface '52:54:00:6b:3c:59' 01:00.0", "console 0 ", "channel 'org.qemu.guest_agent.0' 0:0:1",
            "input tablet 0:1", "graphics ", "video 00:02.0", "memballoon 04:00.0", "rng 05:00.0", "sound 00:11.0", "<audio> ",
            "watchdog i6300esb 00:12.0", "serial 0 ", "virtio-serial controller 0 06:00.0",
        ],
        Places(VirtInstall.Desktop()).Where(p => !p.StartsWith("pci ", StringComparison.Ordinal)));

    private static IEnumerable<string> Places(string document) => DomainSeal.AssignAddresses(DomainXml.Parse(document)).Devices
        .Select(d => $"{d.Label} {d.Address}{(d.Address is PciAddress { Multifunction: true } ? "+" : "")}");
}
