using Coppice.Live.Witness;

namespace Coppice.Bench.Guests;

/// <summary>The definition of the guest, the same for both sides but for what they cannot say in the same words.</summary>
internal static class GuestXml
{
    /// <param name="name">The domain.</param>
    /// <param name="size">Its size.</param>
    /// <param name="disks">The images of its disks, qcow2.</param>
    /// <param name="witness">Where its witness listens; null leaves that to whoever runs it.</param>
    /// <param name="isInternal">Its snapshots are inside the images, where nothing else is said.</param>
    public static string Write(
        string name, GuestSize size, IEnumerable<string> disks, string? witness = null, bool isInternal = false) => $"""
        <domain type='qemu'>
          <name>{name}</name>
          <memory unit='MiB'>{size.RamMiB}</memory>
          <vcpu>2</vcpu>
          <os>
            <type arch='x86_64' machine='pc'>hvm</type>
            <kernel>{WitnessGuest.KernelPath}</kernel>
            <initrd>{WitnessGuest.InitrdPath}</initrd>
            <cmdline>{WitnessGuest.KernelCommandLine}</cmdline>
          </os>
          <features><acpi/></features>
          <devices>
            {string.Concat(disks.Select((disk, i) => $"""
                <disk type='file' device='disk'{(isInternal ? "" : " snapshot='external'")}>
                  <driver name='qemu' type='qcow2'/>
                  <source file='{disk}'/>
                  <target dev='vd{(char)('a' + i)}' bus='virtio'/>
                </disk>
                """))}
            <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
            <interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>
            <serial type='pty'><target port='0'/></serial>
            <console type='pty'><target type='serial' port='0'/></console>
            <channel type='unix'>
              {(witness is null ? "" : $"<source mode='bind' path='{witness}'/>")}
              <target type='virtio' name='{WitnessGuest.PortName}'/>
            </channel>
            <video><model type='vga'/></video><graphics type='vnc'/>
            <memballoon model='virtio'/>
            <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
          </devices>
        </domain>
        """;
}
