using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>disk</c>.</summary>
internal static class DiskCommands
{
    public static Command Disk() => new CoppiceCommand("disk", "Change the disks of a domain", Attach(), Detach(), Resize());

    private static CoppiceCommand Attach()
    {
        var domain = KnownNames.Domain();
        var image = Values.Argument("[raw:|qcow2:]IMAGE", "Its image; the format is needed unless the name ends in it", Values.Image);
        var target = new Option<string?>("--target") { Description = "What it is called, such as vdb; the next name that is free if not given", HelpName = "DISK" };
        var bus = Values.Option<DiskBus?>("--bus", "BUS", "How it is attached: virtio, scsi, sata or ide; if not given, by the target, else virtio", text => Values.Bus(text));
        var readOnly = new Option<bool>("--read-only") { Description = "The guest cannot write to it" };
        var serial = new Option<string?>("--serial") { Description = "The serial number that the guest sees", HelpName = "TEXT" };
        return new CoppiceCommand(
            "attach", "Give a domain a disk more, while it runs or is off", domain, image, target, bus, readOnly, serial)
            .Requests(
                run => new AttachDisk(run.Get(domain), run.Get(image)!)
                {
                    Target = run.Get(target), Bus = run.Get(bus), ReadOnly = run.Get(readOnly), Serial = run.Get(serial),
                },
                "attached");
    }

    private static CoppiceCommand Detach()
    {
        var domain = KnownNames.Domain();
        var disk = new Argument<string>("DISK") { Description = "The target of the disk, such as vdb" };
        var discard = new Option<bool>("--discard") { Description = "Give up what was written to it since the last snapshot" };
        return new CoppiceCommand(
            "detach", "Take a disk from a domain, while it runs or is off; the image that you brought stays", domain, disk, discard)
            .Requests(run => new DetachDisk(run.Get(domain), run.Get(disk), run.Get(discard)), "detached");
    }

    private static CoppiceCommand Resize()
    {
        var domain = KnownNames.Domain();
        var disk = new Argument<string>("DISK") { Description = "The target of the disk, such as vda" };
        var size = Values.Argument("SIZE", "How large it is to be, such as 20G", text => Values.Size(text));
        return new CoppiceCommand(
            "resize", "Make a disk larger, while the domain runs or is off; snapshots keep the size it had", domain, disk, size)
            .Requests(run => new ResizeDisk(run.Get(domain), run.Get(disk), run.Get(size)), "resized");
    }
}
