using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Plugs disks into a process and takes them out. Images are opened before there is a device, and closed when there is none any
/// more; between the two the guest decides: it is asked to let go of a disk, and may take its time or refuse.
/// </summary>
internal sealed class HotPlugSteps(TimeProvider time)
{
    public const string OpenKind = "qemu.open-images", CloseKind = "qemu.close-images", PlugKind = "qemu.plug",
        UnplugKind = "qemu.unplug";

    private readonly Unplugging _unplugging = new(time);

    public static (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain chain)
    {
        var (disk, wiring) = Find(definition, chain.Target);
        var (images, device) = DriveArguments.Hot(disk, chain, wiring);
        var open = new OpenImagesArguments(process, definition.Name, chain, images.ToJsonString(), DriveMode.Of(disk));
        var plug = new PlugArguments(process, definition.Name, chain, device.ToJsonString());
        return (
            Step.Of(OpenKind, $"open {chain.Layers[0].Path}", StepUndo.Exact, open, StepJson.Default.OpenImagesArguments),
            Step.Of(PlugKind, $"plug in {chain.Target}", StepUndo.None, plug, StepJson.Default.PlugArguments));
    }

    public static (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain chain)
    {
        Find(definition, chain.Target);
        var unplug = new UnplugArguments(process, definition.Name, chain.Target);
        var close = new CloseImagesArguments(process, chain);
        return (
            Step.Of(UnplugKind, $"let the guest let go of {chain.Target}", StepUndo.None, unplug, StepJson.Default.UnplugArguments),
            Step.Of(CloseKind, $"close the images of {chain.Target}", StepUndo.None, close, StepJson.Default.CloseImagesArguments));
    }

    public StepKind Open => new StepKind<OpenImagesArguments>(
        StepJson.Default.OpenImagesArguments, OpenAsync,
        (open, context, cancellation) => CloseAsync(new CloseImagesArguments(open.Process, open.Disk), context, cancellation),
        Probe: null);

    public StepKind Close => new StepKind<CloseImagesArguments>(StepJson.Default.CloseImagesArguments, CloseAsync, Undo: null, Probe: null);

    public StepKind PlugIn => new StepKind<PlugArguments>(
        StepJson.Default.PlugArguments, PlugAsync, Undo: null,
        async (plug, context, cancellation) =>
        {
            await using var machine = await ConnectAsync(plug.Process, context, cancellation);
            var done = machine is null
                ? plug.Disk.Layers[0].Origin is LayerOrigin.Coppice
                : await HasAsync(machine, plug.Disk.Target, cancellation);
            return done ? StepOutcome.Done : StepOutcome.NotDone;
        });

    public StepKind TakeOut => new StepKind<UnplugArguments>(
        StepJson.Default.UnplugArguments, UnplugAsync, Undo: null,
        async (unplug, context, cancellation) =>
        {
            await using var machine = await ConnectAsync(unplug.Process, context, cancellation);
            return machine is null || !await HasAsync(machine, unplug.Target, cancellation) ? StepOutcome.Done : StepOutcome.NotDone;
        });

    private static (DiskDevice Disk, Wiring Wiring) Find(DomainDefinition definition, string target)
    {
        var wiring = new Wiring(definition);
        var disk = definition.Disks.First(d => d.Target == target);
        return wiring.WhyFixed(disk) is { } why
            ? throw new CoppiceException(
                ErrorKind.MissingCapability, $"disk '{target}' of domain '{definition.Name}'", why,
                $"use --bus virtio on a pc machine or behind a pcie-root-port, or scsi; or stop the domain first: coppice stop {definition.Name}")
            : (disk, wiring);
    }

    private async Task<StepReport> OpenAsync(OpenImagesArguments open, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await RequireAsync(open.Process, context, cancellation);

        // A guest that was saved and stands still has let go of its images, and takes no new one.
        await machine.ReawakenAsync(cancellation);
        await CloseAsync(machine, open.Disk, cancellation);
        var folder = RunFolder.Of(context.Folder.Home, open.Process);
        await DriveModes.WriteAsync(folder, DriveModes.Read(folder).SetItem(open.Disk.Target, open.Mode), cancellation);
        await AddAsync(machine, "blockdev-add", open.Images, open.Domain, open.Disk, cancellation);
        return new StepReport { Mechanism = "blockdev-add" };
    }

    private async Task<StepReport> CloseAsync(CloseImagesArguments close, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(close.Process, context, cancellation);
        if (machine is not null)
        {
            await CloseAsync(machine, close.Disk, cancellation);
        }

        return StepReport.Nothing;
    }

    private async Task<StepReport> PlugAsync(PlugArguments plug, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await RequireAsync(plug.Process, context, cancellation);
        if (!await HasAsync(machine, plug.Disk.Target, cancellation))
        {
            await AddAsync(machine, "device_add", plug.Device, plug.Domain, plug.Disk, cancellation);
        }

        return new StepReport { Mechanism = "device_add" };
    }

    /// <summary>Adds nodes or a device. Who else uses an image shows at either: a raw one is locked only for a device.</summary>
    private static async Task AddAsync(
        Machine machine, string command, string what, string domain, DiskChain disk, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync(command, JsonNode.Parse(what)!.AsObject(), cancellation);
        }
        catch (QmpRefusalException e)
        {
            throw LaunchErrors.OfImages(e, $"disk '{disk.Target}' of domain '{domain}'", disk.Layers) ?? (Exception)e;
        }
    }

    private async Task<StepReport> UnplugAsync(UnplugArguments unplug, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await RequireAsync(unplug.Process, context, cancellation);
        await _unplugging.LetGoAsync(
            machine, Machine.DiskId(unplug.Target), () => HasAsync(machine, unplug.Target, cancellation),
            $"disk '{unplug.Target}' of domain '{unplug.Domain}'",
            $"try again, or stop the domain first: coppice stop {unplug.Domain}", cancellation);
        return new StepReport { Mechanism = "device_del" };
    }

    /// <summary>
    /// Closes what is open of a chain for this disk alone, from the top: a node that was opened as part of another goes with it.
    /// </summary>
    private static async Task CloseAsync(Machine machine, DiskChain disk, CancellationToken cancellation)
    {
        var nodes = await machine.Qmp.ExecuteAsync("query-named-block-nodes", new JsonObject { ["flat"] = true }, cancellation);
        var open = nodes.Items().Select(n => n.TextOrEmpty("node-name")).ToHashSet(StringComparer.Ordinal);
        foreach (var node in disk.Layers.SkipLast(disk.Shared).Where(l => l.Inside is null).Select(l => BlockNodes.NameOf(l.Id)).Where(open.Contains))
        {
            try
            {
                await machine.Qmp.ExecuteAsync("blockdev-del", new JsonObject { ["node-name"] = node }, cancellation);
            }
            catch (QmpRefusalException e) when (e.Description.Contains("Failed to find node", StringComparison.Ordinal))
            {
            }
        }
    }

    private static async Task<bool> HasAsync(Machine machine, string target, CancellationToken cancellation) =>
        await Machine.NodeOfAsync(machine.Qmp, target, cancellation) is not null;

    private Task<Machine?> ConnectAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, process), time, cancellation);

    private async Task<Machine> RequireAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        await ConnectAsync(process, context, cancellation) ?? throw Standstill.Gone(process);
}
