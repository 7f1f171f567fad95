using Coppice.Core;

namespace Coppice.Contracts;

/// <summary>What the contract of storage backends is tested on.</summary>
public interface IStorageBed : IAsyncDisposable
{
    IStorage Storage { get; }

    DomainFolder Folder { get; }

    /// <summary>A disk with an image of a user.</summary>
    DiskDevice NewDisk();

    /// <summary>A disk with a block device of a user. Skips the test where there can be none.</summary>
    DiskDevice NewDevice();

    /// <summary>Makes a block device larger or smaller, as its owner may.</summary>
    void SetSize(DiskDevice device, ByteCount size);

    /// <summary>The host itself uses a block device, until what is returned is disposed of.</summary>
    IDisposable Claim(DiskDevice device);

    /// <summary>Where the next layer of a disk can go; there is nothing yet.</summary>
    string NewPath();

    /// <summary>Another name of an image.</summary>
    string NewNameOf(string path);

    bool Exists(string path);

    /// <summary>Writes into a layer as a guest does.</summary>
    void WriteInto(Layer layer, Layer backing);

    /// <summary>Whether what <see cref="WriteInto"/> writes is seen in a layer.</summary>
    bool IsWritten(Layer layer);

    /// <summary>Damages the tables of a layer that <see cref="WriteInto"/> has written, so that they are as told.</summary>
    void Damage(Layer layer, ImageHealth health);

    /// <summary>Starts something that writes to a layer, until what is returned is disposed of.</summary>
    IAsyncDisposable Use(Layer layer);
}
