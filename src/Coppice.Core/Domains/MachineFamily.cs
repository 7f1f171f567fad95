using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What the machine types of a family with PCI have on their first bus from the start.</summary>
/// <param name="Name">How messages call it.</param>
/// <param name="BuiltIn">The functions that the machine itself occupies.</param>
/// <param name="DriveController">The kind of its built-in drive controller, which has index 0.</param>
/// <param name="DriveControllerAddress">Where that one is.</param>
/// <param name="FreeSlots">The slots that devices are put in, lowest first.</param>
internal sealed record MachineFamily(
    string Name,
    ImmutableArray<(PciAddress Address, string Owner)> BuiltIn,
    ControllerKind DriveController,
    PciAddress DriveControllerAddress,
    ImmutableArray<int> FreeSlots)
{
    /// <summary>Where firmware and guests expect the first graphics card; no other device is put there.</summary>
    public const int VideoSlot = 2;

    private static readonly MachineFamily Pc = new(
        "pc",
        [
            (new PciAddress(0, 0, 0), "the machine's host bridge"), (new PciAddress(0, 1, 0), "the machine's ISA bridge"),
            (new PciAddress(0, 1, 3), "the machine's power management"),
        ],
        ControllerKind.Ide,
        new PciAddress(0, 1, 1),
        [.. Enumerable.Range(3, 29)]);

    private static readonly MachineFamily Q35 = new(
        "q35",
        [
            (new PciAddress(0, 0, 0), "the machine's host bridge"), (new PciAddress(0, 31, 0), "the machine's ISA bridge"),
            (new PciAddress(0, 31, 3), "the machine's SMBus"),
        ],
        ControllerKind.Sata,
        new PciAddress(0, 31, 2),
        [.. Enumerable.Range(3, 28)]);

    /// <summary>The family of a definition's machine type.</summary>
    /// <exception cref="CoppiceException">It is not known (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public static MachineFamily Of(DomainDefinition definition) => definition.Os.Machine switch
    {
        null or "pc" => Pc,
        "q35" => Q35,
        var machine when machine.StartsWith("pc-i440fx-", StringComparison.Ordinal) => Pc,
        var machine when machine.StartsWith("pc-q35-", StringComparison.Ordinal) => Q35,
        var machine => throw new CoppiceException(
            ErrorKind.MissingCapability, $"domain '{definition.Name}'", $"the machine type '{machine}' is not supported",
            "use pc, q35 or microvm"),
    };

    /// <summary>Whether a controller is the one that the machine has anyway.</summary>
    public bool IsBuiltIn(ControllerDevice controller) => controller.Kind == DriveController && controller.Index == 0;
}
