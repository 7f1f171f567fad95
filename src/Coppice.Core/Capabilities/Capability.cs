using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>One thing a driver can do. The resolver asks for capabilities; nothing else decides what is refused.</summary>
public enum Capability
{
    /// <summary>Snapshot a disk by a new layer while the domain is off (R113).</summary>
    OfflineExternalDisk,

    /// <summary>Snapshot a disk inside its image while the domain is off (R109, R112).</summary>
    OfflineInternalDisk,

    /// <summary>Snapshot disks by new layers while the domain is active, without its memory (R119, R125).</summary>
    OnlineExternalDiskOnly,

    /// <summary>Snapshot disks inside their images while the domain is active, without its memory (R121, R124).</summary>
    OnlineInternalDiskOnly,

    /// <summary>Keep the memory in a file (R130, R131, R133).</summary>
    ExternalMemory,

    /// <summary>Keep the memory inside a disk (R115, R120, R127, R129).</summary>
    InternalMemory,

    /// <summary>Memory in a file and disks inside their images, of one instant (R132).</summary>
    ExternalMemoryInternalDisk,

    /// <summary>Memory inside a disk and disks by new layers, of one instant (R128).</summary>
    InternalMemoryExternalDisk,

    /// <summary>Internal, external and excluded disks in one instant.</summary>
    MixedDisks,

    /// <summary>Leave the domain paused so that somebody else can snapshot a disk.</summary>
    ManualDisk,

    /// <summary>Snapshot a domain whose memory is kept by a managed save.</summary>
    SavedDomain,

    /// <summary>Put the memory of a saved domain into a disk.</summary>
    SavedInternalMemory,

    /// <summary>Let the guest run on while its memory is written (<c>--live</c>).</summary>
    LiveMemory,

    /// <summary>Freeze the guest's file systems through its agent (<c>--quiesce</c>, R155).</summary>
    Quiesce,

    /// <summary>Write overlays of another format than qcow2.</summary>
    OtherOverlayFormats,

    /// <summary>Merge a layer into the one below or above it, so that any snapshot can be deleted (R14).</summary>
    MergeLayers,

    /// <summary>Copy a disk of an active domain into another image, and let its guest go over to that.</summary>
    MirrorDisk,

    /// <summary>Make a disk of an active domain larger.</summary>
    OnlineResize,

    /// <summary>Plug disks into an active domain, and take them out.</summary>
    HotPlug,

    /// <summary>Set the clock of a guest through its agent (<c>--sync-time</c>).</summary>
    GuestTime,

    /// <summary>Map a memory image for reading, so that several guests share what of it is cached (<c>--share-memory</c>).</summary>
    SharedMemoryImage,
}

/// <summary>What a driver can do, as data that the resolver reads and the user can list.</summary>
/// <param name="Driver">The driver, e.g. <c>qemu</c>.</param>
/// <param name="Version">The version of the hypervisor found.</param>
/// <param name="Items">Everything it can do.</param>
public sealed record CapabilitySet(string Driver, string Version, ImmutableHashSet<Capability> Items)
{
    /// <summary>Refuses, naming driver and capability, unless it can be done.</summary>
    /// <param name="needed">What is needed.</param>
    /// <param name="subject">The thing it is needed for.</param>
    /// <param name="instead">What the user can do instead.</param>
    /// <exception cref="CoppiceException">It cannot (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public void Require(Capability needed, string subject, string instead)
    {
        if (!Items.Contains(needed))
        {
            throw new CoppiceException(ErrorKind.MissingCapability, subject, $"driver {Driver} lacks the capability {needed}", instead);
        }
    }
}
