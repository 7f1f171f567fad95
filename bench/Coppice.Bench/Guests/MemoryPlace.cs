namespace Coppice.Bench.Guests;

/// <summary>Where the guests of a home have their RAM.</summary>
internal enum MemoryPlace
{
    /// <summary>On a memory volume: XFS in a file of the home, on the disk.</summary>
    Xfs,

    /// <summary>On a memory volume in the host's memory.</summary>
    Volatile,

    /// <summary>In a folder of btrfs, in a file on the disk.</summary>
    Btrfs,

    /// <summary>Nowhere: there is no memory volume, checkpoints are streams on ext4.</summary>
    None,
}
