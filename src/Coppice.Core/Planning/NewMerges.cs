using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// The merges that a plan puts on record. What a guest writes to is never committed while it does: an empty layer is put on it
/// first, so that after any crash the headers tell whether the merge is finished.
/// </summary>
/// <param name="Jobs">The jobs; they wait to be begun.</param>
/// <param name="Switches">The disks of the guest that get an empty layer.</param>
/// <param name="Told">What is merged how, for people; begins with a semicolon unless it is empty.</param>
/// <param name="Warnings">What stays, and why.</param>
internal sealed record NewMerges(
    ImmutableArray<MergeJob> Jobs, ImmutableArray<DiskSwitch> Switches, string Told, ImmutableArray<string> Warnings)
{
    private PlanContext Context { get; init; } = null!;

    /// <summary>Decides what is merged.</summary>
    /// <param name="context">What is planned.</param>
    /// <param name="next">The catalog in which the layers have no name.</param>
    /// <param name="unnamed">The layers, lower ones first.</param>
    /// <param name="forced">The direction; null for what writes less.</param>
    /// <param name="overlays">
    /// What the layers are called that are put on those that a guest writes to; null if none are, so that such a layer waits
    /// until the domain is off.
    /// </param>
    /// <exception cref="CoppiceException">A forced direction is not permitted (<see cref="ErrorKind.WrongState"/>).</exception>
    public static NewMerges Of(
        PlanContext context, Catalog next, ImmutableArray<UnnamedLayer> unnamed, MergeDirection? forced, string? overlays)
    {
        var jobs = ImmutableArray.CreateBuilder<MergeJob>();
        var switches = ImmutableArray.CreateBuilder<DiskSwitch>();
        var (told, warnings) = (new List<string>(), new List<string>());
        foreach (var layer in unnamed)
        {
            var reason = Choose(context, layer, forced, out var direction, out var cost);
            var head = context.LiveProcess is null ? null : next.Head.Disks.FirstOrDefault(d => d.Layer == layer.Upper?.Id);
            var isWritten = reason is null && direction is MergeDirection.Commit && head is not null;
            reason ??= isWritten ? AgainstOverlay(context, head!, overlays) : null;
            if (reason is not null)
            {
                warnings.Add($"layer {layer.Lower.Path} stays, without a name: {reason}");
                continue;
            }

            if (isWritten)
            {
                switches.Add(Overlay(context, head!, overlays!));
            }

            told.Add($"merge {layer.Lower.Disk} by {Word(direction)} ({cost})");
            jobs.Add(new MergeJob
            {
                Id = context.Observed.Ids.NextShort(), Disk = layer.Lower.Disk, Lower = layer.Lower.Id, Upper = layer.Upper!.Id,
                Direction = direction,
            });
        }

        var all = told.Count == 0 ? "" : $"; {string.Join(", ", told)}";
        return new NewMerges(jobs.ToImmutable(), switches.ToImmutable(), all, [.. warnings]) { Context = context };
    }

    /// <summary>
    /// The same with names for the files that stay (R201); those that a process has open get theirs when it ends.
    /// </summary>
    /// <exception cref="CoppiceException">See <see cref="LayerRenaming.Named"/>.</exception>
    public NewMerges Named(Catalog next, ImmutableArray<FinalName> names)
    {
        var jobs = LayerRenaming.Named(Context, next, Jobs, names);
        var graph = LayerGraph.Of(next);
        var open = Context.LiveProcess is null
            ? []
            : next.Head.Disks.SelectMany(d => graph.Chain(d.Layer)).Select(l => l.Id).ToHashSet();
        return this with
        {
            Jobs = jobs,
            Warnings =
            [
                .. Warnings,
                .. jobs.Where(j => j.FinalName is not null && open.Contains(j.Kept)).Select(j =>
                    $"{graph[j.Kept].Path} is open in the domain: it is called {j.FinalName} when that is off: coppice gc {next.Name}"),
            ],
        };
    }

    /// <summary>A change with the jobs and the new layers.</summary>
    public CatalogChange With(CatalogChange change) => change with
    {
        Head = Moved(change.Head),
        PutLayers = [.. change.PutLayers, .. Put],
        PutJobs = [.. change.PutJobs, .. Jobs],
    };

    /// <summary>A plan that moves the guest to the new layers.</summary>
    public Plan With(Plan plan) => Switches.IsEmpty ? plan : plan with
    {
        Prepare = [.. plan.Prepare, .. Switches.Select(s => Context.Storage.CreateOverlay(s.To, s.From))],
        Switch = Context.Hypervisor.Checkpoint(
            new(Context.RequireActive(), Context.State, MemoryImage.None, Switches, default)),
        RollForward = Context.NoChange with { Head = Moved(Context.Head), PutLayers = [.. Put] },
    };

    /// <summary>The word for a direction.</summary>
    public static string Word(MergeDirection direction) => direction is MergeDirection.Commit ? "commit" : "stream";

    private IEnumerable<Layer> Put => Switches.SelectMany(s => new[] { s.From, s.To });

    /// <summary>By what is allocated: a commit writes what the upper layer has, a stream what it lacks (R200).</summary>
    private static string? Choose(
        PlanContext context, UnnamedLayer layer, MergeDirection? forced, out MergeDirection direction, out string cost)
    {
        (direction, cost) = (forced ?? MergeDirection.Commit, "");
        if (!context.Observed.Capabilities.Items.Contains(Capability.MergeLayers))
        {
            return $"driver {context.Observed.Capabilities.Driver} lacks the capability {Capability.MergeLayers}";
        }

        var measured = context.Observed.MergeCosts.GetValueOrDefault(layer.Lower.Id);
        if (!layer.CanMerge || measured?.Cost is not { } bytes)
        {
            return layer.CanMerge ? measured?.Problem ?? "its images were not read"
                : layer.NextStep.Length == 0 ? layer.Reason
                : $"{layer.Reason}; {layer.NextStep}";
        }

        if (forced is { } asked && layer.Against(asked) is { } against)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{layer.Lower.Disk}' of {context.Subject}", $"cannot be merged by {Word(asked)}: {against.Problem}",
                "leave --direction out");
        }

        var streams = layer.AgainstStream is null && (layer.AgainstCommit is not null || bytes.Stream.Bytes < bytes.Commit.Bytes);
        direction = forced ?? (streams ? MergeDirection.Stream : MergeDirection.Commit);
        cost = direction is MergeDirection.Commit
            ? $"{bytes.Commit}; stream would write {bytes.Stream}"
            : $"{bytes.Stream}; commit would write {bytes.Commit}";
        return null;
    }

    private static string? AgainstOverlay(PlanContext context, HeadDisk head, string? overlays) =>
        overlays is null ? $"the guest writes to what builds on it; it is merged when the domain is off"
        : context.Observed.Hypervisor.Unplugged.Contains(head.Target) ? $"disk '{head.Target}' is gone from its guest"
        : context.Graph.Chain(head.Layer).Length >= LayerGraph.MaximumDepth ? $"its chain has {LayerGraph.MaximumDepth} layers"
        : null;

    private static DiskSwitch Overlay(PlanContext context, HeadDisk head, string name)
    {
        var from = context.Current(head.Layer);
        var id = context.Observed.Ids.NextShort();
        var path = $"{context.Observed.Layers[head.Layer].OverlayFolder}/{LayerFileName.For(head.Target, name, id)}";
        return new DiskSwitch(head.Target, from, from.Overlay(id, head.Target, path));
    }

    private Head Moved(Head head) => head with
    {
        Disks = [.. head.Disks.Select(d => Switches.FirstOrDefault(s => s.Target == d.Target) is { } s ? d with { Layer = s.To.Id } : d)],
    };
}
