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
        Assert.Equal(ErrorKind.MissingCapability, Assert.Throws<CoppiceException>(() => Seal("isapc", "")).Kind);

    [Fact]
    public async Task Every_virtio_device_of_a_microvm_gets_a_transport_and_keeps_it_in_the_document()
    {
        var devices = Seal(
            "microvm",
            """
            <disk><source file='/a'/><target dev='vda'/></disk>
            <interface type='user'/>
            <disk><source file='/b'/><target dev='sda' bus='scsi'/></disk>
            <controller type='usb' model='none'/>
            <rng model='virtio'><backend model='builtin'/></rng>
            <memballoon model='virtio'/>
            <channel type='unix'><target type='virtio' name='a'/></channel>
            <serial type='pty'/>
            """);

        Assert.Equal(
            [
                "disk 'vda' virtio-mmio", "interface virtio-mmio", "disk 'sda' 0:0:0:0", "usb controller 0 ", "rng virtio-mmio",
                "memballoon virtio-mmio", "channel 'a' 0:0:1", "serial 0 ", "scsi controller 0 virtio-mmio",
                "virtio-serial controller 0 virtio-mmio",
            ],
            devices.Select(d => $"{d.Label} {d.Address}"));
        var sealed_ = DomainXml.Parse(Documents.With("")) with { Devices = devices };
        Assert.Equal(sealed_, DomainXml.Parse(DomainXml.Format(sealed_)));
        await LibvirtSchema.AssertValidAsync("domain.rng", [DomainXml.Format(sealed_)]);
    }

    [Theory]
    [InlineData("<disk><source file='/a'/><target dev='sda' bus='sata'/></disk>", "disk 'sda'")]
    [InlineData("<disk device='cdrom'><target dev='hda' bus='ide'/></disk>", "cdrom 'hda'")]
    [InlineData("<interface type='user'><model type='e1000'/></interface>", "interface")]
    [InlineData("<video><model type='vga'/></video>", "video")]
    [InlineData("<graphics type='vnc'/>", "graphics")]
    [InlineData("<input type='tablet' bus='usb'/>", "input tablet")]
    [InlineData("<sound model='ich9'/>", "sound")]
    [InlineData("<watchdog model='i6300esb'/>", "watchdog i6300esb")]
    [InlineData("<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", "tpm")]
    [InlineData("<controller type='pci' index='0' model='pcie-root'/>", "pci controller 0")]
    [InlineData("<controller type='usb' model='qemu-xhci'/>", "usb controller 0")]
    public void What_a_microvm_lacks_is_refused_by_name(string device, string name)
    {
        var error = Assert.Throws<CoppiceException>(() => Seal("microvm", device));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.EndsWith($", {name}", error.Subject, StringComparison.Ordinal);
        Assert.Contains("the machine microvm has no such thing", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void What_else_a_microvm_lacks_is_refused_by_name()
    {
        var plain = DomainXml.Parse(Documents.With(""));
        plain = plain with { Os = plain.Os with { Machine = "microvm" }, GenerationId = null };
        AssertLacks(plain with { Os = plain.Os with { Firmware = new FirmwareSettings() } }, "UEFI firmware");
        AssertLacks(plain with { GenerationId = Guid.NewGuid() }, "<genid>");
        AssertLacks(plain with { VmwarePort = true }, "<vmport>");
        AssertLacks(plain with { ManagementMode = true }, "<smm>");
        AssertLacks(plain with { Clock = new ClockSettings { Timers = [new ClockTimer { Name = "hpet", Present = true }] } }, "<timer name='hpet'>");
        AssertLacks(plain with { Sleep = new SleepStates(true, null) }, "<pm>");

        static void AssertLacks(DomainDefinition definition, string name) => Assert.EndsWith(
            $", {name}", Assert.Throws<CoppiceException>(() => DomainSeal.AssignAddresses(definition)).Subject, StringComparison.Ordinal);
    }

    [Fact]
    public void A_microvm_has_eight_transports_and_nobody_else_has_one()
    {
        var disks = string.Concat("abcdefghi".Select(c => Documents.Disk($"vd{c}", $"/{c}")));
        Assert.Contains("8 places for virtio devices", Assert.Throws<CoppiceException>(() => Seal("microvm", disks)).Message, StringComparison.Ordinal);
        const string Rng = "<rng model='virtio'><backend model='builtin'/><address type='{0}' slot='0x04'/></rng>";
        Assert.Contains(
            "no such address as 00:04.0",
            Assert.Throws<CoppiceException>(() => Seal("microvm", Rng.Replace("{0}", "pci", StringComparison.Ordinal))).Message, StringComparison.Ordinal);
        Assert.Contains(
            "the address virtio-mmio is not a PCI slot",
            Assert.Throws<CoppiceException>(() => Seal("pc", "<rng model='virtio'><backend model='builtin'/><address type='virtio-mmio'/></rng>")).Message,
            StringComparison.Ordinal);
    }

    private static ValueList<Device> Seal(string machine, string devices)
    {
        var definition = DomainXml.Parse(Documents.With(devices));
        return DomainSeal.AssignAddresses(definition with { Os = definition.Os with { Machine = machine } }).Devices;
    }
}
