namespace Coppice.Core;

/// <summary>
/// Plans that a disk gets larger, in the image that it writes to. Snapshots keep the size it had. A block device is made larger
/// by the host; a guest that runs on it is told of it here.
/// </summary>
internal static class DiskResizing
{
    private const int SectorBytes = 512;

    public static Plan Plan(PlanContext context, ResizeDisk request)
    {
        var layer = context.Writable(request.Target);
        RequireGrowable(context, layer, request.Size);
        var larger = layer with { VirtualSize = request.Size };
        if (larger == layer && layer.Type is StorageType.Block && context.LiveProcess is { } user)
        {
            // The hypervisor looks at the size of a device when it opens it, and when it is told to.
            return Noted(context, larger, "tell the guest how large the device is") with
            {
                Switch = context.Hypervisor.Resize(user, layer, request.Size),
            };
        }

        if (larger == layer)
        {
            // Somebody else may have made it so large.
            return layer == context.Graph[layer.Id] ? context.Plan("nothing to do") : Noted(context, larger, "take down its size");
        }

        return Noted(context, larger, "grow the image in place") with
        {
            Switch = context.LiveProcess is { } process
                ? context.Hypervisor.Resize(process, layer, request.Size)
                : context.Storage.Resize(layer, request.Size),
        };
    }

    private static Plan Noted(PlanContext context, Layer larger, string mechanism) =>
        context.Plan(mechanism) with { Commit = context.NoChange with { Head = context.DirtyHead, PutLayers = [larger] } };

    private static void RequireGrowable(PlanContext context, Layer layer, ByteCount size)
    {
        var subject = $"disk '{layer.Disk}' of {context.Subject}";
        if (context.Observed.Layers.GetValueOrDefault(layer.Id) is not { VirtualSize.Bytes: > 0 })
        {
            throw new CoppiceException(ErrorKind.Damaged, subject, $"{layer.Path} does not tell how large it is", "restore the image");
        }

        if (size.Bytes % SectorBytes != 0)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, $"has sectors of {SectorBytes} bytes, and {size.Bytes} are not whole ones",
                "give a round size");
        }

        if (size.Bytes < layer.VirtualSize.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject, $"has {layer.VirtualSize}, and whatever lies beyond {size} would be lost",
                "add a smaller disk and copy to it inside the guest");
        }

        if (context.Graph.Chain(layer.Id).Skip(1).FirstOrDefault(l => l.VirtualSize.Bytes > layer.VirtualSize.Bytes) is { } below)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"builds on {below.Path}, which is larger: its end would show in the disk",
                "make a copy of the disk, with: qemu-img convert");
        }

        RequireOurs(context, layer, size);
    }

    /// <summary>It must be Coppice that can make the image larger, here and now.</summary>
    private static void RequireOurs(PlanContext context, Layer layer, ByteCount size)
    {
        var subject = $"disk '{layer.Disk}' of {context.Subject}";
        if (layer.Type is StorageType.Block && size.Bytes > layer.VirtualSize.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject,
                $"is the block device {layer.Path} of {layer.VirtualSize}, which only the host can make larger",
                "make it larger there, for instance with lvextend, then repeat this command so that the guest sees it");
        }

        if (context.Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is saved, and its memory knows the disk as it is",
                $"let it go on first: coppice start {context.Catalog.Name}");
        }

        if (context.LiveProcess is not null)
        {
            context.Observed.Capabilities.Require(
                Capability.OnlineResize, subject, $"stop the domain first: coppice stop {context.Catalog.Name}");
        }
    }
}
