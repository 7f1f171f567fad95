namespace Coppice.Core;

/// <summary>
/// Plug the cable of a network card in, or pull it, while the domain runs, is saved or off. Nothing happens if it is so already.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Card">The card, by MAC address, or as <c>net0</c> by its place in the definition.</param>
/// <param name="IsUp">Whether it is plugged in.</param>
public sealed record SetLink(string Domain, string Card, bool IsUp) : DomainRequest("link", Domain);

/// <summary>Make a disk larger, in the image that it writes to. Nothing happens if it is that large.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
/// <param name="Size">How large it is to be.</param>
public sealed record ResizeDisk(string Domain, string Target, ByteCount Size) : DomainRequest("disk resize", Domain);

/// <summary>Give a domain one disk more, while it runs or is off.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Image">The image.</param>
public sealed record AttachDisk(string Domain, NewDisk Image) : DomainRequest("disk attach", Domain)
{
    /// <summary>What it is to be called; null for the first name of its bus that is free.</summary>
    public string? Target { get; init; }

    /// <summary>How it is attached; null leaves that to the target, and is virtio without one.</summary>
    public DiskBus? Bus { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>The serial number that the guest sees.</summary>
    public string? Serial { get; init; }
}

/// <summary>
/// Take a disk from a domain, while it runs or is off. The image that the user brought stays, and snapshots keep what they have
/// of it.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
/// <param name="Discard">Also if what was written to it since the last snapshot goes with it.</param>
public sealed record DetachDisk(string Domain, string Target, bool Discard) : DomainRequest("disk detach", Domain);
