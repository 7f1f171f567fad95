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
    public static DomainReport Of(DomainView view)
    {
        var (folder, catalog, definition, hypervisor) = view;
        var layers = new LayerGraph(catalog);
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
            Word.Of(catalog.Persistence));
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

/// <summary>A head that a revert left behind.</summary>
internal sealed record TipReport(string Id, DateTimeOffset LeftAt, string State, SnapshotReference? Current)
{
    public static TipReport Of(Catalog catalog, Tip tip) =>
        new(tip.Id.ToString(), tip.LeftAt, Word.Of(tip.State), SnapshotReference.Of(catalog, tip.Current));
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
