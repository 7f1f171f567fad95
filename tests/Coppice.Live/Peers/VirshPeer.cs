namespace Coppice.Live.Peers;

/// <summary>Something that answers virsh: a libvirtd, or Coppice.</summary>
public abstract class VirshPeer : IAsyncDisposable
{
    /// <summary>Where it listens.</summary>
    public abstract string Socket { get; }

    /// <summary>Its files: what <c>@</c> stands for. As long for one peer as for another, since tables get wider with their words.</summary>
    public abstract string Folder { get; }

    /// <summary>How virsh is told to connect to it.</summary>
    public string Uri => $"qemu+unix:///system?socket={Socket}";

    public abstract ValueTask DisposeAsync();
}
