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
            "--memory", "none|internal[:DISK]|external[:FILE]",
            "Where the memory of the guest is kept; with --branch only external: a file of its own for the memory of that snapshot",
            Values.Memory);

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

        private readonly Option<bool> _validate = new("--validate")
        {
            Description = "Refuse a document with anything that Coppice does not know",
        };

        private readonly Option<bool> _noMetadata = new("--no-metadata")
        {
            Description = "Make the new layers, but record no snapshot; memory then needs a file that you name",
        };

        private readonly Option<bool> _reuse = new("--reuse-external")
        {
            Description = "Use the files of external disks, which you have made beforehand: empty overlays on the present images",
        };

        private readonly Option<bool> _redefine = new("--redefine")
        {
            Description = "Change the record of a snapshot, or put back one that was forgotten, by what 'snapshot dumpxml' printed",
        };

        private readonly Option<bool> _current = new("--current")
        {
            Description = "Make the redefined snapshot the current one; with --branch, also revert to it",
        };

        private readonly Option<string?> _branch;
        private readonly Option<string?> _checkpoint = SnapshotCommands.Checkpoint();
        private readonly Option<MemoryRequest?> _checkpointMemory = SnapshotCommands.CheckpointMemory();

        public Form()
        {
            _branch = new Option<string?>("--branch")
            {
                Description = "Make it of this snapshot, which becomes its parent, instead of the domain as it is", HelpName = "SNAPSHOT",
            };
            _branch.CompletionSources.Add(context => KnownNames.OfDomain(context, _domain));
        }

        public CoppiceCommand Command()
        {
            var command = new CoppiceCommand(
                "create", "Take a snapshot of a domain, running, paused or off",
                _domain, _name, _description, _memory, _disks, _diskOnly, _live, _quiesce, _halt, _xml, _validate,
                _noMetadata, _reuse, _redefine, _current, _branch, _checkpoint, _checkpointMemory);
            foreach (var option in new Option[] { _description, _memory, _disks })
            {
                SnapshotCommands.Exclude(command, _xml, option);
            }

            Option[] ofNew = [_diskOnly, _live, _quiesce, _halt, _noMetadata, _reuse, _branch, _checkpoint, _checkpointMemory];
            foreach (var option in ofNew)
            {
                SnapshotCommands.Exclude(command, _redefine, option);
            }

            SnapshotCommands.Require(command, _redefine, _xml);
            SnapshotCommands.Require(command, _validate, _xml);
            SnapshotCommands.Require(command, _checkpoint, _current);
            SnapshotCommands.Require(command, _checkpointMemory, _current);
            SnapshotCommands.Exclude(command, _branch, _xml);
            command.Validators.Add(result =>
            {
                if (result.GetResult(_redefine) is { Implicit: false } && result.GetResult(_name) is { Tokens.Count: > 0 })
                {
                    result.AddError("NAME and --redefine exclude each other: the document says which snapshot it is");
                }
            });
            return command
                .Asks(run => run.Get(_checkpointMemory) is { Mode: MemoryMode.None } && run.Get(_checkpoint) is null
                    ? $"Revert '{run.Get(_domain)}' and lose what it did since its current snapshot?"
                    : null)
                .Requests(RequestAsync, Done);
        }

        private static string Done(Request request) => request switch
        {
            RedefineSnapshot => "redefined snapshot {snapshot}",
            CreateSnapshot { Branch: { IsCurrent: true } } => "made snapshot {snapshot} and reverted to it",
            CreateSnapshot { Branch: not null } => "made snapshot {snapshot}",
            CreateSnapshot { NoMetadata: true } => "moved on to new layers; no snapshot was recorded",
            _ => "took snapshot {snapshot}",
        };

        private async Task<Request?> RequestAsync(Invocation run, CancellationToken cancellation)
        {
            var document = run.Get(_xml) is { } file ? await InputFile.ReadAsync(file, run.Surroundings, cancellation) : null;
            if (document is not null && run.Get(_validate))
            {
                SnapshotXml.Validate(document);
            }

            return run.Get(_redefine)
                ? new RedefineSnapshot(
                    run.Get(_domain), SnapshotXml.Parse(document!, SnapshotParseMode.Redefine), run.Get(_current))
                : Creation(run, document);
        }

        private CreateSnapshot Creation(Invocation run, string? document)
        {
            var request = document is not null
                ? SnapshotXml.Parse(document, SnapshotParseMode.Create).ToRequest(run.Get(_domain))
                : new CreateSnapshot(run.Get(_domain))
                {
                    Description = run.Get(_description) ?? "",
                    Memory = run.Get(_memory),
                    Disks = run.Get(_disks)?.ToImmutableArray() ?? [],
                };
            return Branched(run, request) with
            {
                Name = run.Get(_name) ?? request.Name,
                DiskOnly = run.Get(_diskOnly),
                Live = run.Get(_live),
                Quiesce = run.Get(_quiesce),
                Halt = run.Get(_halt),
                NoMetadata = run.Get(_noMetadata),
                ReuseExternal = run.Get(_reuse),
            };
        }

        /// <summary>Of a branch that is to be current, the memory in a document is that of the abandoned state (R160).</summary>
        private CreateSnapshot Branched(Invocation run, CreateSnapshot request)
        {
            var branch = run.Get(_branch) is { } from ? new BranchRequest(from, IsCurrent: false) : request.Branch;
            if (!run.Get(_current))
            {
                return request with { Branch = branch };
            }

            return branch is null
                ? throw new CoppiceException(
                    ErrorKind.InvalidInput, "--current", "is about a branch or a redefined snapshot",
                    "add --branch or --redefine; a snapshot of the domain as it is becomes current anyway")
                : request with
                {
                    Memory = run.Get(_branch) is null ? null : request.Memory,
                    Branch = branch with
                    {
                        IsCurrent = true,
                        LeftMemory = run.Get(_checkpointMemory) ?? (run.Get(_branch) is null ? request.Memory : null),
                        Checkpoint = run.Get(_checkpoint),
                    },
                };
        }
    }
}
