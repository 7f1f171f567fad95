using System.Collections.Frozen;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// What Coppice makes of each element of a domain: it is in exactly one of three tables. Paths begin below the root;
/// <c>*</c> stands for any device, and a <c>backingStore</c> within another has the path of the outer one. What is in no
/// table is kept and prevents a start, like what changes hardware.
/// </summary>
public static class ElementTables
{
    /// <summary>Elements that the model holds, each with the attributes that it holds.</summary>
    public static readonly FrozenDictionary<string, string[]> Understood = Attributes(
        ("", "type"),
        ("name", ""), ("uuid", ""), ("genid", ""), ("title", ""), ("description", ""), ("metadata", ""),
        ("memory", "unit"), ("currentMemory", "unit"), ("vcpu", ""),
        ("cpu", "mode migratable"), ("cpu/model", "fallback"), ("cpu/feature", "policy name"),
        ("cpu/topology", "sockets dies cores threads"),
        ("os", "firmware"), ("os/type", "arch machine"), ("os/firmware", ""), ("os/firmware/feature", "enabled name"),
        ("os/loader", "readonly secure type format"), ("os/nvram", "template templateFormat type format"),
        ("os/nvram/source", "file"), ("os/boot", "dev"), ("os/kernel", ""), ("os/initrd", ""), ("os/cmdline", ""),
        ("features", ""), ("features/acpi", ""), ("features/apic", ""), ("features/pae", ""), ("features/vmport", "state"),
        ("features/smm", "state"),
        ("pm", ""), ("pm/suspend-to-mem", "enabled"), ("pm/suspend-to-disk", "enabled"),
        ("clock", "offset"), ("clock/timer", "name present tickpolicy track"),
        ("on_poweroff", ""), ("on_reboot", ""), ("on_crash", ""),
        ("devices", ""), ("devices/emulator", ""),
        ("devices/*/address", "type domain bus slot function multifunction controller target unit port"),
        ("devices/disk", "type device snapshot"), ("devices/disk/driver", "name type cache io discard"),
        ("devices/disk/source", "file dev"), ("devices/disk/target", "dev bus"), ("devices/disk/readonly", ""),
        ("devices/disk/serial", ""), ("devices/disk/boot", "order"), ("devices/disk/backingStore", "type"),
        ("devices/disk/backingStore/source", "file"), ("devices/disk/backingStore/format", "type"),
        ("devices/interface", "type"), ("devices/interface/mac", "address"), ("devices/interface/model", "type"),
        ("devices/interface/source", "bridge"), ("devices/interface/target", "dev managed"), ("devices/interface/link", "state"),
        ("devices/interface/boot", "order"), ("devices/interface/portForward", "proto address"),
        ("devices/interface/portForward/range", "start end to"),
        ("devices/serial", "type"), ("devices/serial/source", "mode path"), ("devices/serial/target", "type port"),
        ("devices/console", "type"), ("devices/console/source", "mode path"), ("devices/console/target", "type port"),
        ("devices/channel", "type"), ("devices/channel/source", "mode path"), ("devices/channel/target", "type name"),
        ("devices/graphics", "type port autoport listen socket"), ("devices/graphics/listen", "type address socket"),
        ("devices/video", ""), ("devices/video/model", "type vram heads primary"),
        ("devices/rng", "model"), ("devices/rng/backend", "model"),
        ("devices/memballoon", "model"),
        ("devices/controller", "type index model ports"), ("devices/controller/model", "name"),
        ("devices/controller/target", "chassis port"), ("devices/controller/master", "startport"),
        ("devices/input", "type bus"), ("devices/sound", "model"), ("devices/watchdog", "model action"),
        ("devices/tpm", "model"), ("devices/tpm/backend", "type version"));

    /// <summary>Elements and attributes that the guest does not see, or that only say what is so anyway.</summary>
    public static readonly FrozenSet<string> Harmless = FrozenSet.ToFrozenSet(
    [
        "@id", "resource", "seclabel", "idmap", "perf", "on_lockfailure", "memory/@dumpCore", "memoryBacking",
        "blkiotune", "memtune", "cputune", "numatune", "iothreads", "iothreadids", "defaultiothread",
        "vcpu/@placement", "vcpu/@cpuset", "cpu/@match", "cpu/@check", "cpu/vendor",
        "{http://libvirt.org/schemas/domain/qemu/1.0}deprecation",
        "devices/*/alias", "devices/*/source/@index", "devices/*/source/seclabel",
        "devices/disk/driver/@error_policy", "devices/disk/driver/@rerror_policy", "devices/disk/driver/@iothread",
        "devices/disk/driver/@ioeventfd", "devices/disk/driver/@detect_zeroes", "devices/disk/driver/@copy_on_read",
        "devices/disk/driver/metadata_cache", "devices/disk/iotune", "devices/disk/source/@startupPolicy",
        "devices/disk/backingStore/@index", "devices/disk/backingStore/source/@index",
        "devices/interface/mac/@type", "devices/interface/mac/@check", "devices/interface/backend",
        "devices/interface/source/@dev", "devices/interface/bandwidth", "devices/interface/tune",
        "devices/serial/@tty", "devices/serial/log", "devices/serial/source/@append", "devices/serial/target/model",
        "devices/console/@tty", "devices/console/log", "devices/console/source/@append",
        "devices/channel/log", "devices/channel/source/@append", "devices/channel/target/@state",
        "devices/graphics/@keymap", "devices/graphics/@sharePolicy", "devices/graphics/@connected", "devices/graphics/@websocket",
        "devices/graphics/@powerControl", "devices/graphics/listen/@fromConfig", "devices/graphics/audio",
        "devices/rng/rate", "devices/memballoon/stats", "devices/audio", "devices/redirfilter",
        "devices/tpm/backend/@persistent_state", "devices/tpm/backend/@debug",
    ]);

    /// <summary>Elements and attributes that are known to change what the guest sees, and why.</summary>
    public static readonly FrozenDictionary<string, string> ChangesHardware = FrozenDictionary.ToFrozenDictionary(new[]
    {
        Hardware("memory slots for hot-plug", "maxMemory"),
        Hardware("huge pages", "memoryBacking/hugepages"),
        Hardware("CPU hot-plug", "vcpu/@current", "vcpus"),
        Hardware("NUMA nodes", "cpu/numa"),
        Hardware("what the CPU tells about itself", "cpu/cache", "cpu/maxphysaddr", "cpu/model/@vendor_id"),
        Hardware("the firmware's settings", "os/bios", "os/bootmenu"),
        Hardware("SMBIOS tables", "os/smbios", "sysinfo"),
        Hardware("ACPI tables", "os/acpi", "devices/*/acpi"),
        Hardware("another way to boot", "os/dtb", "bootloader", "bootloader_args"),
        Hardware("enlightenments", "features/hyperv", "features/kvm", "features/viridian", "features/xen"),
        Hardware(
            "a part of the machine", "features/hap", "features/privnet", "features/pvspinlock", "features/pmu", "features/gic",
            "features/smm/tseg", "features/ioapic", "features/vmcoreinfo", "features/msrs", "features/tcg", "features/apic/@eoi"),
        Hardware("the guest's clock", "clock/@adjustment", "clock/timer/@frequency", "clock/timer/@mode", "clock/timer/catchup"),
        Hardware("memory encryption", "launchSecurity", "keywrap"),
        Hardware(
            "the hypervisor's own arguments", "{http://libvirt.org/schemas/domain/qemu/1.0}commandline",
            "{http://libvirt.org/schemas/domain/qemu/1.0}override", "{http://libvirt.org/schemas/domain/qemu/1.0}capabilities"),
        Hardware("a device of the host", "devices/hostdev", "devices/redirdev", "devices/smartcard"),
        Hardware(
            "a device that Coppice does not know", "devices/filesystem", "devices/hub", "devices/iommu", "devices/lease",
            "devices/memory", "devices/nvram", "devices/panic", "devices/parallel", "devices/shmem", "devices/vsock",
            "devices/crypto"),
        Hardware(
            "the TPM", "devices/tpm/backend/active_pcr_banks", "devices/tpm/backend/encryption", "devices/tpm/backend/device",
            "devices/tpm/backend/source", "devices/tpm/backend/profile"),
        Hardware(
            "virtio options", "devices/disk/@model", "devices/disk/driver/@queues", "devices/disk/driver/@queue_size",
            "devices/disk/driver/@iommu", "devices/disk/driver/@ats", "devices/disk/driver/@packed",
            "devices/disk/driver/@event_idx", "devices/interface/driver", "devices/controller/driver",
            "devices/controller/@vectors", "devices/video/driver", "devices/rng/driver", "devices/memballoon/driver",
            "devices/memballoon/@autodeflate", "devices/memballoon/@freePageReporting"),
        Hardware(
            "the drive", "devices/disk/geometry", "devices/disk/blockio", "devices/disk/wwn", "devices/disk/vendor",
            "devices/disk/product", "devices/disk/shareable", "devices/disk/transient", "devices/disk/encryption",
            "devices/disk/source/encryption", "devices/disk/auth", "devices/disk/mirror", "devices/disk/target/@removable",
            "devices/disk/target/@rotation_rate", "devices/disk/target/@tray"),
        Hardware(
            "the network card", "devices/interface/rom", "devices/interface/mtu", "devices/interface/coalesce",
            "devices/interface/ip", "devices/interface/route", "devices/interface/teaming"),
        Hardware(
            "the network", "devices/interface/portForward/range/@exclude", "devices/interface/portForward/@dev",
            "devices/interface/virtualport", "devices/interface/vlan", "devices/interface/filterref", "devices/interface/port",
            "devices/interface/script", "devices/interface/downscript", "devices/interface/guest", "devices/interface/source/ip",
            "devices/interface/source/route"),
        Hardware("who may connect", "devices/graphics/@passwd", "devices/graphics/@passwdValidTo"),
        Hardware("the graphics card", "devices/video/model/acceleration", "devices/video/model/resolution"),
    }.SelectMany(row => row));

    /// <summary>What to do about some of them, where removing the element has consequences that are not plain.</summary>
    public static readonly FrozenDictionary<string, string> NextSteps = FrozenDictionary.ToFrozenDictionary(new[]
    {
        Hardware(
            "remove it: RAM in ordinary pages can be cloned, so that checkpoints do not wait for it", "memoryBacking/hugepages"),
        Hardware(
            "remove it; whoever can read the folder of the domain can then read what its TPM keeps", "devices/tpm/backend/encryption"),
    }.SelectMany(row => row));

    /// <summary>
    /// Attributes of which only some values are understood. With another one, the element below <c>&lt;domain&gt;</c> or
    /// <c>&lt;devices&gt;</c> that it is in is kept as a whole.
    /// </summary>
    public static readonly FrozenDictionary<string, string[]> Values = Attributes(
        ("@type", "kvm qemu"), ("os/type/@arch", "x86_64"), ("os/@firmware", "efi"), ("os/loader/@type", "pflash"),
        ("os/loader/@readonly", "yes"), ("os/loader/@format", "raw"), ("os/nvram/@type", "file"),
        ("os/nvram/@format", "raw qcow2"), ("os/nvram/@templateFormat", "raw"),
        ("cpu/@migratable", "on"), ("clock/@offset", "utc localtime"), ("clock/timer/@name", "rtc pit hpet tsc kvmclock"),
        ("devices/*/address/@type", "pci drive virtio-serial usb virtio-mmio"), ("devices/*/address/@domain", "0 0x0 0x00 0x0000"),
        ("devices/disk/driver/@name", "qemu"),
        ("devices/interface/@type", "user bridge ethernet"), ("devices/interface/model/@type", "virtio e1000 e1000e"),
        ("devices/interface/link/@state", "up down"), ("devices/interface/target/@managed", "yes no"),
        ("devices/serial/@type", "pty unix file null"), ("devices/serial/target/@type", "isa-serial"),
        ("devices/serial/source/@mode", "bind"),
        ("devices/console/@type", "pty unix file null"), ("devices/console/target/@type", "serial virtio"),
        ("devices/console/source/@mode", "bind"),
        ("devices/channel/@type", "pty unix file null"), ("devices/channel/target/@type", "virtio"),
        ("devices/channel/source/@mode", "bind"),
        ("devices/graphics/@type", "vnc"), ("devices/graphics/listen/@type", "address socket"),
        ("devices/video/model/@type", "none vga virtio cirrus bochs"), ("devices/video/model/@heads", "1"),
        ("devices/video/model/@primary", "yes"),
        ("devices/rng/@model", "virtio"), ("devices/rng/backend/@model", "random builtin"),
        ("devices/memballoon/@model", "virtio none"),
        ("devices/controller/@type", "pci usb ide sata scsi virtio-serial"),
        ("devices/controller/@model", "none qemu-xhci piix3-uhci pci-root pcie-root pcie-root-port virtio-scsi piix3 "
            + "ich9-ehci1 ich9-uhci1 ich9-uhci2 ich9-uhci3"),
        ("devices/controller/model/@name", "pcie-root-port"),
        ("devices/input/@type", "tablet mouse keyboard"), ("devices/input/@bus", "ps2 usb"),
        ("devices/tpm/@model", "tpm-crb tpm-tis"), ("devices/tpm/backend/@type", "emulator"), ("devices/tpm/backend/@version", "2.0"),
        ("devices/sound/@model", "ich6 ich9"), ("devices/watchdog/@model", "i6300esb itco"),
        ("devices/watchdog/@action", "reset shutdown poweroff pause none inject-nmi"));

    /// <summary>Elements that may stand beside others of their name; every other understood one may not.</summary>
    internal static readonly FrozenSet<string> Repeatable = FrozenSet.ToFrozenSet(
    [
        "cpu/feature", "os/boot", "os/firmware/feature", "clock/timer", "devices/interface/portForward", "devices/interface/portForward/range",
        "devices/graphics/listen",
    ]);

    /// <summary>The path of a child.</summary>
    internal static string ChildPath(string path, XName child)
    {
        var name = child.ToString();
        return path.Length == 0 ? name : name == "backingStore" && path.EndsWith("/backingStore", StringComparison.Ordinal) ? path
            : $"{path}/{name}";
    }

    /// <summary>The path of an attribute.</summary>
    internal static string AttributePath(string path, XName attribute) =>
        path.Length == 0 ? $"@{attribute}" : $"{path}/@{attribute}";

    /// <summary>Whether the model holds an element.</summary>
    internal static bool IsUnderstood(string path) => Find(Understood, path) is not null;

    /// <summary>Whether the model holds an attribute of an element that it holds.</summary>
    internal static bool IsUnderstood(string path, XName attribute) =>
        Find(Understood, path)?.Contains(attribute.ToString()) ?? false;

    /// <summary>Whether an element or attribute can be kept without consequences.</summary>
    internal static bool IsHarmless(string path) => Harmless.Contains(path) || Harmless.Contains(AnyDevice(path));

    /// <summary>What an element or attribute is known to change; null if it is in no table.</summary>
    internal static string? Changes(string path) => Find(ChangesHardware, path);

    /// <summary>The first attribute in an understood element with a value that is not understood; null if none.</summary>
    internal static (XAttribute Attribute, string[] Values)? Mismatch(XElement element, string path)
    {
        foreach (var attribute in element.Attributes())
        {
            if (Find(Values, AttributePath(path, attribute.Name)) is { } values && !values.Contains(attribute.Value))
            {
                return (attribute, values);
            }
        }

        return element.Elements()
            .Select(child => (Element: child, Path: ChildPath(path, child.Name)))
            .Where(child => IsUnderstood(child.Path))
            .Select(child => Mismatch(child.Element, child.Path))
            .FirstOrDefault(found => found is not null);
    }

    private static TValue? Find<TValue>(FrozenDictionary<string, TValue> table, string path)
        where TValue : class => table.GetValueOrDefault(path) ?? table.GetValueOrDefault(AnyDevice(path));

    private static string AnyDevice(string path)
    {
        var parts = path.Split('/', 3);
        return parts is ["devices", _, var rest] ? $"devices/*/{rest}" : path;
    }

    private static FrozenDictionary<string, string[]> Attributes(params (string Path, string Words)[] rows) =>
        rows.ToFrozenDictionary(r => r.Path, r => r.Words.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static IEnumerable<KeyValuePair<string, string>> Hardware(string what, params string[] paths) =>
        paths.Select(path => KeyValuePair.Create(path, what));
}
