namespace Coppice.Core;

/// <summary>
/// Plans that memory that was kept as a stream becomes an image that is mapped: a process loads it with its RAM on the memory volume, and is
/// cloned as it stands. The domain itself is not touched, and its guest runs on.
/// </summary>
internal static class MemoryMapping
{
    public static Plan Plan(PlanContext context, MapSnapshot request)
    {
        var snapshot = context.Find(request.Snapshot);
        if (snapshot.Memory.Format is MemoryFormat.Mapped && snapshot.Memory.Mode is MemoryMode.External)
        {
            return context.Plan("its memory is mapped already");
        }

        SnapshotProcess.Require(context, snapshot, "map");
        var place = PlaceOf(context, snapshot, out var process);
        var image = new SnapshotFiles(context.Observed, context.Graph).Memory(MemoryFormat.Mapped, null) with
        {
            WrittenBy = context.Observed.Capabilities.Version,
        };
        var loaded = SnapshotProcess.Of(context, snapshot, process, place, waits: null);
        var clone = context.Hypervisor.Checkpoint(new CheckpointRequest(process, DomainState.Paused, image, [], default));
        var change = context.NoChange with { Put = [snapshot with { Memory = image }] };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        return context.Plan($"memory (stream) loaded into a process beside the domain's, and cloned there ({image.Layout})") with
        {
            // No guest stands still for it.
            Prepare = [.. loaded.Steps, clone with { Summary = $"clone the RAM of process {process} into {image.File}", ExpectedPause = default }],
            Commit = reclaimed.Change,
            CleanUp = [.. loaded.Ended(context), .. reclaimed.Removals],
        };
    }

    /// <summary>Where the process has its RAM, so that it can be cloned.</summary>
    /// <exception cref="CoppiceException">
    /// The memory is inside a disk, or the volume is missing or loses all with the power (<see cref="ErrorKind.WrongState"/>), or has no room
    /// (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    private static RamPlace PlaceOf(PlanContext context, Snapshot snapshot, out ShortId process)
    {
        var subject = $"snapshot '{snapshot.Name}' of {context.Subject}";
        if (snapshot.Memory.Mode is MemoryMode.Internal)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"has its memory inside {snapshot.Memory.Disk}, where it stays as long as the disk's content",
                $"make a branch of it with memory of its own: coppice snapshot create {context.Catalog.Name} NAME --branch {snapshot.Name} --memory external");
        }

        var volume = context.Observed.Volume ?? throw new CoppiceException(
            ErrorKind.WrongState, subject, "cannot be mapped: the home has no memory volume", "make one: coppice pool create-memory --size SIZE");
        if (volume.IsVolatile)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"survives a loss of power, and on the volatile memory volume {volume.Folder} it would not",
                "use a memory volume on a disk, or keep it as it is");
        }

        process = context.Observed.Ids.NextShort();
        var definition = context.Observed.Definitions[snapshot.Definition];
        var ram = GuestRam.On(volume, context.Observed.Folder, process, definition, snapshot.Memory);
        return ram.Place is { IsClonable: true } place && volume.With(place.Path, definition.Memory).MissingFor(MemoryVolume.DeviceState).Bytes == 0
            ? place
            : throw new CoppiceException(
                ErrorKind.Storage, $"memory volume {volume.Folder}", $"has no room for the RAM of {definition.Memory} of {subject}",
                "delete snapshots, stop other domains, or make a larger one");
    }
}
