using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What a definition must keep to within its home.</summary>
internal static class DefinitionRules
{
    /// <summary>Paths must be absolute and plain.</summary>
    public static void CheckSources(DomainDefinition definition)
    {
        foreach (var disk in definition.DisksAndFlash.Where(d => d.Source is not null))
        {
            var subject = $"disk '{disk.Target}' of domain '{definition.Name}'";
            if (!Path.IsPathFullyQualified(disk.Source!) || disk.Source!.Any(char.IsControl))
            {
                throw new CoppiceException(ErrorKind.InvalidInput, subject, "its image is not an absolute path", "give the whole path");
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

        if (catalog.Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "is saved, and its memory fits the definition that it has",
                $"let it go on (coppice start {catalog.Name}) or boot it without that memory (--anew), then stop it");
        }

        if (definition.Name != catalog.Name)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"has the uuid {definition.Id}, which the definition of '{definition.Name}' gives",
                "leave the uuid out to make a new domain, or use that name");
        }

        var kept = Kept(definition, observed.Definition);
        var builtUpon = catalog.Snapshots.Count > 0 || catalog.Tips.Length > 0
            || catalog.Layers.Any(l => l.Origin is LayerOrigin.Coppice && !(l.Parent is null && kept.Contains(l.Disk)));
        if (builtUpon && !HaveSameDisks(definition, observed.Definition))
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject,
                "has snapshots, layers left by them, or firmware variables, of other disks than the definition names",
                "keep its disks and its firmware, or define another domain for the others");
        }
    }

    /// <summary>
    /// What stays as it is, by target: all hard disks if none of them changes, as snapshots may build on each other; else the
    /// firmware's variables alone, if they stay.
    /// </summary>
    public static ImmutableHashSet<string> Kept(DomainDefinition one, DomainDefinition other)
    {
        var same = HardDisks(one).Where(d => HardDisks(other).Any(o => Identity(o) == Identity(d))).Select(d => d.Target);
        return [.. HaveSameDisks(one, other) ? same : same.Where(t => t == DiskDevice.FlashTarget)];
    }

    /// <summary>Whether two definitions name the same hard disks, variables and images.</summary>
    public static bool HaveSameDisks(DomainDefinition one, DomainDefinition other)
    {
        var first = HardDisks(one).Select(Identity).ToHashSet();
        return first.SetEquals(HardDisks(other).Select(Identity));
    }

    public static IEnumerable<DiskDevice> HardDisks(DomainDefinition definition) =>
        definition.DisksAndFlash.Where(d => d.Kind is not DiskKind.Cdrom);

    private static (string, string?, ImageFormat, bool) Identity(DiskDevice disk) =>
        (disk.Target, disk.Source, disk.Format, disk.ReadOnly);
}
