using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>How a disk is copied. What is null is left to the hypervisor.</summary>
public sealed record MirrorPace
{
    /// <summary>The most that is copied in a second.</summary>
    public ByteCount? PerSecond { get; init; }

    /// <summary>In which portions it is noted what the guest has written: a power of two from 512 bytes to 64 MiB.</summary>
    public ByteCount? Granularity { get; init; }

    /// <summary>How much is on its way at a time.</summary>
    public ByteCount? Buffer { get; init; }

    /// <summary>
    /// What the guest writes is written to both images before the guest goes on, so that the copy catches up with any guest.
    /// </summary>
    public bool Synchronous { get; init; }
}

/// <summary>Copy a disk into another image while its guest goes on.</summary>
/// <param name="Job">The job; what the hypervisor runs is called <c>coppice-JOB</c>.</param>
/// <param name="Disk">The disk, by target.</param>
/// <param name="Chain">The chain of the layer that the guest writes to, top first.</param>
/// <param name="Target">
/// The other image. It exists, as large as the disk. For <see cref="MirrorKind.Commit"/> it is one of the chain; for
/// <see cref="MirrorKind.Shallow"/> it builds on the second of the chain.
/// </param>
/// <param name="Kind">What of the disk is copied.</param>
public sealed record MirrorRequest(ShortId Job, string Disk, ImmutableArray<Layer> Chain, Layer Target, MirrorKind Kind)
{
    /// <summary>How it is copied.</summary>
    public MirrorPace Pace { get; init; } = new();

    /// <summary>The layer that the guest writes to.</summary>
    public Layer Source => Chain[0];

    /// <summary>The layers that the guest leaves when it goes over.</summary>
    public ImmutableArray<Layer> Left => Kind is MirrorKind.Commit ? [.. Chain.TakeWhile(l => l.Id != Target.Id)] : [Source];
}
