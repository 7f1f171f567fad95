using System.Text;
using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class RefusalTests
{
    [Theory]
    [InlineData("<disk type='network'><source dev='/dev/sda'/><target dev='vda'/></disk>", "'network' is not a known type of disk; use file, block")]
    [InlineData("<disk type='block'><source file='/a'/><target dev='vda'/></disk>", "the image of a disk of type 'block' is named by dev=")]
    [InlineData("<disk type='file'><source dev='/dev/sda'/><target dev='vda'/></disk>", "the image of a disk of type 'file' is named by file=")]
    [InlineData("<disk><source dev='/dev/sda'/><target dev='vda'/></disk>", "write <source file='…'/>, or type='block'")]
    [InlineData("<disk type='block'><target dev='vda'/></disk>", "disk 'vda' has no image; add <source dev='…'/>")]
    [InlineData("<disk type='block'><source dev='sda'/><target dev='vda'/></disk>", "the path 'sda' is relative")]
    [InlineData("<disk device='floppy'><source file='/a'/><target dev='vda'/></disk>", "'floppy' is not a known kind of drive")]
    [InlineData("<disk><source file='/a'/></disk>", "<target> is missing")]
    [InlineData("<disk><source file='/a'/><target/></disk>", "the attribute dev is missing")]
    [InlineData("<disk><source file='/a'/><target dev='../x'/></disk>", "'../x' does not name a drive")]
    [InlineData("<disk><source file='/a'/><target dev='fda'/></disk>", "'fda' does not name a drive")]
    [InlineData("<disk><source file='/a'/><target dev='vda' bus='usb'/></disk>", "'usb' is not a known bus; use virtio, ide, sata, scsi")]
    [InlineData("<disk><target dev='vda'/></disk>", "disk 'vda' has no image")]
    [InlineData("<disk><source/><target dev='vda'/></disk>", "disk 'vda' has no image")]
    [InlineData("<disk><source file='a.img'/><target dev='vda'/></disk>", "the path 'a.img' is relative")]
    [InlineData("<disk><source file=''/><target dev='vda'/></disk>", "the path is empty")]
    [InlineData("<disk><source file='/'/><target dev='vda'/></disk>", "the path names the root folder")]
    [InlineData("<disk><source file='/a&#10;b'/><target dev='vda'/></disk>", "contains a control character")]
    [InlineData("<disk><driver type='vmdk'/><source file='/a'/><target dev='vda'/></disk>", "'vmdk' is not a known image format")]
    [InlineData("<disk><driver cache='warm'/><source file='/a'/><target dev='vda'/></disk>", "'warm' is not a known cache mode")]
    [InlineData("<disk snapshot='maybe'><source file='/a'/><target dev='vda'/></disk>", "'maybe' is not a known way to snapshot")]
    [InlineData("<disk><source file='/a'/><target dev='vda'/><target dev='vdb'/></disk>", "there are two <target>")]
    [InlineData("<disk><source file='/a'/><target dev='vda'/><serial>a,b</serial></disk>", "'a,b' is not a serial number")]
    [InlineData("<disk><source file='/a'/><target dev='vda'/><boot order='0'/></disk>", "'0' is not a number from 1")]
    [InlineData(
        "<disk><source file='/a'/><target dev='vda'/><backingStore type='file'><source file='/b'/></backingStore></disk>",
        "<format> is missing")]
    [InlineData(
        "<disk><source file='/a'/><target dev='vda'/><address type='pci' slot='0x20'/></disk>", "'0x20' is not a number from 0 to 31")]
    [InlineData("<disk><source file='/a'/><target dev='vda'/><address slot='1'/></disk>", "the attribute type is missing")]
    [InlineData("<interface/>", "the attribute type is missing")]
    [InlineData("<interface type='user'><mac address='52:54:00:12:34'/></interface>", "is not a MAC address")]
    [InlineData("<interface type='user'><mac address='53:54:00:12:34:56'/></interface>", "is the address of a group")]
    [InlineData("<interface type='user'><portForward proto='sctp'><range start='1'/></portForward></interface>", "'sctp' is not a known protocol")]
    [InlineData("<interface type='user'><portForward proto='tcp'/></interface>", "<range> is missing")]
    [InlineData("<interface type='user'><portForward proto='tcp'><range start='0'/></portForward></interface>", "'0' is not a number from 1 to 65535")]
    [InlineData(
        "<interface type='user'><portForward proto='tcp'><range start='9' end='8'/></portForward></interface>", "the range ends before it starts")]
    [InlineData(
        "<interface type='user'><portForward proto='tcp' address='host'><range start='9'/></portForward></interface>", "'host' is not an IP address")]
    [InlineData("<serial type='file'/>", "the file is not named")]
    [InlineData("<serial type='unix'><source mode='bind' path='x.sock'/></serial>", "the path 'x.sock' is relative")]
    [InlineData("<serial type='pty'><target port='4'/></serial>", "'4' is not a number from 0 to 3")]
    [InlineData("<channel type='unix'/>", "<target> is missing")]
    [InlineData("<channel type='unix'><target type='virtio' name='a,b'/></channel>", "'a,b' is not a name")]
    [InlineData("<graphics type='vnc' port='70000'/>", "'70000' is not a number from 1 to 65535")]
    [InlineData("<graphics type='vnc'><listen type='socket'/></graphics>", "the socket is not named")]
    [InlineData("<graphics type='vnc'><listen type='address'/><listen type='address'/></graphics>", "VNC listens in one place only")]
    [InlineData("<rng model='virtio'/>", "<backend> is missing")]
    [InlineData("<memballoon model='none'/><memballoon model='none'/>", "there are two of '<memballoon>'")]
    [InlineData("<controller type='pci' index='1'/>", "a PCI controller needs a model")]
    [InlineData("<controller type='ide' model='qemu-xhci'/>", "'qemu-xhci' is not a controller of type ide")]
    [InlineData("<controller type='scsi' index='256'/>", "'256' is not a number from 0 to 255")]
    [InlineData("<controller type='scsi' index='1'/><controller type='scsi' index='1'/>", "there are two of 'scsi controller 1'")]
    [InlineData("<input type='tablet' bus='usb'><address type='usb' port='a'/></input>", "'a' is not a USB port")]
    [InlineData(
        "<controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>",
        "the usb controller 0 (ich9-uhci1) has a <master>, and no ich9-ehci1 has the index 0")]
    [InlineData("<controller type='usb' model='qemu-xhci'><master startport='0'/></controller>", "only an ich9-uhci1, ich9-uhci2 or ich9-uhci3")]
    [InlineData("<controller type='usb' model='qemu-xhci' ports='16'/>", "'16' is not a number from 1 to 15")]
    [InlineData("<controller type='sata' ports='4'/>", "only a qemu-xhci and a virtio-serial controller have a number of ports")]
    [InlineData("<watchdog model='itco'/><watchdog model='i6300esb' action='none'/>", "the watchdogs have different actions")]
    [InlineData("<watchdog model='itco'/><watchdog model='itco'/>", "there are two of 'watchdog itco'")]
    [InlineData("<emulator>qemu</emulator>", "the path 'qemu' is relative")]
    public void An_unsound_device_is_refused(string devices, string problem) => AssertRefused(Documents.With(devices), problem);

    [Theory]
    [InlineData("<memory>1</memory>", "there are two <memory>")]
    [InlineData("<currentMemory>65537</currentMemory>", "is more than the 64 MiB of <memory>")]
    [InlineData("<currentMemory unit='KB!'>1</currentMemory>", "'KB!' is not a unit; use KiB, MiB or GiB")]
    [InlineData("<currentMemory>0</currentMemory>", "the size is zero")]
    [InlineData("<currentMemory>-5</currentMemory>", "'-5' is not a size")]
    [InlineData("<currentMemory unit='EiB'>99</currentMemory>", "larger than any computer")]
    [InlineData("<vcpu>0</vcpu>", "'0' is not a number from 1")]
    [InlineData("<vcpu>two</vcpu>", "'two' is not a number")]
    [InlineData("<genid>1234</genid>", "'1234' is not a uuid")]
    [InlineData("<genid/>", "the generation id is not given")]
    [InlineData("<title>two\nlines</title>", "several lines")]
    [InlineData("<cpu mode='custom'/>", "<model> is missing")]
    [InlineData("<cpu mode='fast'/>", "'fast' is not a known CPU mode")]
    [InlineData("<cpu><model>a,b=c</model></cpu>", "'a,b=c' is not a name")]
    [InlineData(
        "<cpu><model>a</model><feature policy='require' name='x'/><feature policy='disable' name='x'/></cpu>", "the feature 'x' is named twice")]
    [InlineData(
        "<vcpu>3</vcpu><cpu><topology sockets='1' cores='2' threads='1'/></cpu>", "it makes 2 CPUs and <vcpu> 3; correct one")]
    [InlineData("<cpu><topology sockets='4096' dies='4096' cores='4096' threads='4096'/></cpu>", "it makes 281474976710656 CPUs and <vcpu> 1")]
    [InlineData("<cpu><topology sockets='1' cores='1'/></cpu>", "the attribute threads is missing")]
    [InlineData("<pm><suspend-to-mem enabled='on'/></pm>", "'on' is neither yes nor no")]
    [InlineData("<on_reboot>sleep</on_reboot>", "'sleep' is not a known action")]
    [InlineData("<on_reboot>coredump-destroy</on_reboot>", "dumped only after a crash")]
    public void An_unsound_setting_is_refused(string outside, string problem) => AssertRefused(Documents.With(outside: outside), problem);

    [Theory]
    [InlineData("<os><type>exe</type></os>", "'exe' is not a known type of guest")]
    [InlineData("<os/>", "<type> is missing")]
    [InlineData("<os><type>hvm</type><initrd>/i</initrd></os>", "are for a <kernel>, which is missing")]
    [InlineData("<os><type machine='pc,accel=x'>hvm</type></os>", "'pc,accel=x' is not a name")]
    [InlineData("<os><type>hvm</type><boot dev='usb'/></os>", "'usb' is not a known boot device")]
    public void An_unsound_machine_is_refused(string os, string problem) =>
        AssertRefused(Documents.With().Replace("<os><type>hvm</type></os>", os, StringComparison.Ordinal), problem);

    [Theory]
    [InlineData("", "starts with")]
    [InlineData(".web", "starts with '.'")]
    [InlineData("a/b", "contains '/'")]
    [InlineData("a\nb", "contains a control character")]
    public void An_unsound_name_is_refused(string name, string problem) => AssertRefused(
        Documents.With().Replace("<name>web<", $"<name>{name}<", StringComparison.Ordinal), name.Length == 0 ? "is empty" : problem);

    [Fact]
    public void A_name_of_4_KiB_is_refused() => AssertRefused(
        Documents.With().Replace("<name>web<", $"<name>{new string('a', 4096)}<", StringComparison.Ordinal), "is longer than 255 bytes");

    [Fact]
    public void Two_disks_of_one_name_are_refused() =>
        AssertRefused(Documents.With(Documents.Disk() + Documents.Disk(file: "/b")), "two disks have the target 'vda'");

    [Fact]
    public void Two_disks_that_write_to_one_image_are_refused() =>
        AssertRefused(Documents.With(Documents.Disk() + Documents.Disk("vdb")), "two disks write to '/images/a.img'");

    [Fact]
    public void Two_boot_orders_that_contradict_each_other_are_refused()
    {
        var disk = Documents.Disk(inside: "<boot order='1'/>");
        var document = Documents.With(disk);

        AssertRefused(
            document.Replace("</type>", "</type><boot dev='hd'/>", StringComparison.Ordinal), "contradicts the boot order of disk 'vda'");
        AssertRefused(
            Documents.With(disk + "<interface type='user'><boot order='1'/></interface>"), "two devices have the boot order '1'");
    }

    [Theory]
    [InlineData("<network/>", "this is not a domain")]
    [InlineData("<domain xmlns='urn:x' type='kvm'/>", "this is not a domain")]
    [InlineData("<domain><uuid/></domain>", "the attribute type is missing")]
    [InlineData("<domain type='kvm'/>", "<uuid> is missing")]
    [InlineData("", "is not well-formed")]
    [InlineData("web", "is not well-formed")]
    [InlineData("<domain><name></domain>", "is not well-formed")]
    [InlineData("<domain a='1' a='2'/>", "is not well-formed")]
    [InlineData("<x:domain/>", "is not well-formed")]
    public void What_is_no_domain_is_refused(string document, string problem) => AssertRefused(document, problem);

    [Fact]
    public void The_error_names_line_element_and_way_out()
    {
        var error = AssertRefused(Documents.With("\n<disk>\n<source file='/a'/>\n<target dev='vda' bus='usb'/></disk>"), "'usb'");

        Assert.Equal("domain XML, line 5, devices/disk/target/@bus", error.Subject);
        Assert.NotEmpty(error.NextStep);
    }

    [Theory]
    [InlineData("<!DOCTYPE domain [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><domain>&b;</domain>")]
    [InlineData("<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain>&a;</domain>")]
    [InlineData("<!DOCTYPE domain SYSTEM 'http://127.0.0.1:1/evil.dtd'><domain/>")]
    [InlineData("<?xml version='1.0'?>\n<!DOCTYPE domain [<!ENTITY % p SYSTEM 'file:///dev/zero'>%p;]><domain/>")]
    [InlineData("<!DOCTYPE domain><domain/>")]
    public void A_document_type_is_forbidden(string document)
    {
        var error = Assert.Throws<CoppiceException>(() => DomainXml.Parse(document));

        Assert.Equal(ErrorKind.Forbidden, error.Kind);
        Assert.Contains("DOCTYPE", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public void An_entity_that_nobody_declared_is_refused() => AssertRefused("<domain>&a;</domain>", "is not well-formed");

    [Fact]
    public void A_document_of_100_MB_is_refused_before_it_is_parsed()
    {
        var document = new string('<', 100_000_000);

        AssertRefused(document, "is longer than 1 MiB");
    }

    [Fact]
    public void The_limit_counts_bytes()
    {
        var filling = new string('ü', DomainXml.MaximumBytes / 2);

        AssertRefused(Documents.With(outside: $"<description>{filling}</description>"), "is longer than 1 MiB");
    }

    [Theory]
    [InlineData(SafeXml.MaximumDepth + 1)]
    [InlineData(100_000)]
    public void A_document_nested_too_deep_is_refused(int depth)
    {
        var document = new StringBuilder().Insert(0, "<a>", depth).Insert(depth * 3, "</a>", depth).ToString();

        AssertRefused(document, "are nested more than 64 deep");
    }

    [Fact]
    public void Metadata_as_deep_as_allowed_is_kept()
    {
        var depth = SafeXml.MaximumDepth - 3;
        var metadata = new StringBuilder().Insert(0, "<a>", depth).Insert(depth * 3, "</a>", depth).ToString();
        var definition = DomainXml.Parse(Documents.With(outside: $"<metadata>{metadata}</metadata>"));

        Assert.Equal(definition, DomainXml.Parse(DomainXml.Format(definition)));
    }

    [Fact]
    public void A_value_that_XML_cannot_hold_is_refused_when_written()
    {
        var definition = DomainXml.Parse(Documents.With()) with { Description = "a\0b" };

        Assert.Equal(ErrorKind.InvalidInput, Assert.Throws<CoppiceException>(() => DomainXml.Format(definition)).Kind);
    }

    private static CoppiceException AssertRefused(string document, string problem)
    {
        var error = Assert.Throws<CoppiceException>(() => DomainXml.Parse(document));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
        return error;
    }
}
