using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>An internal snapshot: the blocks of the image that holds it, and a guest's memory if it was saved with them.</summary>
public sealed record FakeInternal(ImmutableSortedDictionary<int, long> Blocks, long? Memory)
{
    /// <summary>When it was taken.</summary>
    public DateTimeOffset TakenAt { get; init; }
}

/// <summary>An image: what was written to it, by block, over what its backing image has.</summary>
public sealed record FakeImage(ImageFormat Format, string? Backing, ByteCount VirtualSize, ImmutableSortedDictionary<int, long> Blocks)
{
    /// <summary>Its internal snapshots, by tag.</summary>
    public ImmutableSortedDictionary<string, FakeInternal> Internals { get; init; } =
        ImmutableSortedDictionary.Create<string, FakeInternal>(StringComparer.Ordinal);

    /// <summary>What its tables say of themselves.</summary>
    public ImageHealth Health { get; init; }

    /// <summary>A file, or a block device: that is never made, grown or removed by a driver.</summary>
    public StorageType Type { get; init; }

    /// <summary>The name that the file had first, if it has several; null if it has one.</summary>
    public string? FirstName { get; init; }

    /// <summary>Whether the host itself uses it, so that no guest may.</summary>
    public bool IsMounted { get; init; }

    public static FakeImage Empty(ImageFormat format, string? backing, ByteCount size) =>
        new(format, backing, size, ImmutableSortedDictionary<int, long>.Empty);
}

/// <summary>A memory image. One that is not complete is what an interrupted write left.</summary>
public sealed record FakeMemory(long Counter, bool IsComplete)
{
    /// <summary>The name that the file had first, if it has several; null if it has one.</summary>
    public string? FirstName { get; init; }

    /// <summary>How it is laid out, whatever a catalog says.</summary>
    public MemoryFormat Format { get; init; }
}

/// <summary>What a guard does when the manager dies.</summary>
/// <param name="Then">The state it returns the process to.</param>
/// <param name="Operation">The operation that it was armed for.</param>
/// <param name="Root">If this root of the catalog names the operation as committed, the successor goes on instead.</param>
/// <param name="Successor">The process that follows.</param>
/// <param name="SuccessorRuns">Whether it is to run.</param>
public sealed record FakeGuard(DomainState Then, ShortId Operation, string? Root = null, ShortId? Successor = null, bool SuccessorRuns = false);

/// <summary>A disk of a process. It has the image open also while the guest does not see it.</summary>
public sealed record FakeDrive(string Target, string Path, bool IsWritable, bool IsPlugged = true);

/// <summary>A virtual machine that runs, or stands still. Its RAM is one number: the last one that it has written.</summary>
public sealed record FakeProcess(
    DomainId Domain, ImmutableArray<FakeDrive> Drives, DomainState State, long Counter,
    FakeGuard? Guard = null, bool IsLeft = false, bool WentOn = false)
{
    /// <summary>The host's time at which the clock of its guest was set; null if it never was.</summary>
    public long? ClockSetAt { get; init; }

    /// <summary>An agent in its guest can be asked.</summary>
    public bool HasAgent { get; init; }

    /// <summary>Its guest's file systems are frozen: it writes nothing.</summary>
    public bool IsFrozen { get; init; }

    /// <summary>The addresses of the network cards that it has, by place.</summary>
    public ImmutableSortedDictionary<int, string> Cards { get; init; } = ImmutableSortedDictionary<int, string>.Empty;

    /// <summary>The network cards whose cables are pulled.</summary>
    public ImmutableSortedSet<int> Pulled { get; init; } = [];

    /// <summary>The names of the tap devices that it has.</summary>
    public ImmutableArray<string> Taps { get; init; } = [];

    /// <summary>The file that is its RAM; null if none is.</summary>
    public RamPlace? Ram { get; init; }

    /// <summary>How often it was reset.</summary>
    public int Resets { get; init; }

    /// <summary>It ends when its time is over, unless somebody takes it before.</summary>
    public bool Waits { get; init; }
}

/// <summary>All that a machine holds. Immutable, so that it can be kept and put back.</summary>
public sealed record FakeHostState(
    ImmutableSortedDictionary<string, FakeImage> Images,
    ImmutableSortedDictionary<string, FakeMemory> Memories,
    ImmutableDictionary<ShortId, FakeProcess> Processes,
    long Bad)
{
    public static FakeHostState New { get; } = new(
        ImmutableSortedDictionary.Create<string, FakeImage>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, FakeMemory>(StringComparer.Ordinal),
        ImmutableDictionary<ShortId, FakeProcess>.Empty,
        0);

    /// <summary>The merges that processes carry out, by job.</summary>
    public ImmutableDictionary<ShortId, FakeMerge> Merges { get; init; } = ImmutableDictionary<ShortId, FakeMerge>.Empty;

    /// <summary>The disks that processes copy, by job.</summary>
    public ImmutableDictionary<ShortId, FakeMirror> Mirrors { get; init; } = ImmutableDictionary<ShortId, FakeMirror>.Empty;

    /// <summary>The copies of disks that are noted as ended, until they are on record as that.</summary>
    public ImmutableHashSet<ShortId> Ended { get; init; } = [];

    /// <summary>The files that claim room on the memory volume.</summary>
    public ImmutableSortedDictionary<string, RoomClaim> Claims { get; init; } = ImmutableSortedDictionary.Create<string, RoomClaim>(StringComparer.Ordinal);

    /// <summary>A process ends, and what it was doing.</summary>
    public FakeHostState Without(ShortId process) => this with
    {
        Processes = Processes.Remove(process),
        Merges = Merges.RemoveRange(Merges.Values.Where(m => m.Process == process).Select(m => m.Request.Job)),
        Mirrors = Mirrors.RemoveRange(Mirrors.Values.Where(m => m.Process == process).Select(m => m.Request.Job)),
    };

    /// <summary>The images of a chain, top first.</summary>
    public IEnumerable<string> Chain(string top)
    {
        for (var path = top; path is not null; path = Images.GetValueOrDefault(path)?.Backing)
        {
            yield return path;
        }
    }

    /// <summary>What a guest reads from a disk.</summary>
    public ImmutableSortedDictionary<int, long> Read(string top) =>
        Chain(top).Reverse().Aggregate(
            ImmutableSortedDictionary<int, long>.Empty, (blocks, path) => blocks.SetItems(Images[path].Blocks));

    /// <summary>What a guest would read from an internal snapshot.</summary>
    public ImmutableSortedDictionary<int, long> Read(string image, string tag)
    {
        var below = Images[image].Backing is { } backing ? Read(backing) : ImmutableSortedDictionary<int, long>.Empty;
        return below.SetItems(Images[image].Internals[tag].Blocks);
    }

    /// <summary>The last number that was written to a disk; 0 if none was.</summary>
    public long Last(string top) => Read(top).Values.Append(0).Max();

    /// <summary>The last number of a layer, which may be an internal snapshot.</summary>
    public long Last(Layer layer) => layer.Inside is { } place
        ? Read(layer.Path, place.Tag).Values.Append(0).Max()
        : Last(layer.Path);

    /// <summary>Another content of an image, which has no other name: nobody may write what several rely on.</summary>
    public FakeHostState With(string path, Func<FakeImage, FakeImage> change) => Images[path].Type is StorageType.File && NamesOf(path).Length > 1
        ? throw new InvalidOperationException($"{path} is written, and has the names {string.Join(", ", NamesOf(path))}")
        : this with { Images = Images.SetItem(path, change(Images[path])) };

    /// <summary>What tells a file from others, whatever it is called.</summary>
    public string IdentityOf(string path) =>
        Images.GetValueOrDefault(path)?.FirstName ?? Memories.GetValueOrDefault(path)?.FirstName ?? path;

    /// <summary>All names of a file.</summary>
    public string[] NamesOf(string path) => IdentityOf(path) is var first && (Images.ContainsKey(path) || Memories.ContainsKey(path))
        ? [.. Images.Keys.Concat(Memories.Keys).Where(p => IdentityOf(p) == first)]
        : [path];

    /// <summary>A file with one more name.</summary>
    public FakeHostState Linked(string path, string name)
    {
        var first = IdentityOf(path);

        // An image beside another names it relatively: what it builds on is beside its second name, too.
        var below = Images.GetValueOrDefault(path)?.Backing;
        var backing = below is not null && Path.GetDirectoryName(below) == Path.GetDirectoryName(path)
            ? $"{Path.GetDirectoryName(name)}/{Path.GetFileName(below)}"
            : below;
        return Images.TryGetValue(path, out var image)
            ? this with { Images = Images.SetItem(path, image with { FirstName = first }).Add(name, image with { FirstName = first, Backing = backing }) }
            : this with
            {
                Memories = Memories.SetItem(path, Memories[path] with { FirstName = first })
                    .Add(name, Memories[path] with { FirstName = first }),
            };
    }

    /// <summary>Takes an internal snapshot out of an image; nothing happens if it is not there.</summary>
    public FakeHostState WithoutInternal(string path, string tag) =>
        Images.ContainsKey(path) ? With(path, i => i with { Internals = i.Internals.Remove(tag) }) : this;

    /// <summary>Whether some process has an image open.</summary>
    public bool Uses(string path) => Mirrors.Values.Any(m => m.Request.Target.Path == path) || Merges.Values.Any(m => m.Holds(path)) || Processes.Values.SelectMany(p => p.Drives).Any(d => Chain(d.Path).Contains(path));
}
