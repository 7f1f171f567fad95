using Coppice.Core;

namespace Coppice.Contracts;

/// <summary>What the contract of storage backends is tested on.</summary>
public interface IStorageBed : IAsyncDisposable
{
    IStorage Storage { get; }

    DomainFolder Folder { get; }

    /// <summary>A disk with an image of a user.</summary>
    DiskDevice NewDisk();

    /// <summary>Where the next layer of a disk can go; there is nothing yet.</summary>
    string NewPath();

    /// <summary>Another name of an image.</summary>
    string NewNameOf(string path);

    bool Exists(string path);

    /// <summary>Writes into a layer as a guest does.</summary>
    void WriteInto(Layer layer, Layer backing);
}
