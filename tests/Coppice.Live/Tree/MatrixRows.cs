using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>What must be seen after a snapshot was taken, the guest went on, and the domain was put back.</summary>
public enum RowOracle
{
    /// <summary>RAM and all disks are of one instant: the guest goes on where it was, and no block differs from what it remembers.</summary>
    Together,

    /// <summary>The guest boots; its disks are as after a power failure, at most one write apart from each other.</summary>
    CrashConsistent,

    /// <summary>RAM is back, and only by force, because a disk that took no part went on being written.</summary>
    ByForce,

    /// <summary>The domain stands still afterwards; RAM and the disks that took part are of one instant.</summary>
    StandsStill,

    /// <summary>It makes no sense, and is refused.</summary>
    Refused,
}

/// <summary>One way to ask for a snapshot, by the row of the matrix that decides it (R109–R133).</summary>
/// <param name="Rule">The row.</param>
/// <param name="Case">What was asked, in the words of the matrix.</param>
/// <param name="Active">Whether the guest runs.</param>
/// <param name="Ask">The request.</param>
/// <param name="Mechanism">What the plan says about the way it is done.</param>
/// <param name="Oracle">What is looked for.</param>
public sealed record SnapshotRow(
    string Rule, string Case, bool Active, CreateSnapshot Ask, string Mechanism, RowOracle Oracle)
{
    private const DiskMode Int = DiskMode.Internal, Ext = DiskMode.External, No = DiskMode.None;
    private const MemoryMode MemoryInt = MemoryMode.Internal, MemoryExt = MemoryMode.External, MemoryNo = MemoryMode.None;

    /// <summary>All rows; a row that allows several combinations has several.</summary>
    public static ImmutableArray<SnapshotRow> All { get; } =
    [
        Off("R109", "omit, omit", Of(), "no memory + internal vda, vdb", RowOracle.CrashConsistent),
        Off("R110", "no, omit", Of(memory: MemoryNo), "no memory + internal vda, vdb", RowOracle.CrashConsistent),
        Off("R111", "omit, no", Of(No, No), "", RowOracle.Refused),
        Off("R112", "omit, int", Of(Int, Int), "no memory + internal vda, vdb", RowOracle.CrashConsistent),
        Off("R113", "omit, ext", Of(Ext, Ext), "no memory + external vda, vdb", RowOracle.CrashConsistent),
        Off("R112+R113", "omit, int and ext", Of(Int, Ext), "no memory + internal vda + external vdb", RowOracle.CrashConsistent),
        Off("R114", "int, omit", Of(memory: MemoryInt), "", RowOracle.Refused),
        On("R115", "omit, omit", Of(), "internal memory in vda + internal vda, vdb", RowOracle.Together),
        On("R116", "omit, omit, disk-only", Only(Of()), "no memory + external vda, vdb", RowOracle.CrashConsistent),
        On("R117", "omit, ext", Of(Ext, Ext), "external memory (stream) + external vda, vdb", RowOracle.Together),
        On("R117", "omit, ext and no", Of(Ext, No), "external memory (stream) + external vda", RowOracle.ByForce),
        On("R118", "omit, no, disk-only", Only(Of(No, No)), "", RowOracle.Refused),
        On("R119", "omit, ext, disk-only", Only(Of(Ext, Ext)), "no memory + external vda, vdb", RowOracle.CrashConsistent),
        On("R120", "omit, int", Of(Int, Int), "internal memory in vda + internal vda, vdb", RowOracle.Together),
        On("R121", "omit, int, disk-only", Only(Of(Int, Int)), "no memory + internal vda, vdb", RowOracle.CrashConsistent),
        On("R119+R121", "omit, int and ext, disk-only", Only(Of(Int, Ext)), "no memory + internal vda + external vdb", RowOracle.CrashConsistent),
        On("R122", "no, omit", Of(memory: MemoryNo), "no memory + external vda, vdb", RowOracle.CrashConsistent),
        On("R123", "no, no", Of(No, No, MemoryNo), "", RowOracle.Refused),
        On("R124", "no, int", Of(Int, Int, MemoryNo), "no memory + internal vda, vdb", RowOracle.CrashConsistent),
        On("R125", "no, ext", Of(Ext, Ext, MemoryNo), "no memory + external vda, vdb", RowOracle.CrashConsistent),
        On("R126", "int, omit, disk-only", Only(Of(memory: MemoryInt)), "", RowOracle.Refused),
        On("R127", "int, omit", Of(memory: MemoryInt), "internal memory in vda + internal vda, vdb", RowOracle.Together),
        On("R128", "int, ext", Of(Ext, Ext, MemoryInt), "internal memory in vda + external vda, vdb", RowOracle.Together),
        On("R128", "int, no", Of(No, No, MemoryInt), "internal memory in vda", RowOracle.ByForce),
        On("R129", "int, int", Of(Int, Int, MemoryInt), "internal memory in vda + internal vda, vdb", RowOracle.Together),
        On("R128+R129", "int in vdb, ext and int", Holding(Of(Ext, Int, MemoryInt), "vdb"),
            "internal memory in vdb + external vda + internal vdb", RowOracle.Together),
        On("R130", "ext, omit", Of(memory: MemoryExt), "external memory (stream) + external vda, vdb", RowOracle.Together),
        On("R131", "ext, no", Of(No, No, MemoryExt), "external memory (stream)", RowOracle.ByForce),
        On("R132", "ext, int", Of(Int, Int, MemoryExt), "external memory (stream) + internal vda, vdb", RowOracle.Together),
        On("R132+R133", "ext, int and ext", Of(Int, Ext, MemoryExt), "external memory (stream) + internal vda + external vdb", RowOracle.Together),
        On("R133", "ext, ext", Of(Ext, Ext, MemoryExt), "external memory (stream) + external vda, vdb", RowOracle.Together),
        On("R133", "ext, ext and manual", Of(Ext, DiskMode.Manual, MemoryExt), "external memory (stream) + external vda + manual vdb", RowOracle.StandsStill),
    ];

    /// <summary>A row by its case.</summary>
    public static SnapshotRow Find(string rule, string @case) => All.Single(r => r.Rule == rule && r.Case == @case);

    private static SnapshotRow Off(string rule, string @case, CreateSnapshot ask, string mechanism, RowOracle oracle) =>
        new(rule, @case, false, ask, mechanism, oracle);

    private static SnapshotRow On(string rule, string @case, CreateSnapshot ask, string mechanism, RowOracle oracle) =>
        new(rule, @case, true, ask, mechanism, oracle);

    private static CreateSnapshot Of(DiskMode? vda = null, DiskMode? vdb = null, MemoryMode? memory = null) => new(LiveDomain.Name)
    {
        Memory = memory is { } mode ? new MemoryRequest(mode) : null,
        Disks = [.. new[] { ("vda", vda), ("vdb", vdb) }.Where(d => d.Item2 is not null).Select(d => new DiskRequest(d.Item1, d.Item2))],
    };

    private static CreateSnapshot Only(CreateSnapshot ask) => ask with { DiskOnly = true };

    private static CreateSnapshot Holding(CreateSnapshot ask, string disk) => ask with { Memory = ask.Memory! with { Disk = disk } };
}
