using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot export</c> and <c>import</c>: a domain with its snapshots goes elsewhere in a folder.</summary>
internal static class ExportCommands
{
    public static CoppiceCommand Export()
    {
        var domain = KnownNames.Domain();
        var snapshots = KnownNames.Snapshots(domain);
        snapshots.Arity = ArgumentArity.ZeroOrMore;
        snapshots.Description = "The only snapshots to copy; if left out, the whole tree, and what a domain that is off is now";
        var to = new Option<string>("--to")
        {
            Description = "The folder to make, which 'coppice import' reads", HelpName = "FOLDER", Required = true,
        };
        return new CoppiceCommand(
            "export", "Copy a domain with its snapshots into a folder that imports elsewhere; it may run", domain, snapshots, to)
            .Requests(
                run => new ExportDomain(run.Get(domain), Folder(run.Get(to)!)) { Snapshots = [.. run.Get(snapshots) ?? []] },
                "exported");
    }

    public static CoppiceCommand Import()
    {
        var folder = new Argument<string>("FOLDER") { Description = "The folder that 'coppice snapshot export' made" };
        var name = new Option<string?>("--name") { Description = "What it is called here; else as it was", HelpName = "NAME" };
        var keep = new Option<bool>("--keep-identity")
        {
            Description = "It moves here: keep its uuid, generation id and MAC addresses; what it was exported from must not run "
                + "any more",
        };
        var files = new Option<bool>("--host-files")
        {
            Description = "It may boot with a kernel, initrd or firmware of this host that its definition names",
        };
        var network = SnapshotForkCommand.NetworkOption();
        var command = new CoppiceCommand(
            "import", "Make a new domain of an exported one, with all its snapshots", folder, name, keep, network, files);
        SnapshotCommands.Exclude(command, keep, network);
        return command.Requests(
            run => new ImportDomain(Folder(run.Get(folder)))
            {
                Name = run.Get(name), KeepsIdentity = run.Get(keep), Network = run.Get(network),
                HostFiles = run.Get(files),
            },
            "imported");
    }

    private static string Folder(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
