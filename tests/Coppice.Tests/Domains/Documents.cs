using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Coppice.Tests.Domains;

/// <summary>Domains as users bring them.</summary>
internal static class Documents
{
    public const string Uuid = "7f6bd2a0-59a3-4a3c-8f0e-1c1a8f4a7e11";

    /// <summary>A Linux guest with most of what is understood and some of what is only kept.</summary>
    public const string Ordinary = $"""
        <?xml version='1.0'?>
        <!-- kept by hand -->
        <domain type='kvm' xmlns:app='http://example.org/app/1'>
          <name>web</name>
          <uuid>{Uuid}</uuid>
          <genid>c2a2f0de-0b0c-4a42-9f58-0f2b8b9f3a77</genid>
          <title>The web server</title>
          <description>Serves pages &amp; little else.
        Ask before you touch it.</description>
          <metadata>
            <app:owner since="2024">   Ada   <app:team/> </app:owner>
            <!-- of the application -->
          </metadata>
          <memory unit='GiB'>2</memory>
          <currentMemory>1048576</currentMemory>
          <vcpu placement='static'>2</vcpu>
          <resource><partition>/machine</partition></resource>
          <os>
            <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
            <kernel>/boot/vmlinuz</kernel>
            <initrd>/boot/initrd.img</initrd>
            <cmdline>console=ttyS0 root=/dev/vda1 quiet="no"</cmdline>
            <boot dev='hd'/>
            <boot dev='cdrom'/>
          </os>
          <features><acpi/><apic/><pae/></features>
          <cpu mode='custom' match='exact' check='none'>
            <model fallback='forbid'>qemu64</model>
            <feature policy='require' name='x2apic'/>
            <feature policy='disable' name='svm'/>
          </cpu>
          <clock offset='utc'>
            <timer name='rtc' tickpolicy='catchup' track='guest'/>
            <timer name='hpet' present='no'/>
          </clock>
          <on_poweroff>destroy</on_poweroff>
          <on_reboot>restart</on_reboot>
          <on_crash>preserve</on_crash>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            <disk type='file' device='disk' snapshot='external'>
              <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap' error_policy='stop'/>
              <source file='/var/images/web.qcow2'/>
              <backingStore type='file'>
                <format type='qcow2'/>
                <source file='/var/images/base.qcow2'/>
                <backingStore type='file'>
                  <format type='raw'/>
                  <source file='/var/images/golden.raw'/>
                  <backingStore/>
                </backingStore>
              </backingStore>
              <target dev='vda' bus='virtio'/>
              <serial>WEB-0001</serial>
              <alias name='virtio-disk0'/>
              <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>
            </disk>
            <interface type='user'>
              <mac address='52:54:00:AB:cd:ef'/>
              <portForward proto='tcp' address='127.0.0.1'>
                <range start='2222' to='22'/>
                <range start='8000' end='8010'/>
              </portForward>
              <model type='virtio'/>
            </interface>
            <disk type='file' device='cdrom'>
              <driver name='qemu' type='raw'/>
              <target dev='hda' bus='ide'/>
              <readonly/>
              <address type='drive' controller='0' bus='0' target='0' unit='0'/>
            </disk>
            <serial type='pty'><target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>
            <console type='pty'><target type='serial' port='0'/></console>
            <channel type='unix'>
              <source mode='bind'/>
              <target type='virtio' name='org.qemu.guest_agent.0'/>
              <address type='virtio-serial' controller='0' bus='0' port='1'/>
            </channel>
            <graphics type='vnc' port='-1' autoport='yes'><listen type='address' address='127.0.0.1'/></graphics>
            <video><model type='vga' vram='16384' heads='1' primary='yes'/></video>
            <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
            <memballoon model='virtio'><stats period='10'/></memballoon>
            <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
            <controller type='usb' index='0' model='none'/>
            <controller type='virtio-serial' index='0'/>
            <input type='keyboard' bus='ps2'/>
          </devices>
          <seclabel type='none'/>
        </domain>
        """;

    /// <summary>
    /// The ordinary domain with an element or attribute of a path; <c>*</c> is a disk. What is missing on the way is added,
    /// and an attribute is set to a value.
    /// </summary>
    public static string OrdinaryWith(string path, string value = "x")
    {
        var root = XElement.Parse(Ordinary);
        var element = root;
        foreach (var step in Steps(path.Replace("*", "disk", StringComparison.Ordinal)))
        {
            if (step.StartsWith('@'))
            {
                element.SetAttributeValue(step[1..], value);
            }
            else
            {
                var child = element.Element(XName.Get(step));
                if (child is null)
                {
                    element.Add(child = new XElement(XName.Get(step)));
                }

                element = child;
            }
        }

        return root.ToString();
    }

    /// <summary>The names of a path; a name with a namespace may contain slashes.</summary>
    public static string[] Steps(string path) =>
        path.Length == 0 ? [] : [.. Regex.Matches(path, @"(\{[^}]*\})?[^/{]+").Select(m => m.Value)];

    /// <summary>The smallest domain, with something more outside and inside its devices.</summary>
    public static string With(string devices = "", string outside = "", string type = "kvm") => $"""
        <domain type='{type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
          <name>web</name><uuid>{Uuid}</uuid><memory>65536</memory><os><type>hvm</type></os>{outside}<devices>{devices}</devices>
        </domain>
        """;

    /// <summary>An otherwise ordinary disk.</summary>
    public static string Disk(string target = "vda", string file = "/images/a.img", string inside = "", string attributes = "") =>
        $"<disk type='file' {attributes}><source file='{file}'/><target dev='{target}'/>{inside}</disk>";
}
