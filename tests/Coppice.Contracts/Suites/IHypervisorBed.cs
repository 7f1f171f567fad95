using Coppice.Core;

namespace Coppice.Contracts;

/// <summary>What the contract of hypervisors is tested on: one domain with one disk, whose guest counts in RAM.</summary>
public interface IHypervisorBed : IAsyncDisposable
{
    IHypervisor Hypervisor { get; }

    DomainFolder Folder { get; }

    DomainDefinition Definition { get; }

    /// <summary>The image of the disk <c>vda</c>.</summary>
    Layer Base { get; }

    /// <summary>A block device with what <see cref="Base"/> has. Skips the test where there can be none.</summary>
    Layer NewDeviceLayer();

    ShortId NewProcess();

    /// <summary>A memory image that does not exist yet.</summary>
    MemoryImage NewMemory();

    /// <summary>Sees to a memory volume for the home. Skips the test where there can be none.</summary>
    Task RequireVolumeAsync();

    /// <summary>An empty layer that exists.</summary>
    Layer NewOverlay(Layer below);

    /// <summary>Writes a mark that tells the layer into some blocks of it, 1 to 15, while nobody uses it.</summary>
    void WriteInto(Layer layer, params int[] blocks);

    /// <summary>The blocks 1 to 15 as they are read through a chain, top first, whoever uses it; one text for each.</summary>
    IReadOnlyList<string> Read(params Layer[] chain);

    /// <summary>The path of the image that a layer builds on, as its header says; null if on none.</summary>
    string? BackingOf(Layer layer);

    /// <summary>An image of its own, for a disk that a guest lets go of at once.</summary>
    Layer NewImage();

    /// <summary>The definition with that disk too, called <c>sdb</c>.</summary>
    DomainDefinition With(Layer image) => Definition with
    {
        Devices =
        [
            .. Definition.Devices,
            new DiskDevice
            {
                Target = "sdb", Bus = DiskBus.Scsi, Address = new DriveAddress(0, 0, 1, 0), Source = image.Path, Format = image.Format,
            },
        ],
    };

    bool Exists(MemoryImage memory);

    /// <summary>Skips the test where there is nothing that emulates TPMs.</summary>
    void RequireTpm();

    /// <summary>What a TPM keeps, as a text; null if it is not there.</summary>
    string? ReadTpm(ShortId state);

    /// <summary>A tap device of the host that nobody uses. Skips the test where none can be made.</summary>
    Task<string> NewTapAsync();

    /// <summary>Whether a process has a tap device.</summary>
    bool HasTap(ShortId process, string tap);

    /// <summary>The guest lets go of a network card at this slot of the first bus, as soon as it is asked to.</summary>
    Task LetGoAsync(ShortId process, int slot);

    /// <summary>The guest's counter. It grows while the guest runs.</summary>
    Task<long> CounterAsync(ShortId process);

    /// <summary>A moment passes.</summary>
    Task WaitAsync();

    /// <summary>The process dies, as if somebody had killed it.</summary>
    Task KillAsync(ShortId process);
}
