using System.Collections.Immutable;
using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot create</c>. What is not given follows the matrix (R109–R133).</summary>
internal static class SnapshotCreateCommand
{
    public static Command Create() => new Form().Command();

    private sealed class Form
    {
        private readonly Argument<string> _domain = KnownNames.Domain();
        private readonly Argument<string?> _name = new("NAME")
        {
            Description = "The name of the snapshot; if left out one is made",
            Arity = ArgumentArity.ZeroOrOne,
        };

        private readonly Option<string?> _description = new("--description") { Description = "Free text to remember it by", HelpName = "TEXT" };
        private readonly Option<MemoryRequest?> _memory = Values.Option<MemoryRequest?>(
            "--memory", "none|internal[:DISK]|external[:FILE]", "Where the memory of the guest is kept", Values.Memory);

        private readonly Option<DiskRequest[]> _disks = Values.Options(
            "--disk", "DISK=none|internal|external[:FILE]|manual", "How a disk takes part; can be repeated", Values.Disk);

        private readonly Option<bool> _diskOnly = new("--disk-only") { Description = "Keep the disks only, not the memory" };
        private readonly Option<bool> _live = new("--live") { Description = "Let the guest run on while its memory is written" };
        private readonly Option<bool> _quiesce = new("--quiesce") { Description = "Freeze the guest's file systems first, through its agent" };
        private readonly Option<bool> _halt = new("--halt") { Description = "Let the domain be off afterwards" };
        private readonly Option<string?> _xml = new("--xml")
        {
            Description = "Take name, description, memory and disks from a <domainsnapshot> document; - reads standard input",
            HelpName = "FILE",
        };

        public CoppiceCommand Command()
        {
            var command = new CoppiceCommand(
                "create", "Take a snapshot of a domain, running, paused or off",
                _domain, _name, _description, _memory, _disks, _diskOnly, _live, _quiesce, _halt, _xml);
            foreach (var option in new Option[] { _description, _memory, _disks })
            {
                SnapshotCommands.Exclude(command, _xml, option);
            }

            return command.Requests(RequestAsync, "took snapshot {snapshot}");
        }

        private async Task<Request?> RequestAsync(Invocation run, CancellationToken cancellation)
        {
            var request = run.Get(_xml) is { } file
                ? SnapshotXml.Parse(await InputFile.ReadAsync(file, run.Surroundings, cancellation), SnapshotParseMode.Create).ToRequest(run.Get(_domain))
                : new CreateSnapshot(run.Get(_domain))
                {
                    Description = run.Get(_description) ?? "",
                    Memory = run.Get(_memory),
                    Disks = run.Get(_disks)?.ToImmutableArray() ?? [],
                };
            return request with
            {
                Name = run.Get(_name) ?? request.Name,
                DiskOnly = run.Get(_diskOnly),
                Live = run.Get(_live),
                Quiesce = run.Get(_quiesce),
                Halt = run.Get(_halt),
            };
        }
    }
}
