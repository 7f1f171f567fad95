using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Qemu.Steps;

/// <summary>What it costs to keep memory, as far as that can be told beforehand.</summary>
internal static class MemoryCost
{
    private const long BytesPerSecond = 400L << 20;

    // A clone of RAM in 3,500 pieces took 111 ms.
    private static readonly TimeSpan s_perExtent = TimeSpan.FromMicroseconds(32);
    private static readonly TimeSpan s_deviceState = TimeSpan.FromMilliseconds(15);

    // 2 GiB stood still for 89 ms, and 8 GiB for 257 (docs/performance.md).
    private static readonly TimeSpan s_watchingBegins = TimeSpan.FromMilliseconds(40);
    private static readonly TimeSpan s_watchingPerGibibyte = TimeSpan.FromMilliseconds(40);

    /// <summary>How much longer a guest stands still that runs on while its memory is written: until every page is watched.</summary>
    /// <param name="estimate">About how many bytes the stream will have.</param>
    public static TimeSpan PauseInBackground(ByteCount estimate) =>
        s_watchingBegins + (estimate.Bytes / (double)(1L << 30) * s_watchingPerGibibyte);

    /// <summary>The file that it goes to.</summary>
    /// <param name="memory">The image.</param>
    /// <param name="estimate">About how many bytes a stream would have.</param>
    public static ImmutableArray<FileChange> Files(MemoryImage memory, ByteCount estimate) => memory.File is { } file
        ? [new FileChange(FileEffect.Create, file, memory.Format is MemoryFormat.Mapped ? MemoryVolume.DeviceState : estimate)]
        : [];

    /// <summary>How much longer the guest stands still for it.</summary>
    /// <param name="memory">The image.</param>
    /// <param name="estimate">About how many bytes a stream would have.</param>
    /// <param name="extents">In how many pieces the RAM lies, if it is cloned.</param>
    public static TimeSpan Pause(MemoryImage memory, ByteCount estimate, int extents) => memory switch
    {
        { Mode: MemoryMode.None } => TimeSpan.Zero,
        { Format: MemoryFormat.Mapped } => s_deviceState + (extents * s_perExtent),
        _ => TimeSpan.FromSeconds((double)estimate.Bytes / BytesPerSecond),
    };
}
