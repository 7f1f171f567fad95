using Coppice.Libvirt.Wire;

namespace Coppice.Torture.Load;

/// <summary>Something that a client does.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Weight">How often it is drawn.</param>
/// <param name="DoAsync">Does it.</param>
internal sealed record LoadOperation(string Name, int Weight, Func<LoadTurn, Task> DoAsync)
{
    private const int ManySnapshots = 20;

    // virDomainSnapshotCreateFlags, virDomainSnapshotRevertFlags.
    private const uint Halt = 8, DiskOnly = 16, Live = 256;
    private const uint Running = 1, Paused = 2, Force = 4;
    private const string Inside = "<memory snapshot='internal'/><disks><disk name='vda' snapshot='internal'/></disks>";

    private static readonly LoadOperation s_delete = new("delete", 8, t => t.DeleteAsync());

    public static IReadOnlyList<LoadOperation> All { get; } =
    [
        new("list", 8, t => t.ReadAsync(DomainProcedures.ListAll, (1, 3u))),
        new("snapshot-list", 14, t => t.LookAsync()),
        new("snapshot-dumpxml", 14, t => t.WithAnyAsync(s => t.ReadAsync(SnapshotProcedures.GetXml, (s, 0u)))),
        new("snapshot-parent", 3, t => t.WithAnyAsync(s => t.ReadAsync(SnapshotProcedures.GetParent, (s, 0u)))),
        new("snapshot-list --from", 3, t => t.WithAnyAsync(s => t.ReadAsync(SnapshotProcedures.ListAllChildren, (s, 1, 1u)))),
        new("snapshot-current", 3, t => t.ReadAsync(SnapshotProcedures.GetCurrent, (t.Domain, 0u))),
        new("dumpxml", 5, t => t.ReadAsync(DomainProcedures.GetXml, (t.Domain, 0u))),
        new("domstate", 8, t => t.ReadAsync(DomainFigureProcedures.GetState, (t.Domain, 0u))),
        new("dominfo", 5, t => t.ReadAsync(DomainFigureProcedures.GetInformation, t.Domain)),
        new("domstats", 2, t => t.ReadAsync(DomainFigureProcedures.GetStatistics, ([], 0u, 0u))),
        new("domblkstat", 3, t => t.ReadAsync(DomainFigureProcedures.GetBlockStatistics, (t.Domain, "vda"))),
        new("blockjob --info", 6, t => t.ReadAsync(JobProcedures.GetBlockJob, (t.Domain, "vda", 0u))),
        new("event", 5, t => t.ListenAsync()),
        new("create", 6, t => t.CreateAsync(0)),
        new("create --disk-only", 5, t => t.CreateAsync(DiskOnly)),
        new("create --live", 1, t => t.CreateAsync(Live)),
        new("create --halt", 1, t => t.CreateAsync(Halt)),
        new("create, internal", 2, t => t.CreateAsync(0, Inside)),
        new("revert", 4, t => t.WithAnyAsync(s => t.ChangeAsync(SnapshotProcedures.Revert, (s, 0u)))),
        new("revert --running", 2, t => t.WithAnyAsync(s => t.ChangeAsync(SnapshotProcedures.Revert, (s, Running | Force)))),
        new("revert --paused", 1, t => t.WithAnyAsync(s => t.ChangeAsync(SnapshotProcedures.Revert, (s, Paused)))),
        s_delete,
        new("start", 6, t => t.ChangeAsync(DomainProcedures.Create, t.Domain)),
        new("destroy", 3, t => t.ChangeAsync(DomainProcedures.Destroy, t.Domain)),
        new("suspend", 3, t => t.ChangeAsync(DomainProcedures.Suspend, t.Domain)),
        new("resume", 5, t => t.ChangeAsync(DomainProcedures.Resume, t.Domain)),
        new("managedsave", 1, t => t.ChangeAsync(DomainProcedures.ManagedSave, (t.Domain, 0u))),
        new("blockjob --abort", 1, t => t.ChangeAsync(JobProcedures.AbortBlockJob, (t.Domain, "vda", 0u))),
    ];

    /// <summary>Draws one. Where there are many snapshots none is made, so that trees do not grow for ever.</summary>
    public static LoadOperation Pick(Random random, LoadTurn turn)
    {
        var left = random.Next(All.Sum(o => o.Weight));
        var picked = All.First(o => (left -= o.Weight) < 0);
        return turn.Snapshots > ManySnapshots && picked.Name.StartsWith("create", StringComparison.Ordinal) ? s_delete : picked;
    }
}
