using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What a definition must keep to within its home.</summary>
internal static class DefinitionRules
{
    /// <summary>Paths must be absolute and plain, and block devices hold raw disks.</summary>
    public static void CheckSources(DomainDefinition definition)
    {
        foreach (var disk in definition.DisksAndFlash.Where(d => d.Source is not null))
        {
            var subject = $"disk '{disk.Target}' of domain '{definition.Name}'";
            if (disk is { Type: StorageType.Block, Format: not ImageFormat.Raw })
            {
                throw new CoppiceException(
                    ErrorKind.InvalidInput, subject,
                    $"has the format qcow2 in the block device {disk.Source}, which is not supported",
                    "use type='raw' if the device holds the disk itself, or copy the image to a file with: qemu-img convert");
            }

            if (disk is { Type: StorageType.Block, Kind: DiskKind.Cdrom })
            {
                throw new CoppiceException(
                    ErrorKind.InvalidInput, subject,
                    $"is a CD-ROM drive with the block device {disk.Source}, which is not supported",
                    "use an ISO image, with type='file', or give the device to a <readonly/> disk");
            }

            if (!Path.IsPathFullyQualified(disk.Source!) || disk.Source!.Any(char.IsControl))
            {
                throw new CoppiceException(ErrorKind.InvalidInput, subject, "its image is not an absolute path", "give the whole path");
            }
        }
    }

    /// <summary>
    /// A domain that is off takes another definition only under its own name, and without losing what was written.
    /// </summary>
    public static void RequireRedefinable(DomainDefinition definition, Observed observed)
    {
        var catalog = observed.Catalog;
        var subject = $"domain '{catalog.Name}'";
        catalog.RequireNotSaved();
        if (definition.Name != catalog.Name)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"has the uuid {definition.Id}, which the definition of '{definition.Name}' gives",
                "leave the uuid out to make a new domain, or use that name");
        }

        if (catalog.Head.Tpm is not null && definition.Tpm is null)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject, "has a TPM, and the definition has none: what the guest has locked with it would stay locked",
                $"keep its <tpm>; if what it keeps may go, so may the domain: coppice undefine {catalog.Name}");
        }

        var kept = Kept(definition, observed.Definition);
        var graph = LayerGraph.Of(catalog);
        var lost = catalog.Head.Disks
            .Where(d => !kept.Contains(d.Target) && graph[d.Layer].Origin is LayerOrigin.Coppice).Select(d => d.Target).ToArray();
        if (lost.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject,
                $"has {string.Join(", ", lost)} in layers that Coppice made, and the definition has other images there, or none",
                $"keep the firmware and these disks as they are, or take such a disk away with: coppice disk detach {catalog.Name} DISK");
        }
    }

    /// <summary>The drives that stay as they are, by target: snapshots may have led them to layers of their own.</summary>
    public static ImmutableHashSet<string> Kept(DomainDefinition one, DomainDefinition other) =>
        [.. HardDisks(one).Select(d => d.Target).Where(target => one.HasSameDisk(other, target))];

    /// <summary>Whether two definitions name the same hard disks, variables and images.</summary>
    public static bool HaveSameDisks(DomainDefinition one, DomainDefinition other) =>
        Kept(one, other).SetEquals(HardDisks(one).Concat(HardDisks(other)).Select(d => d.Target));

    public static IEnumerable<DiskDevice> HardDisks(DomainDefinition definition) =>
        definition.DisksAndFlash.Where(d => d.Kind is not DiskKind.Cdrom);
}
