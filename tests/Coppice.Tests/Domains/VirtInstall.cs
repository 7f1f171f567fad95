namespace Coppice.Tests.Domains;

/// <summary>
/// Domains with the elements and attributes that virt-install 4.1 of Debian 12 writes for <c>--import --vcpus 2
/// --network user --graphics vnc</c>: no addresses, no numbers for controllers, a console without a serial port.
/// </summary>
internal static class VirtInstall
{
    private const string Ports = """
        <controller type="pci" model="pcie-root"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        <controller type="pci" model="pcie-root-port"/><controller type="pci" model="pcie-root-port"/>
        """;

    /// <summary>With <c>--os-variant generic --machine pc</c> and a topology.</summary>
    public static string Pc(string image = "/images/web.qcow2") => Document(
        "pc",
        $"""
        <disk type="file" device="disk">
          <driver name="qemu" type="qcow2"/><source file="{image}"/><target dev="hda" bus="ide"/>
        </disk>
        <controller type="usb" model="ich9-ehci1"/>
        <controller type="usb" model="ich9-uhci1"><master startport="0"/></controller>
        <controller type="usb" model="ich9-uhci2"><master startport="2"/></controller>
        <controller type="usb" model="ich9-uhci3"><master startport="4"/></controller>
        <interface type="user"><mac address="52:54:00:6b:3c:58"/><model type="e1000"/></interface>
        <console type="pty"/>
        <input type="tablet" bus="usb"/>
        <graphics type="vnc" port="-1"/>
        <video><model type="vga"/></video>
        """,
        """<cpu mode="custom" match="exact"><model>qemu64</model><topology sockets="1" dies="1" cores="1" threads="2"/></cpu>""");

    /// <summary>With an os variant of Debian, for which it chooses the machine q35.</summary>
    public static string Q35(string image = "/images/web.qcow2", string more = "", string os = "", string features = "") => Document(
        "q35",
        $"""
        <disk type="file" device="disk">
          <driver name="qemu" type="qcow2" discard="unmap"/><source file="{image}"/><target dev="vda" bus="virtio"/>
        </disk>
        <controller type="usb" model="qemu-xhci" ports="15"/>
        {Ports}
        <interface type="user"><mac address="52:54:00:6b:3c:59"/><model type="virtio"/></interface>
        <console type="pty"/>
        <channel type="unix"><source mode="bind"/><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
        <input type="tablet" bus="usb"/>
        <graphics type="vnc" port="-1"/>
        <video><model type="virtio"/></video>
        <memballoon model="virtio"/>
        <rng model="virtio"><backend model="random">/dev/urandom</backend></rng>
        {more}
        """,
        outside: "", os, features);

    /// <summary>The q35 with what else it can be asked for: <c>--sound default --watchdog default</c>.</summary>
    public static string Desktop(string image = "/images/web.qcow2") => Q35(
        image,
        """
        <sound model="ich9"/><audio id="1" type="none"/>
        <watchdog model="i6300esb" action="reset"/>
        """,
        features: """<vmport state="off"/>""");

    /// <summary>With <c>--boot uefi</c>.</summary>
    public static string Uefi(string image = "/images/web.qcow2") => Q35(image, os: " firmware=\"efi\"");

    /// <summary>With <c>--tpm emulator</c>.</summary>
    public static string Tpm(string image = "/images/web.qcow2") => Q35(image, more: """<tpm model="tpm-crb"><backend type="emulator"/></tpm>""");

    private static string Document(string machine, string devices, string outside, string os = "", string features = "") => $"""
        <domain type="qemu">
          <name>web</name>
          <uuid>{Documents.Uuid}</uuid>
          <metadata>
            <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
              <libosinfo:os id="http://debian.org/debian/12"/>
            </libosinfo:libosinfo>
          </metadata>
          <memory>147456</memory>
          <currentMemory>147456</currentMemory>
          <vcpu>2</vcpu>
          <os{os}><type arch="x86_64" machine="{machine}">hvm</type><boot dev="hd"/></os>
          <features><acpi/><apic/>{features}</features>
          {outside}
          <clock offset="utc">
            <timer name="rtc" tickpolicy="catchup"/>
            <timer name="pit" tickpolicy="delay"/>
            <timer name="hpet" present="no"/>
          </clock>
          <pm><suspend-to-mem enabled="no"/><suspend-to-disk enabled="no"/></pm>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            {devices}
          </devices>
        </domain>
        """;
}
