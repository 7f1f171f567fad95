using System.Security.Cryptography;
using System.Text;
using Coppice.Core;
using Coppice.Qemu.Probing;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu;

/// <summary>
/// Resolves what a memory image needs unchanged and only QEMU knows: accelerator, machine type, CPU. Then every device gets
/// its address.
/// </summary>
internal sealed class Sealing(QemuProgram program, KvmProbe kvm, FirmwareChoice firmware, TpmEmulator tpm)
{
    /// <summary>The CPU of a definition that names none: every QEMU emulates it, whatever the host.</summary>
    public const string DefaultCpu = "qemu64";

    public async Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation)
    {
        if (definition.Type is not ("kvm" or "qemu"))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"type '{definition.Type}' of domain '{definition.Name}'", "is not what QEMU runs", "write type='kvm' or type='qemu'");
        }

        var inventory = await program.InventoryAsync(cancellation);
        var asked = definition.Os.Machine ?? inventory.DefaultMachine;
        if (!inventory.Machines.TryGetValue(asked, out var machine))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"machine type '{asked}' of domain '{definition.Name}'",
                $"QEMU {inventory.Version} does not have it", "name one that 'qemu-system-x86_64 -machine help' lists");
        }

        tpm.Require(definition);

        // Whoever names a version has been here before, or at another host, and stays with what was decided then.
        var type = await AcceleratorAsync(definition, isDecided: definition.Os.Machine == machine, cancellation);
        return DomainSeal.AssignAddresses(firmware.Fill(definition, machine) with
        {
            Type = type,
            Cpu = Cpu(definition, type, inventory),
            Devices = [.. WithMacs(definition)],
        });
    }

    private async Task<string> AcceleratorAsync(DomainDefinition definition, bool isDecided, CancellationToken cancellation)
    {
        if (definition.Type != "kvm" || await kvm.WorksAsync(cancellation))
        {
            return definition.Type;
        }

        return isDecided
            ? throw new CoppiceException(
                ErrorKind.MissingCapability, $"domain '{definition.Name}'",
                $"asks for KVM with machine type '{definition.Os.Machine}', and no guest runs on KVM here",
                "write type='qemu' to have it emulated (memory that was kept under KVM then no longer fits), or mend KVM")
            : "qemu";
    }

    private static CpuSettings Cpu(DomainDefinition definition, string type, QemuInventory inventory)
    {
        var cpu = definition.Cpu ?? new CpuSettings { Model = DefaultCpu };
        if (cpu.Mode is CpuMode.Custom)
        {
            var model = cpu.Model ?? DefaultCpu;
            return inventory.CpuModels.Contains(model)
                ? cpu with { Model = model }
                : throw new CoppiceException(
                    ErrorKind.MissingCapability, $"CPU model '{model}' of domain '{definition.Name}'",
                    $"QEMU {inventory.Version} does not have it", "name one that 'qemu-system-x86_64 -cpu help' lists");
        }

        return type == "kvm" ? cpu : cpu with { Mode = CpuMode.Custom, Model = DefaultCpu, Migratable = null };
    }

    private static IEnumerable<Device> WithMacs(DomainDefinition definition)
    {
        var index = 0;
        foreach (var device in definition.Devices)
        {
            yield return device is NetworkDevice { Mac: null } network
                ? network with { Mac = Mac(definition.Id, index) }
                : device;
            index++;
        }
    }

    /// <summary>An address in QEMU's range that follows from the domain: sealing is repeatable, and two domains differ.</summary>
    private static string Mac(DomainId domain, int device)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{domain}/{device}"));
        return $"52:54:00:{hash[0]:x2}:{hash[1]:x2}:{hash[2]:x2}";
    }
}
