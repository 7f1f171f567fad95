using System.Collections.Immutable;
using System.Globalization;

namespace Coppice.Core;

/// <summary>An image that was written although snapshots rely on it as it was.</summary>
/// <param name="Layer">The image.</param>
/// <param name="At">When it was last written.</param>
/// <param name="Frozen">The snapshots that had frozen it by then, or a layer on top of it.</param>
public sealed record RewrittenLayer(Layer Layer, DateTimeOffset At, ImmutableArray<SnapshotId> Frozen);

/// <summary>
/// What somebody else has done behind the catalog's back. A chain that is another one is found by the storage; here it is block
/// jobs that moved a process, and writes into images that snapshots froze, as a commit by hand makes them.
/// </summary>
internal static class OutsideChanges
{
    private const int MostNamed = 3, MostImages = 8;

    /// <summary>Refuses what relies on a process that writes elsewhere than the catalog says.</summary>
    public static void RequireInPlace(PlanContext context)
    {
        if (context.LiveProcess is not null
            && Moved(context.Catalog, context.Observed.Definition, context.Observed.Hypervisor).FirstOrDefault() is { } moved)
        {
            throw moved;
        }
    }

    /// <summary>The disks that a live process writes elsewhere than the catalog says, as the errors that they are.</summary>
    public static IEnumerable<CoppiceException> Moved(Catalog catalog, DomainDefinition definition, HypervisorObservation hypervisor)
    {
        var graph = LayerGraph.Of(catalog);
        return
            from disk in catalog.Head.Disks
            where !RevertChecks.IsReadOnly(definition, disk.Target)
            let recorded = graph[disk.Layer].Path
            let used = hypervisor.ActiveImages.GetValueOrDefault(disk.Target)
            where used is not null && used != recorded
            select new CoppiceException(
                ErrorKind.WrongState, $"disk '{disk.Target}' of domain '{catalog.Name}'",
                $"is written to {used}, and the catalog says {recorded}: something else has moved it, perhaps a block job",
                $"shut it down (coppice stop {catalog.Name}); the next start says how it goes on");
    }

    /// <summary>Refuses to build on images that are not what snapshots froze.</summary>
    /// <param name="context">What is planned.</param>
    /// <param name="force">They are taken as they are.</param>
    /// <param name="nextStep">What to do else.</param>
    /// <returns>The snapshots that take them as they are from now on.</returns>
    /// <exception cref="CoppiceException">There are such images (<see cref="ErrorKind.WouldLose"/>).</exception>
    public static ImmutableArray<SnapshotId> RequireUntouched(PlanContext context, bool force, string nextStep)
    {
        var rewritten = context.Observed.Rewritten;
        return force || rewritten.IsEmpty
            ? [.. rewritten.SelectMany(r => r.Frozen).Distinct()]
            : throw new CoppiceException(
                ErrorKind.WouldLose, $"image {rewritten[0].Layer.Path} of disk '{rewritten[0].Layer.Disk}' of {context.Subject}",
                string.Join("; image ", rewritten.Take(MostImages).Select((r, i) =>
                    i == 0 ? Told(context.Catalog, r) : $"{r.Layer.Path} of disk '{r.Layer.Disk}' {Told(context.Catalog, r)}"))
                    + (rewritten.Length > MostImages ? $"; and {rewritten.Length - MostImages} images more" : ""),
                nextStep);
    }

    /// <summary>The same for those who are not kept from anything, also because they force it.</summary>
    public static IEnumerable<string> Warnings(PlanContext context) =>
        context.Observed.Rewritten.Select(r => $"image {r.Layer.Path} {Told(context.Catalog, r)}");

    /// <summary>When an image was written, and which snapshots had frozen it.</summary>
    public static string Told(Catalog catalog, RewrittenLayer rewritten)
    {
        var names = rewritten.Frozen.Select(id => $"'{catalog.Snapshots[id].Name}'").ToArray();
        var more = names.Length > MostNamed ? $" and {names.Length - MostNamed} more" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"was written at {rewritten.At:u}, after snapshot {string.Join(", ", names.Take(MostNamed))}{more} froze it")
            + ": what builds on it is not what it was";
    }
}
