using Coppice.Cli.Reports;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>Snapshots, as a table of all or with the details of one.</summary>
internal static class SnapshotDrawing
{
    private static readonly Style s_strong = new(decoration: Decoration.Bold);

    public static Sheet Table(IReadOnlyList<SnapshotReport> snapshots, Surroundings surroundings)
    {
        var sheet = new Sheet("", "NAME", "STATE", "KEEPS", "SIZE", "CREATED", "PARENT");
        foreach (var snapshot in snapshots)
        {
            sheet.Add(
                snapshot.IsCurrent ? "*" : "",
                new Cell(snapshot.Name, s_strong),
                Wording.State(snapshot.State),
                Wording.Kind(snapshot) + (IsToldUnverified(snapshot, surroundings) ? ", unverified" : ""),
                Wording.Bytes(snapshot.Bytes),
                Wording.Time(snapshot.CreatedAt, surroundings.Time),
                snapshot.Parent?.Name ?? "-");
        }

        return sheet;
    }

    public static Sheet Details(SnapshotReport snapshot, Surroundings surroundings)
    {
        var sheet = new Sheet(2);
        sheet.Add("name", new Cell(snapshot.Name, s_strong));
        sheet.Add("uuid", snapshot.Id.ToString());
        sheet.Add("created", $"{Wording.Time(snapshot.CreatedAt, surroundings.Time)}, {Wording.Age(snapshot.CreatedAt, surroundings.Time)}");
        sheet.Add("state", Wording.State(snapshot.State));
        sheet.Add("current", snapshot.IsCurrent ? "yes" : "no");
        sheet.Add("parent", snapshot.Parent?.Name ?? "-");
        sheet.Add("children", snapshot.Children.Count == 0 ? "-" : string.Join(", ", snapshot.Children.Select(c => c.Name)));
        sheet.Add("keeps", Wording.Kind(snapshot));
        sheet.Add("consistency", Wording.Consistency(snapshot.Consistency));
        sheet.Add("size", Wording.Bytes(snapshot.Bytes));
        sheet.Add("memory", Place(snapshot.Memory));
        foreach (var disk in snapshot.Disks)
        {
            sheet.Add(disk.Target, disk.Path is null ? disk.Mode : $"{disk.Mode}: {disk.Path}");
        }

        if (IsToldUnverified(snapshot, surroundings))
        {
            sheet.Add("checksums", "unverified: not all of them are taken yet");
        }

        return sheet;
    }

    /// <summary>Where checksums are not taken unasked, each snapshot is unverified, which is no news.</summary>
    private static bool IsToldUnverified(SnapshotReport snapshot, Surroundings surroundings) =>
        snapshot.Unverified is true && BackgroundChecksums.AreOn(surroundings);

    private static string Place(MemoryReport memory) => memory switch
    {
        { File: { } file, IsVolatile: true } => $"external: {file}, gone after a loss of power",
        { File: { } file } => $"external: {file}",
        { Disk: { } disk } => $"internal: {disk}",
        _ => memory.Mode,
    };
}
