namespace Coppice.Core;

/// <summary>
/// Copy a disk of a domain into another image while its guest goes on writing to it (virsh <c>blockcopy</c>). The request returns when the
/// copying has begun; if <see cref="End"/> says how it ends, when it has ended.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
/// <param name="Path">The absolute path of the image.</param>
public sealed record CopyDisk(string Domain, string Target, string Path) : DomainRequest("disk copy", Domain)
{
    /// <summary>The format of the image; null for the one that the disk has.</summary>
    public ImageFormat? Format { get; init; }

    /// <summary>Only what the topmost layer has: the copy builds on what that one builds on.</summary>
    public bool Shallow { get; init; }

    /// <summary>The image is there already, as large as the disk, and is the user's whatever happens. What it holds is overwritten.</summary>
    public bool Reuse { get; init; }

    /// <summary>How it ends once everything is copied; null if that is said later (<see cref="EndMirror"/>).</summary>
    public MirrorEnd? End { get; init; }

    /// <summary>How it is copied.</summary>
    public MirrorPace Pace { get; init; } = new();
}

/// <summary>
/// Write what a guest writes to into an image below while it goes on, and let it go over to that (virsh <c>blockcommit --active</c>).
/// Nothing that a snapshot or tip has is written or left.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
public sealed record CommitDisk(string Domain, string Target) : DomainRequest("disk commit", Domain)
{
    /// <summary>The image that is written; null for the lowest.</summary>
    public string? Base { get; init; }

    /// <summary>How it ends once everything is written; null if that is said later.</summary>
    public MirrorEnd? End { get; init; }

    /// <summary>How it is copied.</summary>
    public MirrorPace Pace { get; init; } = new();
}

/// <summary>Say how a copy of a disk ends. Giving it up is possible at any time, the others once everything is copied.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Job">The job.</param>
/// <param name="End">How it ends.</param>
public sealed record EndMirror(string Domain, string Job, MirrorEnd End) : DomainRequest("job finish", Domain);
