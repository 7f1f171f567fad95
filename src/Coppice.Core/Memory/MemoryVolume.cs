using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A file system of its own for the RAM of guests. It clones files, so that a checkpoint does not wait for RAM.</summary>
public sealed record MemoryVolume
{
    // What the file system itself may still need for its trees, as extents are shared and unshared.
    private const long LeastReserve = 32L << 20;
    private const int ReservedParts = 50;

    /// <summary>What is kept of devices beside a clone of RAM, at most, with the picture on the screen.</summary>
    public static ByteCount DeviceState { get; } = new(16L << 20);

    /// <summary>Where it is mounted.</summary>
    public required string Folder { get; init; }

    /// <summary>Nothing on it outlives a loss of power.</summary>
    public bool IsVolatile { get; init; }

    /// <summary>What is free.</summary>
    public required ByteCount Free { get; init; }

    /// <summary>How large it is.</summary>
    public required ByteCount Capacity { get; init; }

    /// <summary>The RAM of the guests on it, of all domains, by path.</summary>
    public ImmutableDictionary<string, RamFile> Rams { get; init; } = ImmutableDictionary<string, RamFile>.Empty;

    /// <summary>Whether a file lies on it, or would.</summary>
    public bool Holds(string file) => file.StartsWith($"{Folder}/", StringComparison.Ordinal);

    /// <summary>The same once a process has ended, and its RAM is nobody's.</summary>
    public MemoryVolume Without(string ram) => this with { Rams = Rams.Remove(ram) };

    /// <summary>The same once a process has RAM there to which nothing was written yet.</summary>
    public MemoryVolume With(string ram, ByteCount size) => this with { Rams = Rams.SetItem(ram, new RamFile(size, default, 0)) };

    /// <summary>What the guests on it may still write before all of their RAM is their own.</summary>
    /// <param name="cloned">The RAM that is about to be cloned, by path: after that its guest writes to new blocks. Null for none.</param>
    public ByteCount Promised(string? cloned = null) =>
        new(Rams.Sum(r => r.Value.Size.Bytes - (r.Key == cloned ? 0 : r.Value.Own.Bytes)));

    /// <summary>
    /// How much room is missing for something more, once every guest has written to all of its RAM: 0 if it fits. A guest that finds no
    /// room for a page is killed, so room is never promised twice.
    /// </summary>
    /// <param name="more">What is to come.</param>
    /// <param name="cloned">The RAM that is about to be cloned; null for none.</param>
    public ByteCount MissingFor(ByteCount more, string? cloned = null)
    {
        var reserve = Math.Max(LeastReserve, Capacity.Bytes / ReservedParts);
        return new ByteCount(Math.Max(0, Promised(cloned).Bytes + more.Bytes + reserve - Free.Bytes));
    }
}

/// <summary>The RAM of a guest, as a file.</summary>
/// <param name="Size">How large it is.</param>
/// <param name="Own">What of it no memory image shares: writing there takes no more room.</param>
/// <param name="Extents">In how many pieces it lies on disk. Cloning it takes time for each.</param>
public sealed record RamFile(ByteCount Size, ByteCount Own, int Extents);

/// <summary>A file that is the RAM of a process. It is made when the process is started, and removed when it is ended.</summary>
/// <param name="Path">The file.</param>
/// <param name="IsClonable">
/// It lies on a memory volume, and what the guest writes goes there. Otherwise it only holds what the guest begins with.
/// </param>
public sealed record RamPlace(string Path, bool IsClonable)
{
    /// <summary>
    /// It is a memory image itself, mapped for reading by as many as like: the host has one copy of it in its cache. Nobody makes, writes or
    /// removes it for the process; what its guest writes is nowhere else.
    /// </summary>
    public bool IsImage { get; init; }
}

/// <summary>Room on a memory volume that is about to be used.</summary>
/// <param name="Ram">RAM that a process is going to have, or that is going to be cloned, by path.</param>
/// <param name="Bytes">How much room it takes: all of the RAM, or what is kept beside a clone.</param>
/// <param name="IsClone">The RAM is there, and its guest writes to new blocks once it was cloned.</param>
/// <param name="Replaces">RAM whose guest does not go on if this is used, by path; null if there is none.</param>
public sealed record RoomClaim(string Ram, ByteCount Bytes, bool IsClone, string? Replaces)
{
    /// <summary>What the name of the file ends with that says that RAM is being cloned.</summary>
    public const string MarkSuffix = ".claimed";

    /// <summary>The file that is there as long as RAM is being cloned.</summary>
    public string Mark => Ram + MarkSuffix;
}

/// <summary>A memory volume that is to be made.</summary>
/// <param name="Size">How large it is; null for a folder of a file system that is there.</param>
/// <param name="IsVolatile">It lies in the host's memory, so that nothing is written to any disk, and nothing outlives the host.</param>
/// <param name="Folder">A folder on a file system that clones files, to be used as the volume; null to make one.</param>
public sealed record NewMemoryVolume(ByteCount? Size, bool IsVolatile = false, string? Folder = null);
