using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Reports;

/// <summary>A domain.</summary>
/// <param name="Id">Its uuid.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="MemoryBytes">The RAM its guest starts with.</param>
/// <param name="Current">The snapshot that its head came from.</param>
/// <param name="SnapshotCount">How many snapshots it has.</param>
/// <param name="Tips">The heads that reverts left, oldest first.</param>
/// <param name="Disks">Its drives.</param>
/// <param name="Folder">Where it keeps its things.</param>
/// <param name="Revision">Counts the changes of its catalog.</param>
/// <param name="Persistence">What becomes of it while nothing runs it.</param>
internal sealed record DomainReport(
    string Id,
    string Name,
    string State,
    long MemoryBytes,
    SnapshotReference? Current,
    int SnapshotCount,
    IReadOnlyList<TipReport> Tips,
    IReadOnlyList<DiskReport> Disks,
    string Folder,
    long Revision,
    string Persistence)
{
    /// <summary>Whether it may differ from every snapshot (R168): a revert then keeps it as a tip.</summary>
    public required bool Dirty { get; init; }

    /// <summary>What its definition says about it in one line; null if it says nothing.</summary>
    public string? Title { get; init; }

    /// <summary>What it says more; likewise.</summary>
    public string? Description { get; init; }

    /// <summary>What tells its guest that it was restored or forked, as the definition has it; null if nothing does.</summary>
    public string? GenerationId { get; init; }

    /// <summary>Which tips it keeps; null for all.</summary>
    public TipRetentionReport? TipRetention { get; init; }

    /// <summary>Layers that no snapshot, tip or head has as its own; empty where all domains are listed.</summary>
    public IReadOnlyList<LeftLayerReport> UnnamedLayers { get; init; } = [];

    /// <summary>Files of merged layers that are to have other names; likewise.</summary>
    public IReadOnlyList<RenameReport> Renames { get; init; } = [];

    /// <summary>Processes that wait for reverts, oldest first; some may have ended by now.</summary>
    public required IReadOnlyList<SpareReport> Spares { get; init; }

    public static DomainReport Of(DomainView view)
    {
        var (folder, catalog, definition, hypervisor) = view;
        var layers = LayerGraph.Of(catalog);
        return new DomainReport(
            catalog.Domain.ToString(),
            catalog.Name,
            Word.Of(hypervisor.State),
            definition.Memory.Bytes,
            SnapshotReference.Of(catalog, catalog.Current),
            catalog.Snapshots.Count,
            [.. catalog.Tips.Select(t => TipReport.Of(catalog, t))],
            [.. definition.DisksAndFlash.Select(d => DiskReport.Of(d, catalog.Head, layers))],
            folder.Path,
            catalog.Revision,
            Word.Of(catalog.Persistence))
        {
            Dirty = catalog.CleanIn(hypervisor) is null,
            Title = definition.Title,
            Description = definition.Description,
            GenerationId = definition.GenerationId?.ToString(),
            TipRetention = TipRetentionReport.Of(catalog.TipRetention),
            Spares = [.. catalog.Spares.Select(s => new SpareReport(s.Process.ToString(), SnapshotReference.Of(catalog, s.Snapshot), s.Until))],
            UnnamedLayers = [.. view.Left.Select(LeftLayerReport.Of)],
            Renames = [.. view.Renames.Select(RenameReport.Of)],
        };
    }
}

/// <summary>A drive of a domain.</summary>
/// <param name="Target">The name it goes by.</param>
/// <param name="Kind">Disk or CD-ROM.</param>
/// <param name="ReadOnly">The guest cannot write to it.</param>
/// <param name="Path">The image in use; null for an empty CD-ROM.</param>
/// <param name="Format">How that image stores its data.</param>
/// <param name="VirtualBytes">The size that the guest sees; null where it is not recorded.</param>
/// <param name="Depth">How many layers are stacked, this one included; null where they are not recorded.</param>
internal sealed record DiskReport(
    string Target, string Kind, bool ReadOnly, string? Path, string Format, long? VirtualBytes, int? Depth)
{
    public static DiskReport Of(DiskDevice disk, Head head, LayerGraph layers)
    {
        if (head.Disks.FirstOrDefault(d => d.Target == disk.Target) is not { } used)
        {
            return new DiskReport(disk.Target, Word.Of(disk.Kind), disk.ReadOnly, disk.Source, Word.Of(disk.Format), null, null);
        }

        var chain = layers.Chain(used.Layer);
        return new DiskReport(
            disk.Target, Word.Of(disk.Kind), disk.ReadOnly, chain[0].Path, Word.Of(chain[0].Format), chain[0].VirtualSize.Bytes, chain.Length);
    }
}

/// <summary>A process that waits for a revert.</summary>
/// <param name="Process">The process.</param>
/// <param name="Snapshot">The snapshot that the revert leads to.</param>
/// <param name="Until">When it ends if no revert has taken it.</param>
internal sealed record SpareReport(string Process, SnapshotReference? Snapshot, DateTimeOffset Until);

/// <summary>A layer without a name.</summary>
/// <param name="Disk">The disk, by target.</param>
/// <param name="Path">Its image.</param>
/// <param name="Bytes">What the image holds.</param>
/// <param name="Reason">Why it is still there.</param>
/// <param name="NextStep">What makes it go; may be empty.</param>
internal sealed record LeftLayerReport(string Disk, string Path, long Bytes, string Reason, string NextStep)
{
    public static LeftLayerReport Of(LeftLayer left) => new(
        left.Layer.Disk,
        left.Layer.Path,
        left.Layer.Type is StorageType.Block ? 0 : SnapshotReports.FileBytes(left.Layer.Path),
        left.Reason,
        left.NextStep);
}

/// <summary>The file of a merged layer that is to have another name.</summary>
/// <param name="Disk">The disk, by target.</param>
/// <param name="Path">Its path until then.</param>
/// <param name="Name">Its name, in the same folder.</param>
/// <param name="Reason">What it waits for; null if the next command that looks after merges renames it.</param>
internal sealed record RenameReport(string Disk, string Path, string Name, string? Reason)
{
    public static RenameReport Of(WaitingRename rename) => new(rename.Layer.Disk, rename.Layer.Path, rename.Name, rename.Reason);
}

/// <summary>A head that a revert left behind.</summary>
internal sealed record TipReport(string Id, DateTimeOffset LeftAt, string State, SnapshotReference? Current)
{
    public static TipReport Of(Catalog catalog, Tip tip) =>
        new(tip.Id.ToString(), tip.LeftAt, Word.Of(tip.State), SnapshotReference.Of(catalog, tip.Current));
}

/// <summary>Which tips a domain keeps: a tip goes if neither keeps it.</summary>
/// <param name="Last">The newest so many; null if their number does not matter.</param>
/// <param name="ForMs">Those that are not older; null if their age does not matter.</param>
internal sealed record TipRetentionReport(int? Last, double? ForMs)
{
    public static TipRetentionReport? Of(TipRetention retention) =>
        retention == Core.TipRetention.Forever ? null : new(retention.Last, retention.For?.TotalMilliseconds);
}

/// <summary>A tip and what it takes.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LeftAt">When a revert left it.</param>
/// <param name="State">What the domain was doing.</param>
/// <param name="Current">The snapshot that it came from.</param>
/// <param name="MemoryBytes">What its memory image holds.</param>
/// <param name="OwnBytes">What the files hold that go with it: memory, and layers that nothing else reaches.</param>
internal sealed record TipSizesReport(
    string Id, DateTimeOffset LeftAt, string State, SnapshotReference? Current, long MemoryBytes, long OwnBytes)
{
    public static TipSizesReport[] AllOf(Catalog catalog)
    {
        var layers = LayerGraph.Of(catalog);
        return
        [
            .. from tip in catalog.Tips
               let memory = tip.Memory.File ?? tip.Head.Saved?.Image.File
               select new TipSizesReport(
                   tip.Id.ToString(), tip.LeftAt, Word.Of(tip.State), SnapshotReference.Of(catalog, tip.Current),
                   memory is null ? 0 : SnapshotReports.FileBytes(memory), layers.OnlyOf(tip).Sum(SnapshotReports.FileBytes)),
        ];
    }
}

/// <summary>A domain that cannot be read.</summary>
internal sealed record BrokenReport(string Folder, ErrorReport Error)
{
    public static BrokenReport Of(BrokenDomain broken) => new(broken.Folder.Path, ErrorReport.Of(broken.Error));
}

/// <summary>What went wrong.</summary>
/// <param name="Kind">Its class, which decides the exit code.</param>
/// <param name="ExitCode">The exit code of the command.</param>
/// <param name="Subject">The thing it is about.</param>
/// <param name="Problem">What is wrong with it.</param>
/// <param name="NextStep">What to do next; may be empty.</param>
internal sealed record ErrorReport(string Kind, int ExitCode, string Subject, string Problem, string NextStep)
{
    /// <summary>All of it in one sentence.</summary>
    [JsonIgnore]
    public string Message => NextStep.Length == 0 ? $"{Subject}: {Problem}" : $"{Subject}: {Problem}; {NextStep}";

    public static ErrorReport Of(CoppiceException error) =>
        new(Word.Of(error.Kind), Cli.ExitCode.Of(error.Kind), error.Subject, error.Problem, error.NextStep);
}

/// <summary>What the hypervisor can do.</summary>
internal sealed record CapabilitiesReport(
    string Driver, string Version, IReadOnlyList<string> Capabilities, IReadOnlyList<string> Missing)
{
    public static CapabilitiesReport Of(CapabilitySet set)
    {
        var all = Enum.GetValues<Capability>();
        return new(
            set.Driver,
            set.Version,
            [.. all.Where(c => set.Items.Contains(c)).Select(Word.Of)],
            [.. all.Where(c => !set.Items.Contains(c)).Select(Word.Of)]);
    }
}
