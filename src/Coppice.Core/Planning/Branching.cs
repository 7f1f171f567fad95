namespace Coppice.Core;

/// <summary>
/// Plans branches (R152): a snapshot that has another as its parent and all that this one has, by reference. Layers, memory and
/// what a TPM kept are shared, and stay until the last snapshot that has them goes (R174).
/// </summary>
internal static class Branching
{
    public static Plan Plan(PlanContext context, CreateSnapshot request, BranchRequest branch)
    {
        var source = context.Find(branch.From);
        RequireOnlyNamed(context, request, source);
        OutsideChanges.RequireUntouched(
            context, force: false, $"take it as it is now first: coppice snapshot revert {context.Catalog.Name} {source.Name} --force");
        var (memory, keep) = OwnMemory(context, request, source);
        var made = Made(context, request, source) with { Memory = memory };
        if (branch.IsCurrent)
        {
            return Reverting.ToBranch(context, source, made, keep, destination => Left(context, destination, branch));
        }

        if (branch is not { Checkpoint: null, LeftMemory: null })
        {
            throw Refused(context, source, "--checkpoint", "nothing is left", "leave it out, or add --current");
        }

        return context.Plan($"a reference to what '{source.Name}' has") with
        {
            Prepare = keep is null ? [] : [keep],
            Commit = context.NoChange with { Put = [made] },
        };
    }

    /// <summary>
    /// The memory of the branch, in a file of its own if one is asked for (R163, R175), and what brings it there.
    /// </summary>
    private static (MemoryImage Memory, Step? Made) OwnMemory(PlanContext context, CreateSnapshot request, Snapshot source)
    {
        if (request.Memory is not { } asked)
        {
            return (source.Memory, null);
        }

        if (asked.Mode is not MemoryMode.External || source.Memory.Mode is MemoryMode.None)
        {
            throw Refused(
                context, source, "--memory",
                source.Memory.Mode is MemoryMode.None ? $"'{source.Name}' has none" : "its memory can have another file, but no other kind",
                "leave --memory out");
        }

        var place = new SnapshotFiles(context.Observed, context.Graph).Memory(source.Memory.Format, asked.File);
        if (place.Origin is not LayerOrigin.Coppice)
        {
            throw Refused(context, source, "--memory", $"{place.File} is a device", "name a new file");
        }

        if (!context.Observed.TakesMemoryLink && context.Observed.Volume?.Holds(place.File!) is not true)
        {
            MemoryRoom.Require(context, place);
        }

        return SharedMemory.In(context, source, place.File!, context.Observed.TakesMemoryLink);
    }

    private static Snapshot Made(PlanContext context, CreateSnapshot request, Snapshot source)
    {
        var name = SnapshotNaming.Choose(request, context.Observed);
        SnapshotNaming.CheckId(request.Id, name, context.Catalog);
        return source with
        {
            Id = request.Id ?? context.Observed.Ids.NextSnapshot(),
            Name = name,
            Description = request.Description,
            CreatedAt = context.Observed.Now,
            Parent = source.Id,
            Layers = [],
        };
    }

    /// <summary>What becomes of the state that is abandoned: <c>memory</c> governs it (R160).</summary>
    private static LeftBehind Left(PlanContext context, RevertDestination destination, BranchRequest branch) => branch switch
    {
        { Checkpoint: { } name } => LeftBehind.AsSnapshot(
            context, destination, new CreateSnapshot(context.Catalog.Name) { Name = name, Memory = branch.LeftMemory }),
        { LeftMemory.Mode: MemoryMode.None } => LeftBehind.Nothing,
        _ => LeftBehind.AsTip(context, branch.LeftMemory),
    };

    /// <summary>
    /// What a branch has is what the snapshot has: all else about it was decided when that was taken (R155, R184).
    /// </summary>
    private static void RequireOnlyNamed(PlanContext context, CreateSnapshot request, Snapshot source)
    {
        (string Name, bool IsAsked)[] parameters =
        [
            ("--live", request.Live), ("--quiesce", request.Quiesce), ("--halt", request.Halt), ("--disk-only", request.DiskOnly),
            ("--no-metadata", request.NoMetadata), ("--reuse-external", request.ReuseExternal), ("--disk", request.Disks.Length > 0),
        ];
        if (parameters.FirstOrDefault(p => p.IsAsked).Name is { } asked)
        {
            throw Refused(context, source, asked, $"it has all that '{source.Name}' has, and no more", $"leave {asked} out");
        }

        var definition = context.Observed.Definitions[source.Definition];
        if (source.Memory.Mode is not MemoryMode.None && !source.KeepsAllOf(definition))
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, $"snapshot '{source.Name}' of {context.Subject}",
                "keeps memory but not every disk, and one that went on being written does not fit a branch",
                "revert to it with --force, and take a snapshot of that");
        }
    }

    private static CoppiceException Refused(PlanContext context, Snapshot source, string parameter, string problem, string nextStep) => new(
        ErrorKind.InvalidInput, $"{parameter} of a branch on snapshot '{source.Name}' of {context.Subject}", problem, nextStep);
}
