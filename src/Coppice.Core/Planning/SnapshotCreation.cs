using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans a snapshot: overlays first, then one pause for disks and memory, then the reference. Inside the images of a domain
/// that is off there is nothing to pause for.
/// </summary>
internal static class SnapshotCreation
{
    private const int MostNamed = 5;

    public static Plan Plan(PlanContext context, CreateSnapshot request)
    {
        context.RequireWhole();
        if (request.Halt)
        {
            Persisting.RequireMayBeOff(context, "cannot be off after the snapshot", "leave --halt out");
        }

        var resolved = SnapshotResolver.Resolve(request, context.Observed);
        var switches = Switches(context, resolved);
        var internals = Internals(context, resolved);
        RequireRoom(context, resolved);
        var tpm = context.Head.Tpm is { } used && !request.NoMetadata
            ? new TpmCopy(used, context.Observed.Ids.NextShort())
            : null;
        var snapshot = Record(context, resolved, switches, internals) with { Tpm = tpm?.To };
        var head = context.DirtyHead with { Disks = [.. context.Head.Disks.Select(d => Moved(d, switches))] };
        var halts = resolved.Halt && context.LiveProcess is not null;
        return context.Plan(Mechanism(resolved)) with
        {
            // A guest whose memory was saved before has to run for an instant to be saved again, and this may still fail then.
            Mark = context.LiveProcess is null ? null : context.Dirtied,
            Prepare = Prepare(context, switches, internals, tpm),
            Switch = Checkpoint(context, resolved, snapshot.Memory, switches, internals, tpm),
            Commit = Commit(context, request, snapshot, switches) with
            {
                Head = head with
                {
                    Process = halts ? null : head.Process,
                    SameAs = !request.NoMetadata && HasAll(context, snapshot) ? snapshot.Id : null,
                },
            },
            RollForward = context.LiveProcess is null || switches.IsEmpty ? null : RollForward(context, head, switches, internals),
            CleanUp = halts ? [context.Hypervisor.End(context.RequireActive())] : [],
            Warnings =
            [
                .. Warnings(context, resolved, switches),
                .. request.NoMetadata ? Unrecorded(resolved, switches, internals) : [],
            ],
        };
    }

    private static ImmutableArray<Step> Prepare(
        PlanContext context, ImmutableArray<DiskSwitch> switches, ImmutableArray<Layer> internals, TpmCopy? tpm)
    {
        var isOff = context.LiveProcess is null;
        return
        [
            .. switches.Select(s => Overlay(context, s)),
            .. internals.Select(i => isOff ? context.Storage.CreateInternal(i) : Expect(context, i, switches)),
            .. tpm is not null && isOff ? [context.Hypervisor.CopyTpm(context.Observed.Folder, tpm)] : Array.Empty<Step>(),
        ];
    }

    /// <summary>Whether nothing of the domain is missing in the snapshot, nor was able to change since (R168).</summary>
    private static bool HasAll(PlanContext context, Snapshot snapshot) => context.State switch
    {
        _ when !snapshot.KeepsAllOf(context.Observed.Definition) => false,
        DomainState.Paused or DomainState.Saved => snapshot.Memory.Mode is not MemoryMode.None,
        _ => context.LiveProcess is null,
    };

    private static CatalogChange Commit(
        PlanContext context, CreateSnapshot request, Snapshot snapshot, ImmutableArray<DiskSwitch> switches) => request.NoMetadata
        ? context.NoChange with { PutLayers = [.. switches.SelectMany(s => new[] { s.From, s.To })] }
        : context.NoChange with
        {
            Current = snapshot.Id,
            Put = [snapshot],
            PutLayers = [.. switches.Select(s => s.To)],
            DropLayers = [.. switches.Select(s => s.From.Id)],
        };

    private static Step Overlay(PlanContext context, DiskSwitch disk) => disk.To.Origin is LayerOrigin.User
        ? context.Storage.AdoptOverlay(disk.To, context.Graph.Chain(disk.From.Id))
        : context.Storage.CreateOverlay(disk.To, disk.From);

    /// <summary>Where what was frozen is, since no snapshot says so.</summary>
    private static IEnumerable<string> Unrecorded(
        ResolvedSnapshot resolved, ImmutableArray<DiskSwitch> switches, ImmutableArray<Layer> internals) =>
    [
        .. switches.Select(s =>
            $"disk '{s.Target}' as it was is in {s.From.Path}: no snapshot refers to it, and it stays while the domain builds on it"),
        .. internals.Select(i =>
            $"disk '{i.Disk}' as it was is internal snapshot {i.Inside!.Tag} in {i.Path}, which Coppice then forgets"),
        .. resolved is { State: not DomainState.Saved, Memory.File: { } file }
            ? [$"the memory is in {file}, which Coppice then forgets"]
            : Array.Empty<string>(),
    ];

    public static ImmutableArray<DiskSwitch> Switches(PlanContext context, ResolvedSnapshot resolved) =>
    [
        .. from disk in resolved.Disks
           where disk.Mode is DiskMode.External
           let head = context.Head.Disks.First(h => h.Target == disk.Target)
           let frozen = context.Current(head.Layer)
           select new DiskSwitch(disk.Target, frozen, frozen.Overlay(disk.Overlay!.Id, disk.Target, disk.Overlay.File) with
           {
               Origin = disk.Overlay.IsThere ? LayerOrigin.User : LayerOrigin.Coppice,
           }),
    ];

    /// <summary>What is made inside images: for each internal disk, and for the disk that holds the memory.</summary>
    private static ImmutableArray<Layer> Internals(PlanContext context, ResolvedSnapshot resolved)
    {
        var held = resolved.Disks.Where(d => d.Mode is DiskMode.Internal || d.Target == resolved.Memory.Disk).ToArray();
        if (held.Length == 0)
        {
            return [];
        }

        var tag = LayerFileName.TagFor(resolved.Name, context.Observed.Ids.NextShort());
        return
        [
            .. from disk in held
               let holder = context.Current(context.Head.Disks.First(h => h.Target == disk.Target).Layer)
               select holder with
               {
                   Id = context.Observed.Ids.NextShort(),
                   Origin = LayerOrigin.Coppice,
                   Inside = new InternalPlace(holder.Id, tag),
               },
        ];
    }

    private static Step Expect(PlanContext context, Layer snapshot, ImmutableArray<DiskSwitch> switches) =>
        context.Storage.ExpectInternal(snapshot) with { Undo = IsLeft(snapshot, switches) ? StepUndo.UnlessSwitched : StepUndo.Exact };

    private static bool IsLeft(Layer snapshot, ImmutableArray<DiskSwitch> switches) =>
        switches.Any(s => s.From.Id == snapshot.Inside!.Holder);

    /// <summary>Internal snapshots in layers that the guest has left cannot be taken back while it runs on top of them.</summary>
    private static CatalogChange RollForward(
        PlanContext context, Head head, ImmutableArray<DiskSwitch> switches, ImmutableArray<Layer> internals) => new()
    {
        Head = head,
        Current = context.Catalog.Current,
        PutLayers = [.. switches.SelectMany(s => new[] { s.From, s.To }), .. internals.Where(i => IsLeft(i, switches))],
    };

    public static Snapshot Record(
        PlanContext context, ResolvedSnapshot resolved, ImmutableArray<DiskSwitch> switches,
        ImmutableArray<Layer> internals) => new()
    {
        Id = resolved.Id,
        Name = resolved.Name,
        Description = resolved.Description,
        CreatedAt = context.Observed.Now,
        State = resolved.State is DomainState.Saved ? context.Head.Saved!.State : resolved.State,
        Parent = context.Catalog.Current,
        IsQuiesced = resolved.Quiesce,
        Definition = context.Head.Definition,
        Memory = resolved.Memory with
        {
            Layer = internals.FirstOrDefault(l => l.Disk == resolved.Memory.Disk)?.Id,
            WrittenBy = resolved.Memory.WrittenBy ?? context.WriterOf(resolved.Memory.Mode),
        },
        Disks =
        [
            .. from disk in resolved.Disks
               join head in context.Head.Disks on disk.Target equals head.Target
               let layer = disk.Mode is DiskMode.Internal ? internals.First(l => l.Disk == disk.Target).Id : head.Layer
               let mode = IsFrozenAnyway(context, head) ? DiskMode.External : disk.Mode
               select new DiskSnapshot { Target = disk.Target, Mode = mode, Layer = layer },
        ],
        Layers = [.. switches.Select(s => s.From), .. internals],
    };

    /// <summary>
    /// A disk that is only read and whose layer Coppice made takes no part, and goes back with the snapshot all the same: that layer is
    /// nobody else's.
    /// </summary>
    private static bool IsFrozenAnyway(PlanContext context, HeadDisk disk) =>
        RevertChecks.IsReadOnly(context.Observed.Definition, disk.Target) && context.Graph[disk.Layer].Origin is LayerOrigin.Coppice;

    private static Step? Checkpoint(
        PlanContext context, ResolvedSnapshot resolved, MemoryImage memory, ImmutableArray<DiskSwitch> switches,
        ImmutableArray<Layer> internals, TpmCopy? tpm) => context.LiveProcess is { } process
        ? context.Hypervisor.Checkpoint(
            new(process, context.State, memory, switches, context.Observed.Hypervisor.MemoryEstimate)
            {
                Internals = internals,
                TpmCopy = tpm,
                RamExtents = context.Observed.ClonableRam?.Extents ?? 0,
                RunsOn = IsInBackground(resolved),
                StaysPaused = IsManual(resolved),
            },
            resolved.Quiesce ? context.Observed.Definition : null)
        : null;

    /// <summary>
    /// Whether the guest goes on while its memory is written. A clone is made before it could, and one that stands or ends afterwards
    /// has nothing of it.
    /// </summary>
    private static bool IsInBackground(ResolvedSnapshot resolved) =>
        resolved is { Live: true, Halt: false, Memory: { Mode: MemoryMode.External, Format: MemoryFormat.Stream } } && !IsManual(resolved);

    private static bool IsManual(ResolvedSnapshot resolved) => resolved.Disks.Any(d => d.Mode is DiskMode.Manual);

    private static HeadDisk Moved(HeadDisk disk, ImmutableArray<DiskSwitch> switches) =>
        switches.FirstOrDefault(s => s.Target == disk.Target) is { } moved ? disk with { Layer = moved.To.Id } : disk;

    public static void RequireRoom(PlanContext context, ResolvedSnapshot resolved)
    {
        if (resolved.Memory.File is not null)
        {
            MemoryRoom.Require(context, resolved.Memory);
        }
        else if (resolved.Memory.Disk is { } disk)
        {
            MemoryRoom.RequireInside(context, context.Head.Disks.First(d => d.Target == disk));
        }
    }

    private static string Mechanism(ResolvedSnapshot resolved)
    {
        var memory = resolved.Memory.Mode switch
        {
            MemoryMode.External => $"external memory ({(IsInBackground(resolved) ? "background " : "")}{resolved.Memory.Layout})",
            MemoryMode.Internal => $"internal memory in {resolved.Memory.Disk}",
            _ => "no memory",
        };
        var disks = resolved.Disks.Where(d => d.Mode is not DiskMode.None)
            .GroupBy(d => d.Mode)
            .Select(g => $"{g.Key} {string.Join(", ", g.Select(d => d.Target))}".ToLowerInvariant());
        var quiesced = resolved.Quiesce ? ", file systems frozen" : "";
        return $"{string.Join(" + ", disks.Prepend(memory))}{quiesced} ({resolved.Rule})";
    }

    private static ImmutableArray<string> Warnings(
        PlanContext context, ResolvedSnapshot resolved, ImmutableArray<DiskSwitch> switches)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        warnings.AddRange(
            from s in switches
            let depth = context.Graph.Chain(s.From.Id).Length + 1
            where depth >= LayerGraph.DepthToWarnAt
            select $"the chain of disk '{s.Target}' will have {depth} layers; delete snapshots that are no longer needed");
        if (resolved.State is not DomainState.Off && resolved.Memory.Mode is MemoryMode.None && !resolved.Quiesce)
        {
            warnings.Add("the snapshot has no memory: its disks are as after a power failure (crash-consistent)");
        }

        if (context.LiveProcess is not null && !resolved.Halt && IsManual(resolved))
        {
            var manual = string.Join(", ", resolved.Disks.Where(d => d.Mode is DiskMode.Manual).Select(d => d.Target));
            warnings.Add(
                $"disk {manual} is yours to snapshot now: the domain stays paused until you run: coppice resume {context.Catalog.Name}");
        }

        warnings.AddRange(OutsideChanges.Warnings(context));
        warnings.AddRange(Foreign(context));
        return warnings.ToImmutable();
    }

    /// <summary>
    /// Internal snapshots that somebody else made belong to no snapshot of ours, each disk with a set of its own (R56).
    /// </summary>
    private static IEnumerable<string> Foreign(PlanContext context)
    {
        var ours = context.Graph.All.Select(l => l.Inside).OfType<InternalPlace>().Select(p => (p.Holder, p.Tag)).ToHashSet();
        return
            from disk in context.Head.Disks
            where context.Observed.Layers.ContainsKey(disk.Layer)
            let tags = context.Observed.Layers[disk.Layer].Internals.Select(i => i.Tag)
            let foreign = tags.Where(tag => !ours.Contains((disk.Layer, tag))).ToArray()
            where foreign.Length > 0
            let more = foreign.Length > MostNamed ? $" and {foreign.Length - MostNamed} more" : ""
            let named = string.Join(", ", foreign.Take(MostNamed)) + more
            select $"the image of disk '{disk.Target}' holds internal snapshots that Coppice did not make: {named}; it leaves them alone, "
                + $"unless you have them adopted: coppice snapshot import {context.Catalog.Name} --from-image";
    }
}
