using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>disk</c>.</summary>
internal static class DiskCommands
{
    public static Command Disk() => new CoppiceCommand("disk", "Change the disks of a domain", Resize());

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
