namespace Coppice.Core;

/// <summary>Plans that a disk comes to a domain or leaves it, while it runs or is off.</summary>
public static class DiskPlugging
{
    /// <summary>The steps that show a disk to the guest that runs; none if the domain is off.</summary>
    /// <param name="plan">The plan that makes the disk known.</param>
    /// <param name="observed">The domain without the disk.</param>
    /// <param name="hypervisor">Lowers the steps.</param>
    /// <param name="definition">The sealed definition that has the disk.</param>
    /// <param name="disk">The disk.</param>
    /// <exception cref="CoppiceException">It cannot be plugged in while the domain runs; the message says what to do.</exception>
    public static Plan Plugged(Plan plan, Observed observed, IHypervisor hypervisor, DomainDefinition definition, DiskChain disk)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(hypervisor);
        ArgumentNullException.ThrowIfNull(definition);
        if (!observed.Hypervisor.IsAlive)
        {
            return plan;
        }

        var (name, subject) = (observed.Catalog.Name, $"disk '{disk.Target}' of domain '{observed.Catalog.Name}'");
        observed.Capabilities.Require(Capability.HotPlug, subject, $"stop the domain first: coppice stop {name}");
        if (definition.Devices.Count > observed.Definition.Devices.Count + 1)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "needs a controller that the domain has not, and it runs",
                $"use --bus virtio, or stop the domain first: coppice stop {name}");
        }

        var (open, plug) = hypervisor.Plug(observed.Catalog.Head.Process!.Value, definition, disk);
        return plan with { Prepare = [.. plan.Prepare, open], Switch = plug };
    }

    internal static Plan Detach(PlanContext context, DetachDisk request)
    {
        var (definition, layer) = Detachable(context, request);
        var id = context.Observed.Ids.NextShort();
        var written = context.Storage.WriteFile(context.Observed.Folder.Definition(id), DomainXml.Format(definition));
        var change = context.NoChange with
        {
            Head = context.DirtyHead with { Definition = id, Disks = [.. context.Head.Disks.Where(d => d.Target != request.Target)] },
        };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        var plan = context.Plan(layer is null ? "the drive" : $"the disk; {What(layer, reclaimed)}") with
        {
            Prepare = [written], Commit = reclaimed.Change, CleanUp = reclaimed.Removals,
        };
        if (context.LiveProcess is not { } process)
        {
            return plan;
        }

        var chain = new DiskChain(request.Target, layer is null ? [] : context.Graph.Chain(layer.Id));
        var others = context.Head.Disks.Where(d => d.Target != request.Target).SelectMany(d => context.Graph.Chain(d.Layer));
        var (unplug, close) = context.Hypervisor.Unplug(process, context.Observed.Definition, chain.Beside(others));
        return plan with { Switch = unplug, CleanUp = [close, .. plan.CleanUp.Select(Checked)] };

        // A guest may write until it lets go.
        Step Checked(Step removal) => !request.Discard && layer is not null && removal.Files.Any(f => f.Path == layer.Path)
            ? context.Storage.RemoveUnwritten(layer)
            : removal;
    }

    /// <summary>The definition without the disk, and the layer that the disk has; null for an empty drive.</summary>
    private static (DomainDefinition Definition, Layer? Layer) Detachable(PlanContext context, DetachDisk request)
    {
        var (name, subject) = (context.Catalog.Name, $"disk '{request.Target}' of {context.Subject}");
        var definition = DomainDisks.Removed(context.Observed.Definition, request.Target);
        if (context.Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is saved, and its memory knows the disk",
                $"let it go on first: coppice start {name}");
        }

        if (context.LiveProcess is not null)
        {
            context.Observed.Capabilities.Require(Capability.HotPlug, subject, $"stop the domain first: coppice stop {name}");
        }

        if (context.LiveProcess is not null && context.State is not DomainState.Running
            && !context.Observed.Hypervisor.Unplugged.Contains(request.Target))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "stands still, and its guest has to let go of the disk",
                $"let it go on first: coppice resume {name}");
        }

        var disk = context.Head.Disks.FirstOrDefault(d => d.Target == request.Target);
        if (!request.Discard && disk is not null && context.OnlyCopy(disk) is { } only)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject, $"was written to since the last snapshot: what {only.Path} holds would be given up",
                $"keep that first (coppice snapshot create {name} --disk-only), or give it up with --discard");
        }

        return (definition, disk is null ? null : context.Graph[disk.Layer]);
    }

    private static string What(Layer layer, Reclaiming.Result reclaimed) =>
        reclaimed.Change.DropLayers.Contains(layer.Id) && layer.Origin is LayerOrigin.Coppice ? "its layer goes" : $"{layer.Path} stays";
}
