using Coppice.Cli.Reports;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>Answers for people.</summary>
internal sealed class HumanOutput(Surroundings surroundings) : Output
{
    private static readonly Style s_strong = new(decoration: Decoration.Bold);

    public override void Domains(IReadOnlyList<DomainReport> domains, IReadOnlyList<BrokenReport> broken)
    {
        foreach (var one in broken)
        {
            Error(one.Error);
        }

        if (domains.Count == 0)
        {
            Line(broken.Count == 0 ? "no domains; make one: coppice create NAME --disk IMAGE --memory 2G" : "no domain can be read");
            return;
        }

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

        sheet.Draw(surroundings);
    }

    public override void Domain(DomainReport domain)
    {
        var sheet = new Sheet(2);
        sheet.Add("name", new Cell(domain.Name, s_strong));
        sheet.Add("uuid", domain.Id.ToString());
        sheet.Add("state", Wording.State(domain.State));
        sheet.Add("memory", Wording.Bytes(domain.MemoryBytes));
        if (domain.Persistence != Word.Persistent)
        {
            sheet.Add("persistence", Wording.Persistence(domain));
        }

        sheet.Add("snapshots", $"{domain.SnapshotCount}");
        sheet.Add("current", domain.Current?.Name ?? "-");
        sheet.Add("tips", domain.Tips.Count == 0 ? "-" : $"{domain.Tips.Count}; return to the newest: coppice snapshot undo {domain.Name}");
        foreach (var disk in domain.Disks)
        {
            sheet.Add(disk.Target, Disk(disk));
        }

        sheet.Add("folder", domain.Folder);
        sheet.Draw(surroundings);
    }

    public override void Snapshots(IReadOnlyList<SnapshotReport> snapshots, bool namesOnly)
    {
        if (namesOnly)
        {
            foreach (var snapshot in snapshots)
            {
                SnapshotName(snapshot);
            }
        }
        else if (snapshots.Count > 0)
        {
            Table(snapshots);
        }
        else
        {
            Line("no snapshots");
        }
    }

    public override void Tree(DomainReport domain, IReadOnlyList<SnapshotReport> snapshots) =>
        new TreeDrawing(domain, snapshots, surroundings.Time).ToSheet().Draw(surroundings);

    public override void Snapshot(SnapshotReport snapshot)
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
        sheet.Add("size", Wording.Bytes(snapshot.Bytes));
        sheet.Add("memory", Place(snapshot.Memory));
        foreach (var disk in snapshot.Disks)
        {
            sheet.Add(disk.Target, disk.Path is null ? disk.Mode : $"{disk.Mode}: {disk.Path}");
        }

        sheet.Draw(surroundings);
        if (snapshot.Description.Length > 0)
        {
            Line("");
            Line(Printable.Lines(snapshot.Description));
        }
    }

    public override void SnapshotName(SnapshotReport snapshot) => Line(Printable.Line(snapshot.Name));

    public override void Xml(string xml) => surroundings.Output.Write(xml.EndsWith('\n') ? xml : xml + "\n");

    public override void Plan(PlanReport plan) => new PlanDrawing(plan).Draw(surroundings);

    public override void Result(ResultReport result, string done)
    {
        Warn(result.Warnings);
        string?[] facts =
        [
            Wording.Duration(result.ElapsedMs),
            result.Mechanism,
            result.PauseMs is { } pause ? $"guest stood still for {Wording.Duration(pause)}" : null,
            result.WrittenBytes > 0 ? $"{Wording.Bytes(result.WrittenBytes)} written" : null,
        ];
        var what = done.Replace("{snapshot}", $"'{result.Snapshot?.Name}'", StringComparison.Ordinal);
        Line(Printable.Line($"{result.Domain}: {what}"));
        Line(Printable.Line($"  {string.Join("; ", facts.Where(f => !string.IsNullOrEmpty(f)))}"));
    }

    public override void Each(
        IReadOnlyList<PlanReport> plans, IReadOnlyList<ResultReport> results, IReadOnlyList<ErrorReport> errors, string done)
    {
        foreach (var plan in plans)
        {
            Plan(plan);
        }

        foreach (var result in results)
        {
            Result(result, done);
        }

        foreach (var error in errors)
        {
            Error(error);
        }

        if (plans.Count + results.Count + errors.Count == 0)
        {
            Line("nothing to do");
        }
    }

    public override void Warn(IReadOnlyList<string> warnings)
    {
        foreach (var warning in warnings)
        {
            surroundings.Error.WriteLine($"coppice: warning: {Printable.Line(warning)}");
        }
    }

    public override void Capabilities(CapabilitiesReport capabilities)
    {
        Line(Printable.Line($"{capabilities.Driver} {capabilities.Version}"));
        var sheet = new Sheet(2);
        foreach (var capability in capabilities.Capabilities)
        {
            sheet.Add(new Cell("yes", new Style(Color.Green)), capability);
        }

        foreach (var capability in capabilities.Missing)
        {
            sheet.Add("no", capability);
        }

        sheet.Draw(surroundings);
    }

    public override void Error(ErrorReport error) => surroundings.Error.WriteLine($"coppice: {Printable.Line(error.Message)}");

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

    private static string Place(MemoryReport memory) => memory switch
    {
        { File: { } file } => $"external: {file}",
        { Disk: { } disk } => $"internal: {disk}",
        _ => memory.Mode,
    };

    private void Table(IReadOnlyList<SnapshotReport> snapshots)
    {
        var sheet = new Sheet("", "NAME", "STATE", "KEEPS", "SIZE", "CREATED", "PARENT");
        foreach (var snapshot in snapshots)
        {
            sheet.Add(
                snapshot.IsCurrent ? "*" : "",
                new Cell(snapshot.Name, s_strong),
                Wording.State(snapshot.State),
                Wording.Kind(snapshot),
                Wording.Bytes(snapshot.Bytes),
                Wording.Time(snapshot.CreatedAt, surroundings.Time),
                snapshot.Parent?.Name ?? "-");
        }

        sheet.Draw(surroundings);
    }

    private void Line(string text) => surroundings.Output.WriteLine(text);
}
