namespace Coppice.Core;

/// <summary>What a controller attaches.</summary>
public enum ControllerKind
{
    /// <summary>A PCI bus.</summary>
    Pci,

    /// <summary>USB.</summary>
    Usb,

    /// <summary>IDE.</summary>
    Ide,

    /// <summary>SATA (AHCI).</summary>
    Sata,

    /// <summary>SCSI.</summary>
    Scsi,

    /// <summary>Ports for consoles and channels.</summary>
    VirtioSerial,
}

/// <summary>Which controller it is.</summary>
public enum ControllerModel
{
    /// <summary>The usual one of its kind.</summary>
    Default,

    /// <summary>No USB at all.</summary>
    None,

    /// <summary>USB 3 without a model in hardware.</summary>
    QemuXhci,

    /// <summary>The USB 1 function of the PIIX3.</summary>
    Piix3Uhci,

    /// <summary>The PCI bus of the pc machine.</summary>
    PciRoot,

    /// <summary>The PCI Express bus of the q35 machine.</summary>
    PcieRoot,

    /// <summary>A PCI Express port with one slot behind it.</summary>
    PcieRootPort,

    /// <summary>virtio-scsi.</summary>
    VirtioScsi,

    /// <summary>The IDE functions of the PIIX3.</summary>
    Piix3,

    /// <summary>The USB 2 function of the ICH9.</summary>
    Ich9Ehci1,

    /// <summary>The first USB 1 function of the ICH9.</summary>
    Ich9Uhci1,

    /// <summary>The second USB 1 function of the ICH9.</summary>
    Ich9Uhci2,

    /// <summary>The third USB 1 function of the ICH9.</summary>
    Ich9Uhci3,
}

/// <summary>A controller (libvirt formatdomain, <c>&lt;controller&gt;</c>).</summary>
public sealed record ControllerDevice : Device
{
    /// <summary>What it attaches.</summary>
    public required ControllerKind Kind { get; init; }

    /// <summary>Its number among those of its kind, from 0; for PCI the number of the bus.</summary>
    public int Index { get; init; }

    /// <summary>Which one it is.</summary>
    public ControllerModel Model { get; init; }

    /// <summary>The chassis number of a <see cref="ControllerModel.PcieRootPort"/>; null until sealed.</summary>
    public int? Chassis { get; init; }

    /// <summary>The port number of a <see cref="ControllerModel.PcieRootPort"/>; null until sealed.</summary>
    public int? Port { get; init; }

    /// <summary>
    /// Makes a USB 1 controller of the ICH9 the companion of the <see cref="ControllerModel.Ich9Ehci1"/> with the same index:
    /// the first port of that one that it shares, from 0. Null for one of its own.
    /// </summary>
    public int? FirstPort { get; init; }

    /// <summary>
    /// How many ports a <see cref="ControllerModel.QemuXhci"/> or a controller for consoles and channels has; null leaves it
    /// to the driver.
    /// </summary>
    public int? Ports { get; init; }

    /// <inheritdoc/>
    public override string Label
    {
        get
        {
            var label = $"{DomainWords.ControllerKinds[Kind]} controller {Index}";
            return FirstPort is null ? label : $"{label} ({DomainWords.ControllerModels[Model]})";
        }
    }
}
