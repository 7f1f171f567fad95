using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Which combinations of domain, memory, disks and disk-only flag mean what (R109–R133), as data.
/// <para>
/// A row lists the ways to fill in what the request leaves open. The resolver takes the first that the driver can do;
/// what was asked for is never replaced. Disks of which nothing was said follow those of which something was.
/// </para>
/// </summary>
public static class SnapshotMatrix
{
    private static readonly MatrixRefusal s_nothing = new(
        "no disk takes part and no memory is kept, so there is nothing to snapshot", "let a disk take part");

    private static readonly MatrixRefusal s_noMemory = new(
        "the domain is off, so there is no memory to keep", "leave the memory out or start the domain first");

    private static readonly MatrixRefusal s_contradiction = new(
        "disk-only leaves the memory out, yet the memory is asked for", "drop either of the two");

    private static readonly MatrixChoice s_diskInternal = new(MemoryMode.None, DiskMode.Internal);
    private static readonly MatrixChoice s_diskExternal = new(MemoryMode.None, DiskMode.External);
    private static readonly MatrixChoice s_bothInternal = new(MemoryMode.Internal, DiskMode.Internal);
    private static readonly MatrixChoice s_bothExternal = new(MemoryMode.External, DiskMode.External);
    private static readonly MatrixChoice s_memoryInternal = new(MemoryMode.Internal, DiskMode.External);
    private static readonly MatrixChoice s_memoryExternal = new(MemoryMode.External, DiskMode.Internal);

    /// <summary>All rows. Exactly one matches any combination.</summary>
    public static ImmutableArray<MatrixRow> Rows { get; } =
    [
        .. Offline(Activities.Offline),
        .. DisksOnly(Activities.Active),
        .. Full(Activities.Active),
    ];

    /// <summary>The row for a combination.</summary>
    public static MatrixRow Find(Activities domain, MemoryAsks memory, DiskAsks disks, bool diskOnly) =>
        Rows.Single(row =>
            row.Domain.HasFlag(domain)
            && row.Memory.HasFlag(memory)
            && row.Disks.HasFlag(disks)
            && (row.DiskOnly ?? diskOnly) == diskOnly);

    private static ImmutableArray<MatrixRow> Offline(Activities off) =>
    [
        new("R109", off, MemoryAsks.Omitted, DiskAsks.Omitted, null, [s_diskInternal, s_diskExternal]),
        new("R110", off, MemoryAsks.None, DiskAsks.Omitted, null, [s_diskInternal, s_diskExternal]),
        new("R111", off, MemoryAsks.NotKept, DiskAsks.None, null, [], s_nothing),
        new("R112", off, MemoryAsks.NotKept, DiskAsks.Internal, null, [s_diskInternal, s_diskExternal]),
        new("R113", off, MemoryAsks.NotKept, DiskAsks.External, null, [s_diskExternal, s_diskInternal]),
        new("R112+R113", off, MemoryAsks.NotKept, DiskAsks.Mixed, null, [s_diskExternal, s_diskInternal]),
        new("R114", off, MemoryAsks.Kept, DiskAsks.Any, null, [], s_noMemory),
    ];

    private static ImmutableArray<MatrixRow> DisksOnly(Activities on) =>
    [
        new("R116", on, MemoryAsks.Omitted, DiskAsks.Omitted, true, [s_diskExternal, s_diskInternal]),
        new("R118", on, MemoryAsks.Omitted, DiskAsks.None, true, [], s_nothing),
        new("R119", on, MemoryAsks.Omitted, DiskAsks.External, true, [s_diskExternal, s_diskInternal]),
        new("R121", on, MemoryAsks.Omitted, DiskAsks.Internal, true, [s_diskInternal, s_diskExternal]),
        new("R119+R121", on, MemoryAsks.Omitted, DiskAsks.Mixed, true, [s_diskExternal, s_diskInternal]),
        new("R122", on, MemoryAsks.None, DiskAsks.Omitted, null, [s_diskExternal, s_diskInternal]),
        new("R123", on, MemoryAsks.None, DiskAsks.None, null, [], s_nothing),
        new("R124", on, MemoryAsks.None, DiskAsks.Internal, null, [s_diskInternal, s_diskExternal]),
        new("R125", on, MemoryAsks.None, DiskAsks.External, null, [s_diskExternal, s_diskInternal]),
        new("R124+R125", on, MemoryAsks.None, DiskAsks.Mixed, null, [s_diskExternal, s_diskInternal]),
        new("R126", on, MemoryAsks.Kept, DiskAsks.Any, true, [], s_contradiction),
    ];

    private static ImmutableArray<MatrixRow> Full(Activities on) =>
    [
        new("R115", on, MemoryAsks.Omitted, DiskAsks.Omitted, false, [s_bothInternal, s_bothExternal]),
        new("R117", on, MemoryAsks.Omitted, DiskAsks.None, false, [s_bothExternal, s_memoryInternal]),
        new("R117", on, MemoryAsks.Omitted, DiskAsks.External, false, [s_bothExternal, s_memoryInternal]),
        new("R120", on, MemoryAsks.Omitted, DiskAsks.Internal, false, [s_bothInternal, s_memoryExternal, s_bothExternal]),
        new("R117+R120", on, MemoryAsks.Omitted, DiskAsks.Mixed, false, [s_bothExternal, s_bothInternal]),
        new("R127", on, MemoryAsks.Internal, DiskAsks.Omitted, false, [s_bothInternal, s_memoryInternal]),
        new("R128", on, MemoryAsks.Internal, DiskAsks.None, false, [s_memoryInternal]),
        new("R128", on, MemoryAsks.Internal, DiskAsks.External, false, [s_memoryInternal, s_bothInternal]),
        new("R129", on, MemoryAsks.Internal, DiskAsks.Internal, false, [s_bothInternal, s_memoryInternal]),
        new("R128+R129", on, MemoryAsks.Internal, DiskAsks.Mixed, false, [s_memoryInternal, s_bothInternal]),
        new("R130", on, MemoryAsks.External, DiskAsks.Omitted, false, [s_bothExternal, s_memoryExternal]),
        new("R131", on, MemoryAsks.External, DiskAsks.None, false, [s_bothExternal]),
        new("R132", on, MemoryAsks.External, DiskAsks.Internal, false, [s_memoryExternal, s_bothExternal]),
        new("R133", on, MemoryAsks.External, DiskAsks.External, false, [s_bothExternal, s_memoryExternal]),
        new("R132+R133", on, MemoryAsks.External, DiskAsks.Mixed, false, [s_bothExternal, s_memoryExternal]),
    ];
}
