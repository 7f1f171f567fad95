using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans that a disk is copied while its guest writes to it. The copy is on record before it begins, so that whatever happens it is known
/// whose the new image is. Nothing else moves layers of the domain meanwhile.
/// </summary>
internal static class Mirroring
{
    /// <summary>Whether a request of a kind gets along with disks that are being copied.</summary>
    private static bool LetsRun(Request request) => Merging.LetsRun(request) || request is CopyDisk or CommitDisk or EndMirror or KeepTips;

    /// <summary>Refuses what would move layers, or end the process, while a disk is being copied.</summary>
    /// <exception cref="CoppiceException">One is (<see cref="ErrorKind.WrongState"/>).</exception>
    public static void RequireNone(PlanContext context)
    {
        if (!LetsRun(context.Request) && context.Catalog.Mirrors.FirstOrDefault(m => m.Process == context.LiveProcess) is { } mirror)
        {
            throw IsCopied(context, mirror);
        }
    }

    /// <summary>Plans that a disk is copied into another image.</summary>
    public static Plan Copy(PlanContext context, CopyDisk request)
    {
        var (process, source) = Required(context, request.Target);
        var kind = request.Shallow ? MirrorKind.Shallow : MirrorKind.Whole;
        var target = TargetOf(context, request, source);
        if (request.End is not MirrorEnd.Keep && UsersImages.AgainstLeaving(context.Observed, context.Catalog.Jobs.Where(j => j.Upper == source.Id)) is { } torn)
        {
            throw torn;
        }

        Step[] made = request.Reuse ? []
            : target.Parent is { } parent ? [context.Storage.CreateOverlay(target, context.Graph[parent])]
            : [context.Storage.CreateImage(target)];
        var plan = Begun(context, process, source, target, kind, (request.End, request.Pace));
        return plan with
        {
            Mechanism = $"mirror {(request.Shallow ? "what the topmost layer has" : "the whole disk")} into {target.Path}",
            Prepare = [.. made],
            Commit = plan.Commit! with { PutLayers = [target] },
        };
    }

    /// <summary>Plans that what a guest writes to is written into an image below.</summary>
    public static Plan Commit(PlanContext context, CommitDisk request)
    {
        if (request.End is MirrorEnd.Keep)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, request.Operation, "writes into an image of the disk itself, of which no copy can be kept",
                "let the guest go over to it, or copy the disk elsewhere: coppice disk copy");
        }

        var (process, source) = Required(context, request.Target);
        var chain = context.Graph.Chain(source.Id);
        var target = CommitTarget.Of(context, chain, request.Base);
        var plan = Begun(context, process, source, target, MirrorKind.Commit, (request.End, request.Pace));
        return plan with
        {
            Mechanism = $"mirror what is above {target.Path} into it",
            Commit = plan.Commit! with { PutJobs = CommitTarget.Protection(context, chain, target) },
        };
    }

    /// <summary>Plans how it ends.</summary>
    public static Plan End(PlanContext context, EndMirror request)
    {
        var mirror = context.Catalog.Mirrors.FirstOrDefault(m => m.Id.Value == request.Job) ?? throw new CoppiceException(
            ErrorKind.NotFound, $"job '{request.Job}' of {context.Subject}", "is no copy of a disk that is on record; it may have ended",
            $"see which there are: coppice job list {context.Catalog.Name}");
        if (request.End is MirrorEnd.Discard)
        {
            return Discarded(context, context.NoChange, [mirror]);
        }

        RequireReady(context, mirror, request.End);
        // Were it not known, nobody would bring to its end what was told to end.
        var mark = mirror.End == request.End ? null : context.NoChange with { PutMirrors = [mirror with { End = request.End }] };
        var (end, letGo) = context.Hypervisor.EndMirror(mirror.Process, RequestOf(context.Graph, mirror), request.End);
        var plan = request.End is MirrorEnd.Keep ? Kept(context, mirror) : GoneOver(context, mirror);
        return plan with { Mark = mark, Switch = end, CleanUp = [letGo, .. plan.CleanUp] };
    }

    private static Plan Kept(PlanContext context, DiskMirror mirror)
    {
        var target = context.Graph[mirror.Target];
        return context.Plan("keep the copy as it is now") with
        {
            Commit = MirroredCatalog.Kept(context.Catalog, mirror),
            Warnings = target.Parent is { } below
                ? [$"{target.Path} builds on {context.Graph[below].Path}, and is whole only as long as that stays what it is"]
                : [],
        };
    }

    /// <summary>The guest has gone over: what it has left goes if Coppice made it and nothing needs it.</summary>
    private static Plan GoneOver(PlanContext context, DiskMirror mirror)
    {
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage, MirroredCatalog.Pivoted(context.Catalog, mirror));
        return context.Plan($"let the guest go over to {context.Graph[mirror.Target].Path}") with
        {
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
            Warnings =
            [
                .. from id in MirroredCatalog.Left(context.Graph, mirror)
                   where reclaimed.Change.DropLayers.Contains(id) && context.Graph[id].Origin is LayerOrigin.User
                   select $"{context.Graph[id].Path} is yours and stays; the domain needs it no more",
            ],
        };
    }

    /// <summary>A plan that gives copies up, besides what else it changes.</summary>
    public static Plan Discarded(PlanContext context, CatalogChange change, ImmutableArray<DiskMirror> mirrors)
    {
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage, change with
            {
                DropMirrors =
                [
                    .. mirrors.Select(m => new EndedMirror(
                        m.Id, MirrorEnd.Discard, context.Observed.Merges.GetValueOrDefault(m.Id) is { State: MergeState.Failed })),
                ],
            });
        return context.Plan("give the copy up") with
        {
            Prepare =
            [
                .. mirrors.Where(m => m.Process == context.LiveProcess)
                    .Select(m => context.Hypervisor.DiscardMirror(m.Process, RequestOf(context.Graph, m))),
            ],
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
        };
    }

    /// <summary>What the hypervisor is asked to do.</summary>
    private static MirrorRequest RequestOf(LayerGraph graph, DiskMirror mirror) =>
        new(mirror.Id, mirror.Disk, graph.Chain(mirror.Source), graph[mirror.Target], mirror.Kind);

    private static (ShortId Process, Layer Source) Required(PlanContext context, string target)
    {
        var process = context.RequireActive();
        context.RequireWhole();
        var source = context.Writable(target);
        context.Observed.Capabilities.Require(
            Capability.MirrorDisk, $"disk '{target}' of {context.Subject}", "take a snapshot, and export or fork that");
        return context.Catalog.Mirrors.FirstOrDefault(m => m.Disk == target && m.Process == process) is { } mirror
            ? throw IsCopied(context, mirror)
            : (process, source);
    }

    private static Plan Begun(
        PlanContext context, ShortId process, Layer source, Layer target, MirrorKind kind, (MirrorEnd? End, MirrorPace Pace) how)
    {
        var mirror = new DiskMirror
        {
            Id = context.Observed.Ids.NextShort(), Disk = source.Disk, Source = source.Id, Target = target.Id, Kind = kind,
            Process = process, End = how.End,
        };
        var request = new MirrorRequest(mirror.Id, mirror.Disk, context.Graph.Chain(source.Id), target, kind) { Pace = how.Pace };
        return context.Plan("mirror") with
        {
            Switch = context.Hypervisor.BeginMirror(process, request),
            Commit = context.NoChange with { PutMirrors = [mirror] },
            Warnings = how.End is not null ? [] :
            [
                $"job {mirror.Id} goes on until you say how it ends: coppice job finish {context.Catalog.Name} {mirror.Id}, or job cancel",
            ],
        };
    }

    /// <summary>The layer of a copy. It is the user's already if the image is.</summary>
    private static Layer TargetOf(PlanContext context, CopyDisk request, Layer source)
    {
        new SnapshotFiles(context.Observed, context.Graph).Copy(source.Disk, request.Path);
        var target = CopyTarget.Layer(request, source, context.Observed.Ids.NextShort());
        CopyTarget.Require(context, request, target);
        return target;
    }

    private static void RequireReady(PlanContext context, DiskMirror mirror, MirrorEnd end)
    {
        if (end is MirrorEnd.Keep && mirror.Kind is MirrorKind.Commit)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"job {mirror.Id} of {context.Subject}", "writes into an image of the disk itself, of which no copy can be kept",
                $"let the guest go over to it (coppice job finish {context.Catalog.Name} {mirror.Id}), or give it up (coppice job cancel)");
        }

        if (context.Observed.Merges.GetValueOrDefault(mirror.Id) is not { State: MergeState.Ready })
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"job {mirror.Id} of {context.Subject}", "has not copied everything yet",
                $"see how far it is: coppice job list {context.Catalog.Name}");
        }
    }

    private static CoppiceException IsCopied(PlanContext context, DiskMirror mirror)
    {
        var (name, path) = (context.Catalog.Name, context.Graph[mirror.Target].Path);
        return new CoppiceException(
            ErrorKind.WrongState, $"disk '{mirror.Disk}' of {context.Subject}",
            $"is being {(mirror.Kind is MirrorKind.Commit ? "committed" : "copied")} to {path} (job {mirror.Id})",
            $"let the guest go over to that (coppice job finish {name} {mirror.Id}), or give it up (coppice job cancel {name} {mirror.Id})");
    }
}
