using Coppice.Cli.Reports;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>Domains, as a table of all or with the details of one.</summary>
internal static class DomainDrawing
{
    private static readonly Style s_strong = new(decoration: Decoration.Bold);

    public static Sheet Table(IReadOnlyList<DomainReport> domains)
    {
        var sheet = new Sheet("NAME", "STATE", "MEMORY", "SNAPSHOTS", "CURRENT", "PERSISTENCE");
        foreach (var domain in domains)
        {
            sheet.Add(
                new Cell(domain.Name, s_strong),
                Wording.State(domain.State),
                Wording.Bytes(domain.MemoryBytes),
                $"{domain.SnapshotCount}",
                domain.Current?.Name ?? "-",
                domain.Persistence == Word.Persistent ? "" : domain.Persistence);
        }

        return sheet;
    }

    public static Sheet Details(DomainReport domain, TimeProvider time)
    {
        var sheet = new Sheet(2);
        sheet.Add("name", new Cell(domain.Name, s_strong));
        sheet.Add("uuid", domain.Id.ToString());
        if (domain.Title is { } title)
        {
            sheet.Add("title", title);
        }

        if (domain.Description is { } description)
        {
            sheet.Add("description", description);
        }

        sheet.Add("state", Wording.State(domain.State));
        sheet.Add("memory", Wording.Bytes(domain.MemoryBytes));
        if (domain.Persistence != Word.Persistent)
        {
            sheet.Add("persistence", Wording.Persistence(domain));
        }

        if (domain.GenerationId is null)
        {
            sheet.Add("generation id", "none: its guest is not told when it is reverted or forked with its memory");
        }

        sheet.Add("snapshots", $"{domain.SnapshotCount}");
        sheet.Add("current", domain.Current?.Name ?? "-");
        sheet.Add("head", domain.Dirty ? "dirty: no snapshot may have it as it is, so a revert keeps it" : "clean: a snapshot has all of it");
        sheet.Add("tips", domain.Tips.Count == 0 ? "-" : $"{domain.Tips.Count}; return to the newest: coppice snapshot undo {domain.Name}");
        foreach (var spare in domain.Spares)
        {
            sheet.Add("spare", $"waits for a revert to '{spare.Snapshot?.Name}' until {Wording.Time(spare.Until, time)}");
        }

        foreach (var disk in domain.Disks)
        {
            sheet.Add(disk.Target, Disk(disk));
        }

        sheet.Add("folder", domain.Folder);
        foreach (var layer in domain.UnnamedLayers)
        {
            sheet.Add("unnamed", Wording.Left(layer));
        }

        foreach (var file in domain.Renames)
        {
            sheet.Add("rename", $"{file.Path} to {file.Name}{(file.Reason is null ? "" : $": {file.Reason}")}; do it: coppice gc {domain.Name}");
        }

        return sheet;
    }

    private static string Disk(DiskReport disk)
    {
        string?[] facts =
        [
            disk.Path ?? "empty",
            disk.Kind == Word.Cdrom ? "CD-ROM" : null,
            disk.VirtualBytes is { } bytes ? Wording.Bytes(bytes) : null,
            disk.Depth is { } depth ? $"{depth} layer{(depth == 1 ? "" : "s")}" : null,
            disk.ReadOnly ? "read-only" : null,
        ];
        return string.Join(", ", facts.OfType<string>());
    }
}
