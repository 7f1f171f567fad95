namespace Coppice.Core;

/// <summary>
/// Finds files of a domain that no catalog names. What an interrupted command left half made holds nothing that could be missed.
/// Anything else may be what a snapshot kept that was forgotten with its files, also a layer to which nothing was ever written: a
/// document of it can bring it back, but only with all of its files. So it is only told, and goes if somebody says so.
/// </summary>
internal static class OrphanSearch
{
    private const string RepairIt = "remove it: coppice check --repair";

    public static IEnumerable<Finding> In(CheckedDomain domain, IHypervisor hypervisor, IStorage storage)
    {
        var identities = domain.Named.Values.Select(f => f.Identity).ToHashSet(StringComparer.Ordinal);
        var used = domain.Hypervisor?.ActiveImages.Values.ToHashSet(StringComparer.Ordinal) ?? [];
        var records = domain.UnnamedRecords.Select(path => new Finding(
            FindingKind.Leftover, $"file {path}", "belongs to the catalog, and its root does not name it", RepairIt)
        {
            Repair = [storage.Remove(path, default)],
        });
        var files =
            from file in domain.Stored
            where !domain.Named.ContainsKey(file.Key) && !used.Contains(file.Key) && !IsRamInUse(domain, file.Key)
            orderby file.Key
            let finding = Of(domain, file.Key, file.Value, hypervisor, storage)
            select !finding.Repair.IsEmpty && WhyItMayBeNeeded(domain, file.Value, identities) is { } why
                ? finding with { NextStep = why, Repair = [] }
                : finding;
        return records.Concat(files);
    }

    private static Finding Of(CheckedDomain domain, string path, FileObservation file, IHypervisor hypervisor, IStorage storage)
    {
        var remove = storage.Remove(path, file.Allocated);
        return OwnFile.KindOf(domain.Folder, path) switch
        {
            OwnFileKind.Partial => new Finding(
                FindingKind.Leftover, $"file {path}", $"was left by a command that was interrupted, and takes {file.Allocated}", RepairIt)
            {
                Repair = [remove],
            },
            OwnFileKind.Ram => new Finding(
                FindingKind.Leftover, $"RAM {path}", $"is of a process that has ended, and takes {file.Allocated}", RepairIt)
            {
                Repair = [remove],
            },
            OwnFileKind.Layer or OwnFileKind.Variables => Kept($"layer {path}", file, remove),
            OwnFileKind.Memory => Kept($"memory image {path}", file, remove),
            OwnFileKind.Definition => Kept($"definition {path}", file, remove),
            OwnFileKind.Tpm => Kept($"TPM {path}", file, hypervisor.RemoveTpm(domain.Folder, new ShortId(Path.GetFileName(path)))),
            _ when domain.Folder.IsOwnLayer(path) => new Finding(
                FindingKind.Orphan, $"file {path}",
                "is named by no catalog, and not as Coppice names layers; perhaps a layer with a name of its own (--final-name), "
                    + "kept when its snapshot was forgotten",
                "put that back with its document (snapshot create --redefine), or move the file: the folder goes with the domain"),
            _ => new Finding(
                FindingKind.Orphan, $"file {path}", "lies in a folder of the domain and is not Coppice's, by its name",
                "keep your files elsewhere: the folder goes with the domain"),
        };
    }

    /// <summary>One of a process that the catalog has, or that lives all the same.</summary>
    private static bool IsRamInUse(CheckedDomain domain, string path) =>
        OwnFile.KindOf(domain.Folder, path) is OwnFileKind.Ram && new ShortId(Path.GetFileNameWithoutExtension(path)) is var process
        && (domain.Catalog.Processes.Contains(process) || domain.Processes.Any(p => p.Id == process));

    private static Finding Kept(string subject, FileObservation file, Step remove) => new(
        FindingKind.Orphan, subject, $"is named by no catalog, and takes {file.Allocated}; perhaps a forgotten snapshot kept it",
        "if you have no document to put that back with (snapshot create --redefine): coppice check --repair --orphans")
    {
        Repair = [remove],
        Forgets = true,
    };

    private static string? WhyItMayBeNeeded(CheckedDomain domain, FileObservation file, HashSet<string> identities) => domain switch
    {
        { NamedByOthers: null } => "it stays as long as a domain cannot be read that might need it",
        { NamedByOthers: { } others } when others.Contains(file.Identity) || identities.Contains(file.Identity) =>
            "it stays: under another name it is in use",
        { Hypervisor: null } => "it stays as long as the process of the domain does not answer",
        { Processes: var all } when all.Any(p => p.IsAlive && !domain.Catalog.Processes.Contains(p.Id)) =>
            "it stays as long as another process of the domain runs",
        _ => null,
    };
}
