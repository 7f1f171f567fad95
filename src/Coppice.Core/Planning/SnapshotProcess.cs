using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A process on layers of its own with the memory of a snapshot loaded, standing still, that is not the domain's: it waits for that, or is
/// needed for a moment.
/// </summary>
/// <param name="Disks">Its disks.</param>
/// <param name="Layers">The layers that are made for it.</param>
/// <param name="Tpm">What its TPM keeps; null if it has none.</param>
/// <param name="Launch">What is started.</param>
/// <param name="Steps">Makes the layers and starts it.</param>
internal sealed record SnapshotProcess(
    ImmutableArray<HeadDisk> Disks, ImmutableArray<Layer> Layers, ShortId? Tpm, LaunchRequest Launch, ImmutableArray<Step> Steps)
{
    /// <summary>Refuses a snapshot on which no process can stand beside the one of the domain.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="verb">What is done with it, for errors.</param>
    /// <exception cref="CoppiceException">It has no memory, or a disk that it does not keep, or is being changed.</exception>
    public static void Require(PlanContext context, Snapshot snapshot, string verb)
    {
        var definition = context.Observed.Definitions[snapshot.Definition];
        var subject = $"snapshot '{snapshot.Name}' of {context.Subject}";
        if (snapshot.Memory.Mode is MemoryMode.None)
        {
            throw new CoppiceException(ErrorKind.WrongState, subject, "has no memory: there is nothing to load", "take one while the domain runs");
        }

        if (snapshot.Disks.FirstOrDefault(d => !d.IsKept && !RevertChecks.IsReadOnly(definition, d.Target)) is { } shared)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"does not keep disk '{shared.Target}', and a process beside the domain's cannot share what the guest writes",
                $"{verb} a snapshot that keeps the disk");
        }

        OutsideChanges.RequireUntouched(context, force: false, $"put the image back as it was, or {verb} a snapshot that was taken since");
        Merging.RequireNoneOf(context, snapshot.Disks);
    }

    /// <param name="context">What was observed.</param>
    /// <param name="snapshot">A snapshot of which <see cref="Require"/> approved.</param>
    /// <param name="process">The name it gets.</param>
    /// <param name="ram">The file that is its RAM; null for none.</param>
    /// <param name="waits">How long it waits for somebody to take it; null if nobody is to.</param>
    public static SnapshotProcess Of(PlanContext context, Snapshot snapshot, ShortId process, RamPlace? ram, TimeSpan? waits)
    {
        var definition = context.Observed.Definitions[snapshot.Definition];
        var frozen = HeadLayers.Of(context, snapshot, definition);
        var made = HeadLayers.Made(context, frozen, definition, snapshot.Name);
        var disks = HeadLayers.On(frozen, made);
        ImmutableArray<Layer> layers = [.. made.Select(m => m.Layer)];
        var tpm = snapshot.Tpm is { } kept ? new TpmCopy(kept, context.Observed.Ids.NextShort()) : null;
        var launch = new LaunchRequest(process, definition, context.Chains(disks, layers), snapshot.Memory)
        {
            Ram = ram,
            MemoryHolder = snapshot.Memory.Layer is { } holder ? context.Graph[holder] : null,
            Tpm = tpm?.To,
            Waits = waits,
        };
        return new SnapshotProcess(
            disks, layers, tpm?.To, launch,
            [
                .. HeadLayers.Steps(context, made),
                .. tpm is null ? Array.Empty<Step>() : [context.Hypervisor.CopyTpm(context.Observed.Folder, tpm)],
                context.Hypervisor.Launch(launch),
            ]);
    }

    /// <summary>The clean-up that ends it, with all that was made for it.</summary>
    public IEnumerable<Step> Ended(PlanContext context) => Ended(context, Launch.Process, Layers, Tpm);

    /// <summary>The same of one that was started before.</summary>
    public static IEnumerable<Step> Ended(PlanContext context, ShortId process, ImmutableArray<Layer> layers, ShortId? tpm) =>
    [
        context.Hypervisor.End(process),
        .. layers.Select(l => context.Storage.Remove(l.Path, context.Observed.Files.GetValueOrDefault(l.Path)?.Allocated ?? default)),
        .. tpm is { } state ? [context.Hypervisor.RemoveTpm(context.Observed.Folder, state)] : Array.Empty<Step>(),
    ];
}
