namespace Coppice.Core;

/// <summary>What must hold before a revert: memory and disks fit each other, and nothing that is frozen is written.</summary>
internal static class RevertChecks
{
    /// <summary>Memory that a snapshot keeps must fit the disks that it does not (R180).</summary>
    public static void RequireMemoryFits(PlanContext context, Snapshot snapshot, RevertSnapshot request)
    {
        var definition = context.Observed.Definitions[snapshot.Definition];
        var excluded = snapshot.Disks
            .Where(d => !d.IsKept && !IsReadOnly(definition, d.Target) && !IsUntouched(context, snapshot, d))
            .Select(d => d.Target).ToArray();
        if (!request.Force && snapshot.Memory.Mode is not MemoryMode.None && excluded.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose,
                $"snapshot '{snapshot.Name}' of {context.Subject}",
                $"keeps memory but not disk {string.Join(", ", excluded)}, which may have changed since",
                "use --force to load the memory over the disk as it is now");
        }
    }

    /// <summary>
    /// A disk that took no part is as the memory knew it if the domain still uses its layer and nobody wrote to it since; where
    /// that cannot be told, somebody may have.
    /// </summary>
    private static bool IsUntouched(PlanContext context, Snapshot snapshot, DiskSnapshot disk) =>
        (context.LiveProcess is null || context.State is DomainState.Paused)
        && context.Head.Disks.Any(d => d.Target == disk.Target && d.Layer == disk.Layer)
        && context.Observed.Layers.TryGetValue(disk.Layer, out var layer)
        && layer.WrittenAt <= snapshot.CreatedAt;

    /// <summary>
    /// A disk that the tip shares with the present head, or that was frozen since, is not as the tip's memory knew it.
    /// </summary>
    public static void RequireMemoryFits(PlanContext context, Tip tip, bool force)
    {
        var definition = context.Observed.Definitions[tip.Head.Definition];
        var changed = tip.Head.Disks
            .Where(d => !IsReadOnly(definition, d.Target) && (context.Head.Disks.Contains(d) || IsFrozen(context, d.Layer)))
            .Select(d => d.Target).ToArray();
        var hasMemory = tip.Memory.Mode is not MemoryMode.None || tip.Head.Saved is not null;
        if (!force && hasMemory && changed.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose,
                $"the tip of {context.Subject} left at {tip.LeftAt:u}",
                $"keeps memory, and disk {string.Join(", ", changed)} may have changed since",
                "use --force to load the memory over the disk as it is now");
        }
    }

    /// <summary>
    /// A guest that boots takes its disks at once, so it cannot share a writable one with the guest that still has it.
    /// </summary>
    public static void RequireDisksFree(PlanContext context, RevertDestination destination, bool active)
    {
        var shared = destination.Disks.Intersect(context.Head.Disks).FirstOrDefault(d => !IsReadOnly(context.Observed.Definition, d.Target));
        if (active && shared is not null && context.LiveProcess is not null && destination.Memory.Mode is MemoryMode.None)
        {
            throw new CoppiceException(
                ErrorKind.WrongState,
                $"disk '{shared.Target}' of {context.Subject}",
                $"took no part in {destination.Name} and is in use",
                $"stop the domain first: coppice stop {context.Catalog.Name}");
        }
    }

    /// <summary>A block device that the host has made smaller: a layer of the size that it had would have no end.</summary>
    public static void RequireNotShrunk(PlanContext context, Layer frozen)
    {
        var now = context.Current(frozen.Id).VirtualSize;
        if (frozen.Type is StorageType.Block && now.Bytes < frozen.VirtualSize.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Damaged, $"disk '{frozen.Disk}' of {context.Subject}",
                $"{frozen.Path} has {now}, and had {frozen.VirtualSize} when the snapshot was taken",
                "make it as large again, if its end has not been used by something else");
        }
    }

    /// <summary>Whether a drive of a definition is never written; one that it does not have is not.</summary>
    public static bool IsReadOnly(DomainDefinition definition, string target) =>
        definition.DisksAndFlash.FirstOrDefault(d => d.Target == target) is not { IsWritten: true };

    /// <summary>Whether a layer must not be written: a snapshot has it, or others build on it.</summary>
    public static bool IsFrozen(PlanContext context, ShortId layer) =>
        context.Graph.All.Any(l => l.Parent == layer)
        || context.Catalog.Snapshots.Values.Any(s => s.Layers.Any(l => l.Id == layer) || s.Disks.Any(d => d.IsKept && d.Layer == layer));
}
