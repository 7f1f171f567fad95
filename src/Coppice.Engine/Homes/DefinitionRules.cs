using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What a definition must keep to within its home.</summary>
internal static class DefinitionRules
{
    /// <summary>Paths must be absolute, plain and each written by one drive only.</summary>
    public static void CheckSources(DomainDefinition definition)
    {
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var disk in definition.Disks.Where(d => d.Source is not null))
        {
            var subject = $"disk '{disk.Target}' of domain '{definition.Name}'";
            if (!Path.IsPathFullyQualified(disk.Source!) || disk.Source!.Any(char.IsControl))
            {
                throw new CoppiceException(ErrorKind.InvalidInput, subject, "its image is not an absolute path", "give the whole path");
            }

            if (Writes(disk) && !written.Add(Path.GetFullPath(disk.Source!)))
            {
                throw new CoppiceException(
                    ErrorKind.InvalidInput, subject, $"another disk writes to {disk.Source} too", "give each disk an image of its own");
            }
        }
    }

    /// <summary>
    /// No image that one domain writes may be used by another; what both only read can be shared.
    /// </summary>
    /// <exception cref="CoppiceException">One is (<see cref="ErrorKind.AlreadyExists"/>), naming that domain.</exception>
    public static void RequireImagesFree(
        DomainDefinition definition,
        ImmutableArray<ImmutableArray<Layer>> drives,
        DomainFinder finder,
        Func<DomainFolder, ShortId, DomainDefinition> read)
    {
        var uses = drives.SelectMany(chain => chain).Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        var writes = WrittenBy(definition, drives.Select(chain => chain[0])).ToHashSet(StringComparer.Ordinal);
        RequireOnce(definition, drives, writes);
        foreach (var (folder, catalog) in finder.Catalogs().Where(c => c.Catalog.Domain != definition.Id))
        {
            var graph = new LayerGraph(catalog);
            var heads = catalog.Head.Disks.Concat(catalog.Tips.SelectMany(t => t.Head.Disks)).Select(d => graph[d.Layer]);
            var otherWrites = WrittenBy(read(folder, catalog.Head.Definition), heads);
            var taken = otherWrites.FirstOrDefault(uses.Contains) ?? graph.All.Select(l => l.Path).FirstOrDefault(writes.Contains);
            if (taken is not null)
            {
                throw new CoppiceException(
                    ErrorKind.AlreadyExists, $"image {taken}", $"is used by domain '{catalog.Name}'",
                    "give each domain images of its own, or make it read-only in both");
            }
        }
    }

    /// <summary>A domain takes another definition only while it is off, under its own name, and on disks its snapshots fit.</summary>
    public static void RequireRedefinable(DomainDefinition definition, Observed observed)
    {
        var catalog = observed.Catalog;
        var subject = $"domain '{catalog.Name}'";
        if (observed.Hypervisor.IsAlive)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "is running and cannot be defined anew", $"stop it first: coppice stop {catalog.Name}");
        }

        if (definition.Name != catalog.Name)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"has the uuid {definition.Id}, which the definition of '{definition.Name}' gives",
                "leave the uuid out to make a new domain, or use that name");
        }

        var builtUpon = catalog.Snapshots.Count > 0 || catalog.Tips.Length > 0 || catalog.Layers.Any(l => l.Origin is LayerOrigin.Coppice);
        if (builtUpon && !HaveSameDisks(definition, observed.Definition))
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject, "has snapshots, or layers left by them, of other disks than the definition names",
                "keep its disks, or define another domain for the others");
        }
    }

    /// <summary>Whether two definitions name the same hard disks and images.</summary>
    public static bool HaveSameDisks(DomainDefinition one, DomainDefinition other)
    {
        var first = HardDisks(one).Select(Identity).ToHashSet();
        return first.SetEquals(HardDisks(other).Select(Identity));
    }

    public static IEnumerable<DiskDevice> HardDisks(DomainDefinition definition) =>
        definition.Disks.Where(d => d.Kind is DiskKind.Disk);

    private static (string, string?, ImageFormat, bool) Identity(DiskDevice disk) =>
        (disk.Target, disk.Source, disk.Format, disk.ReadOnly);

    private static bool Writes(DiskDevice disk) => disk is { Kind: DiskKind.Disk, ReadOnly: false };

    private static IEnumerable<string> WrittenBy(DomainDefinition definition, IEnumerable<Layer> tops)
    {
        var writing = definition.Disks.Where(Writes).Select(d => d.Target).ToHashSet(StringComparer.Ordinal);
        return tops.Where(l => writing.Contains(l.Disk)).Select(l => l.Path);
    }

    private static void RequireOnce(
        DomainDefinition definition, ImmutableArray<ImmutableArray<Layer>> drives, HashSet<string> writes)
    {
        var twice = writes.FirstOrDefault(path => drives.Count(chain => chain.Any(l => l.Path == path)) > 1);
        if (twice is not null)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{definition.Name}'", $"uses the image {twice}, to which a disk writes, more than once",
                "give each disk an image of its own");
        }
    }
}
