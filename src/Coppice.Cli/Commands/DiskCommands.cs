using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>disk</c>.</summary>
internal static class DiskCommands
{
    private const string Begun = "being copied";

    public static Command Disk() => new CoppiceCommand("disk", "Change the disks of a domain", Attach(), Detach(), Resize(),
        Copied("copy", "Copy a disk while its guest writes to it: the copy has it as it is when all is copied, and is yours", MirrorEnd.Keep, "copied"),
        Copied("move", "Copy a disk while its guest writes to it, and let the guest go over to the copy", MirrorEnd.Pivot, "moved"),
        Commit());

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
        var disk = Disk("such as vdb");
        var discard = new Option<bool>("--discard") { Description = "Give up what was written to it since the last snapshot" };
        return new CoppiceCommand(
            "detach", "Take a disk from a domain, while it runs or is off; the image that you brought stays", domain, disk, discard)
            .Requests(run => new DetachDisk(run.Get(domain), run.Get(disk), run.Get(discard)), "detached");
    }

    private static CoppiceCommand Resize()
    {
        var domain = KnownNames.Domain();
        var disk = Disk("such as vda");
        var size = Values.Argument("SIZE", "How large it is to be, such as 20G", text => Values.Size(text));
        return new CoppiceCommand(
            "resize", "Make a disk larger, while the domain runs or is off; snapshots keep the size it had", domain, disk, size)
            .Requests(run => new ResizeDisk(run.Get(domain), run.Get(disk), run.Get(size)), "resized");
    }

    private static CoppiceCommand Copied(string name, string description, MirrorEnd end, string done)
    {
        var domain = KnownNames.Domain();
        var disk = Disk("such as vda");
        var image = Values.Argument("[raw:|qcow2:]IMAGE", "The copy, a new file; the format is needed unless the name ends in it", Values.Image);
        var shallow = new Option<bool>("--shallow") { Description = "Only what the topmost layer has: the copy builds on the same images as the disk" };
        var reuse = new Option<bool>("--reuse") { Description = "The image is there, as large as the disk, or is a block device: what it holds is overwritten" };
        var synchronous = new Option<bool>("--synchronous") { Description = "The guest waits until what it writes is in both, so that the copying catches up with any guest" };
        var (limit, noWait) = (Limit(), NoWait());
        return new CoppiceCommand(name, description, domain, disk, image, shallow, reuse, synchronous, limit, noWait)
            .Requests(
                (run, _) => Task.FromResult<Request?>(new CopyDisk(run.Get(domain), run.Get(disk), run.Get(image)!.Path)
                {
                    Format = run.Get(image)!.Format, Shallow = run.Get(shallow), Reuse = run.Get(reuse), End = run.Get(noWait) ? null : end,
                    Pace = new MirrorPace { PerSecond = run.Get(limit), Synchronous = run.Get(synchronous) },
                }),
                request => request is CopyDisk { End: null } ? Begun : done);
    }

    private static CoppiceCommand Commit()
    {
        var domain = KnownNames.Domain();
        var disk = Disk("such as vda");
        var into = new Option<string?>("--base") { Description = "The image below that is written, by path; the lowest if not given", HelpName = "IMAGE" };
        var (limit, noWait) = (Limit(), NoWait());
        return new CoppiceCommand(
            "commit", "Write what a guest writes to into an image below that no snapshot has, and let the guest go over to that", domain, disk, into, limit, noWait)
            .Requests(
                (run, _) => Task.FromResult<Request?>(new CommitDisk(run.Get(domain), run.Get(disk))
                {
                    Base = run.Get(into) is { } path ? Path.GetFullPath(path) : null, End = run.Get(noWait) ? null : MirrorEnd.Pivot,
                    Pace = new MirrorPace { PerSecond = run.Get(limit) },
                }),
                request => request is CommitDisk { End: null } ? Begun : "committed");
    }

    private static Argument<string> Disk(string example) => new("DISK") { Description = $"The target of the disk, {example}" };

    private static Option<ByteCount?> Limit() => Values.Option<ByteCount?>("--limit", "SIZE", "The most that is copied in a second, such as 50M", text => Values.Size(text));

    private static Option<bool> NoWait() => new("--no-wait") { Description = "Do not wait: say how it ends with 'job finish' or 'job cancel'" };
}
