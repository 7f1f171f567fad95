using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class SealTests
{
    [Fact]
    public void Every_device_of_a_pc_gets_its_place()
    {
        var devices = Seal(
            "pc",
            """
            <disk><source file='/a'/><target dev='vda'/></disk>
            <disk device='cdrom'><target dev='hda' bus='ide'/></disk>
            <interface type='user'/>
            <video><model type='vga'/></video>
            <rng model='virtio'><backend model='builtin'/></rng>
            <memballoon model='virtio'/>
            <channel type='unix'><target type='virtio' name='a'/></channel>
            <console type='pty'><target type='virtio'/></console>
            <disk><source file='/b'/><target dev='sda' bus='sata'/></disk>
            <disk><source file='/c'/><target dev='sdb' bus='scsi'/></disk>
            <input type='tablet' bus='usb'/>
            """);

        Assert.Equal(
            [
                "disk 'vda' 00:03.0", "cdrom 'hda' 0:0:0:0", "interface 00:04.0", "video 00:02.0", "rng 00:05.0", "memballoon 00:06.0",
                "channel 'a' 0:0:1", "console 0 0:0:0", "disk 'sda' 0:0:0:0", "disk 'sdb' 0:0:0:0", "input tablet 0:1",
                "usb controller 0 00:07.0", "ide controller 0 00:01.1", "sata controller 0 00:08.0", "scsi controller 0 00:09.0",
                "virtio-serial controller 0 00:0a.0",
            ],
            devices.Select(d => $"{d.Label} {d.Address}"));
    }

    [Fact]
    public void Every_device_of_a_q35_gets_its_place()
    {
        var devices = Seal(
            "q35",
            """
            <controller type='pci' index='0' model='pcie-root'/>
            <controller type='pci' index='1' model='pcie-root-port'/>
            <disk><source file='/a'/><target dev='vda'/><address type='pci' bus='0x01' slot='0x00' function='0x0'/></disk>
            <disk device='cdrom'><target dev='sda' bus='sata'/></disk>
            <video><model type='none'/></video>
            <memballoon model='none'/>
            <interface type='user'/>
            """);

        Assert.Equal(
            [
                "pci controller 0 ", "pci controller 1 00:03.0", "disk 'vda' 01:00.0", "cdrom 'sda' 0:0:0:0", "video ", "memballoon ",
                "interface 00:04.0", "sata controller 0 00:1f.2",
            ],
            devices.Select(d => $"{d.Label} {d.Address}"));
        Assert.Equal((1, 3 << 3), devices.OfType<ControllerDevice>().Where(c => c.Index == 1).Select(c => (c.Chassis, c.Port)).Single());
    }

    [Fact]
    public void Given_addresses_stay_and_are_avoided()
    {
        var devices = Seal(
            "pc",
            """
            <interface type='user'/>
            <disk><source file='/a'/><target dev='vda'/><address type='pci' slot='0x03' function='0x1'/></disk>
            <hostdev><address type='pci' slot='0x04'/></hostdev>
            <controller type='usb' model='piix3-uhci'><address type='pci' slot='0x01' function='0x2'/></controller>
            """);

        Assert.Equal(["interface 00:05.0", "disk 'vda' 00:03.1", "<hostdev> 00:04.0", "usb controller 0 00:01.2"], devices.Select(d => $"{d.Label} {d.Address}"));
    }

    [Fact]
    public void Serial_ports_and_consoles_are_numbered()
    {
        var devices = Seal("pc", "<serial type='pty'><target port='0'/></serial><serial type='pty'/><console type='pty'/>");

        Assert.Equal([0, 1, 0], devices.OfType<CharacterDevice>().Select(c => c.Port));
    }

    [Fact]
    public void Drives_that_do_not_fit_one_controller_go_on_the_next()
    {
        var disks = string.Concat("abcdefg".Select(c => $"<disk><source file='/{c}'/><target dev='sd{c}' bus='sata'/></disk>"));
        var devices = Seal("q35", disks);

        Assert.Equal(new DriveAddress(1, 0, 0, 0), devices[6].Address);
        Assert.Equal([0, 1], devices.OfType<ControllerDevice>().Select(c => c.Index));
    }

    [Theory]
    [InlineData(
        "pc", "<rng model='virtio'><backend model='builtin'/><address type='pci' slot='0x05'/></rng><interface type='user'><address type='pci' slot='5'/></interface>",
        "rng and interface have the same address 00:05.0")]
    [InlineData(
        "pc", "<interface type='user'><address type='pci' slot='1'/></interface>", "the machine's ISA bridge and interface have the same address 00:01.0")]
    [InlineData(
        "pc", "<hostdev><address type='pci' slot='5'/></hostdev><interface type='user'><address type='pci' slot='5'/></interface>",
        "<hostdev> and interface have the same address")]
    [InlineData("q35", "<interface type='user'><address type='pci' slot='0x1f' function='2'/></interface>", "the machine's drive controller and interface")]
    [InlineData("pc", "<interface type='user'><address type='pci' bus='1' slot='1'/></interface>", "the address 01:01.0 is not a PCI slot of this machine")]
    [InlineData("pc", "<interface type='user'><address type='usb' bus='0' port='1'/></interface>", "the address 0:1 is not a PCI slot")]
    [InlineData(
        "pc", "<disk device='cdrom'><target dev='hda'/><address type='drive' unit='2'/></disk>", "the address 0:0:0:2 is not a place on the ide bus")]
    [InlineData("q35", "<disk device='cdrom'><target dev='hda'/></disk>", "the machine q35 has no IDE controller; use bus='sata'")]
    [InlineData("q35", "<controller type='ide'/>", "the machine q35 has no such IDE controller")]
    [InlineData("pc", "<controller type='pci' index='1' model='pcie-root-port'/>", "the machine pc has no PCI Express")]
    [InlineData("pc", "<controller type='ide'><address type='pci' slot='9'/></controller>", "the machine pc has it at 00:01.1, not at 00:09.0")]
    [InlineData("pc", "<watchdog model='itco'/>", "watchdog itco: the machine pc has none; use model='i6300esb'")]
    [InlineData(
        "q35",
        "<controller type='virtio-serial' ports='1'/><channel type='unix'><target type='virtio' name='a'/><address type='virtio-serial' port='1'/></channel>",
        "the address 0:0:1 is not a virtio-serial port")]
    [InlineData(
        "pc", "<controller type='usb' model='none'/><input type='tablet' bus='usb'/>", "there is no room for it: it needs a USB port")]
    [InlineData(
        "pc", "<serial type='pty'><target port='1'/></serial><serial type='null'><target port='1'/></serial>", "serial 1 and serial 1 have the same address 1")]
    [InlineData(
        "pc", "<channel type='unix'><target type='virtio' name='a'/><address type='virtio-serial' controller='0' port='0'/></channel>",
        "the address 0:0:0 is not a virtio-serial port")]
    public void A_place_that_cannot_be_is_refused(string machine, string devices, string problem)
    {
        var error = Assert.Throws<CoppiceException>(() => Seal(machine, devices));

        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_devices_than_slots_are_refused()
    {
        var cards = string.Concat(Enumerable.Repeat("<interface type='user'/>", 30));

        Assert.Contains("there is no room for it: it needs a PCI slot", Assert.Throws<CoppiceException>(() => Seal("pc", cards)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_that_nobody_knows_is_refused() =>
        Assert.Equal(ErrorKind.MissingCapability, Assert.Throws<CoppiceException>(() => Seal("microvm", "")).Kind);

    private static ValueList<Device> Seal(string machine, string devices)
    {
        var definition = DomainXml.Parse(Documents.With(devices));
        return DomainSeal.AssignAddresses(definition with { Os = definition.Os with { Machine = machine } }).Devices;
    }
}
