using System.Globalization;
using System.Xml.Linq;
using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>What host and hypervisor can do, in libvirt's formats (formatcaps, formatdomaincaps).</summary>
internal static class CapabilityXml
{
    /// <summary>The most virtual CPUs of a domain, as QEMU's machines for x86 have it.</summary>
    public const int MaximumVcpus = 255;

    /// <summary>The host, and the guests that it can have.</summary>
    public static string OfHost(HypervisorDescription hypervisor)
    {
        var node = HostFacts.Node();
        return new XElement(
            "capabilities",
            new XElement(
                "host",
                new XElement("uuid", HostId()),
                new XElement(
                    "cpu",
                    new XElement("arch", node.Model),
                    new XElement("topology", Number("sockets", node.Sockets), Number("dies", 1), Number("cores", node.Cores), Number("threads", node.Threads))),
                new XElement("power_management"),
                new XElement("iommu", new XAttribute("support", "no"))),
            new XElement(
                "guest",
                new XElement("os_type", "hvm"),
                new XElement(
                    "arch", new XAttribute("name", node.Model),
                    new XElement("wordsize", 64),
                    new XElement("emulator", hypervisor.Emulator),
                    hypervisor.Machines.Select(Machine),
                    Types(hypervisor).Select(t => new XElement("domain", new XAttribute("type", t)))),
                new XElement(
                    "features",
                    Toggled("acpi"), Toggled("apic"), new XElement("cpuselection"), new XElement("deviceboot"),
                    new XElement("disksnapshot", new XAttribute("default", "on"), new XAttribute("toggle", "no")),
                    new XElement("externalSnapshot")))).AsText();
    }

    /// <summary>What a domain of a machine and type can have.</summary>
    /// <exception cref="RpcException">There is no such machine, architecture or type.</exception>
    public static string OfDomain(HypervisorDescription hypervisor, string? architecture, string? machine, string? type)
    {
        if (architecture is not null && architecture != HostFacts.Architecture)
        {
            throw RpcException.InvalidArgument($"there is no emulator for architecture '{architecture}'; this host's is {HostFacts.Architecture}");
        }

        if (type is not null && !Types(hypervisor).Contains(type))
        {
            throw RpcException.InvalidArgument($"there are no domains of type '{type}' on this host; there are: {string.Join(", ", Types(hypervisor))}");
        }

        var name = machine ?? "pc";
        return !hypervisor.Machines.TryGetValue(name, out var versioned)
            ? throw RpcException.InvalidArgument($"the machine '{name}' is not supported by emulator '{hypervisor.Emulator}'")
            : new XElement(
                "domainCapabilities",
                new XElement("path", hypervisor.Emulator),
                new XElement("domain", type ?? Types(hypervisor)[^1]),
                new XElement("machine", versioned),
                new XElement("arch", HostFacts.Architecture),
                new XElement("vcpu", new XAttribute("max", MaximumVcpus)),
                new XElement("os", Supported(true), Choices("firmware", "efi"), new XElement("loader", Supported(true), Choices("type", "rom", "pflash"))),
                Cpu(hypervisor),
                Devices(),
                new XElement("features", new XElement("genid", Supported(true)), new XElement("backup", Supported(false)))).AsText();
    }

    private static string AsText(this XElement element) => LibvirtXml.Of(element);

    private static XElement Cpu(HypervisorDescription hypervisor) => new(
        "cpu",
        new XElement("mode", new XAttribute("name", "host-passthrough"), Supported(hypervisor.HasKvm)),
        new XElement("mode", new XAttribute("name", "maximum"), Supported(true)),
        new XElement("mode", new XAttribute("name", "host-model"), Supported(true)),
        new XElement(
            "mode", new XAttribute("name", "custom"), Supported(true),
            hypervisor.CpuModels.Select(m => new XElement("model", new XAttribute("usable", "unknown"), m))));

    private static XElement Devices() => new(
        "devices",
        new XElement("disk", Supported(true), Choices("diskDevice", "disk", "cdrom"), Choices("bus", "ide", "scsi", "virtio", "sata"), Choices("model", "virtio")),
        new XElement("graphics", Supported(true), Choices("type", "vnc")),
        new XElement("video", Supported(true), Choices("modelType", "vga", "cirrus", "virtio", "none", "bochs")),
        new XElement("rng", Supported(true), Choices("model", "virtio"), Choices("backendModel", "random")),
        new XElement("tpm", Supported(true), Choices("model", "tpm-tis", "tpm-crb"), Choices("backendModel", "emulator")),
        new XElement("channel", Supported(true), Choices("type", "unix")));

    private static string[] Types(HypervisorDescription hypervisor) => hypervisor.HasKvm ? ["qemu", "kvm"] : ["qemu"];

    private static XElement Machine(KeyValuePair<string, string> machine) => new(
        "machine", machine.Key == machine.Value ? null : new XAttribute("canonical", machine.Value), new XAttribute("maxCpus", MaximumVcpus), machine.Key);

    private static XElement Toggled(string feature) => new(feature, new XAttribute("default", "on"), new XAttribute("toggle", "yes"));

    private static XAttribute Number(string name, int value) => new(name, value.ToString(CultureInfo.InvariantCulture));

    private static XAttribute Supported(bool isSupported) => new("supported", isSupported ? "yes" : "no");

    private static XElement Choices(string name, params string[] values) =>
        new("enum", new XAttribute("name", name), values.Select(v => new XElement("value", v)));

    /// <summary>What tells this host from others: the id that it was given when it was installed.</summary>
    private static string HostId() =>
        File.Exists("/etc/machine-id") && Guid.TryParseExact(File.ReadAllText("/etc/machine-id").Trim(), "N", out var id) ? id.ToString("D") : Guid.Empty.ToString("D");
}
