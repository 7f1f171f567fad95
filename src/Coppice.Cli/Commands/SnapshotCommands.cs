using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>snapshot</c>: here those that move a domain or change a record.</summary>
internal static class SnapshotCommands
{
    public static Command Snapshot() => new CoppiceCommand(
        "snapshot",
        "Take, show, revert to and delete snapshots",
        [
            SnapshotCreateCommand.Create(), .. SnapshotReadCommands.All(), Rename(), SnapshotEditCommand.Edit(), Import(), Revert(), Undo(),
            SnapshotForkCommand.Create(), Warm(), Map(), ExportCommands.Export(), Attach(), .. SnapshotDeleteCommand.All(),
        ]);

    private static CoppiceCommand Rename()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var name = new Argument<string>("NAME") { Description = "The new name" };
        return new CoppiceCommand("rename", "Give a snapshot another name", domain, snapshot, name)
            .Requests(run => new EditSnapshot(run.Get(domain), run.Get(snapshot), run.Get(name), Description: null), "snapshot is now called {snapshot}");
    }

    private static CoppiceCommand Import()
    {
        var domain = KnownNames.Domain();
        var fromImage = new Option<bool>("--from-image")
        {
            Description = "Take the internal snapshots into the tree that savevm, virsh or qemu-img made in the domain's images",
        };
        var fromChain = new Option<bool>("--from-chain")
        {
            Description = "Take the images into the tree on which virsh or qemu-img has put overlays",
        };
        var xml = new Option<string[]>("--xml")
        {
            Description = "Documents of another program that say more of them, as libvirt's in /var/lib/libvirt/qemu/snapshot",
            HelpName = "FILE…",
            AllowMultipleArgumentsPerToken = true,
        };
        var command = new CoppiceCommand("import", "Make snapshots of the tree of what somebody else took", domain, fromImage, fromChain, xml);
        command.Validators.Add(result =>
        {
            if (result.GetValue(fromImage) == result.GetValue(fromChain))
            {
                result.AddError("from where is missing, or is said twice: --from-image or --from-chain (a folder that was exported comes with: coppice import FOLDER)");
            }
        });
        return command.Requests(
            async (run, cancellation) =>
            {
                var documents = await ReadAsync(run, run.Get(xml) ?? [], cancellation);
                return run.Get(fromChain)
                    ? new AdoptChain(run.Get(domain)) { Documents = [.. documents] }
                    : (DomainRequest)new AdoptSnapshots(run.Get(domain)) { Documents = [.. documents] };
            },
            "what others took is in the tree");
    }

    private static async Task<IReadOnlyList<SnapshotDocument>> ReadAsync(
        Invocation run, IEnumerable<string> files, CancellationToken cancellation)
    {
        var documents = new List<SnapshotDocument>();
        foreach (var file in files)
        {
            var text = await InputFile.ReadAsync(file, run.Surroundings, cancellation);
            documents.Add(SnapshotXml.Parse(text, SnapshotParseMode.Redefine));
        }

        return documents;
    }

    private static CoppiceCommand Warm()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var count = Values.Option<int?>("--count", "N", $"How many wait, 0 to {WarmSnapshot.Most}; 1 if left out, and 0 ends all", text => Spares(text));
        var time = Values.Option<TimeSpan?>(
            "--for", "TIME", "How long they wait, such as 30m; then they end by themselves. An hour if left out", text => Values.Duration(text));
        var budget = Values.Option<ByteCount?>(
            "--budget", "SIZE", "How much of the host's memory all that wait in this home may take; a quarter if left out", text => Values.Size(text));
        return new CoppiceCommand(
            "warm", "Have processes wait with the snapshot's memory loaded, so that a revert to it is a matter of milliseconds",
            domain, snapshot, count, time, budget)
            .Requests(
                run => new WarmSnapshot(run.Get(domain), run.Get(snapshot), run.Get(count) ?? 1)
                {
                    Lifetime = run.Get(time) ?? WarmSnapshot.UsualLifetime,
                    Budget = run.Get(budget),
                },
                "as many wait as you asked for");
    }

    private static CoppiceCommand Map()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        return new CoppiceCommand(
            "map", "Put the memory of a snapshot that is a stream on the memory volume, so that reverts and forks map it; the guest runs on", domain, snapshot)
            .Requests(run => new MapSnapshot(run.Get(domain), run.Get(snapshot)), "its memory is mapped");
    }

    private static int Spares(string text) => text == "0" ? 0
        : Values.Count(text) is var count and <= WarmSnapshot.Most ? count
        : throw new FormatException($"'{text}' is too many: at most {WarmSnapshot.Most} can wait for a snapshot");

    private static CoppiceCommand Revert()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain, "The name or uuid of the snapshot; if left out, the current one");
        var running = new Option<bool>("--running") { Description = "Let the domain run afterwards, whatever it did when the snapshot was taken" };
        var paused = new Option<bool>("--paused") { Description = "Let the domain stand still afterwards" };
        var discard = new Option<bool>("--discard-current")
        {
            Description = "Do not keep what is left behind; without this it becomes a tip that 'snapshot undo' returns to",
        };
        var force = new Option<bool>("--force")
        {
            Description = "Also if the memory and a disk may not fit each other, or an image was written after a snapshot froze it",
        };
        var clock = SyncTime();
        var latest = new Option<bool>("--latest") { Description = "Also with its later changes: to the newest tip that came from it" };
        var descendants = new Option<bool>("--discard-descendants")
        {
            Description = "Remove the snapshots and tips that build on the snapshot, and what is left if it does too",
        };
        var checkpoint = Checkpoint();
        var memory = CheckpointMemory();
        var command = new CoppiceCommand(
            "revert", "Put a domain back on a snapshot, RAM and disks together",
            domain, snapshot, running, paused, discard, force, clock, latest, checkpoint, memory, descendants);
        Exclude(command, discard, checkpoint);
        Exclude(command, descendants, checkpoint);
        Exclude(command, descendants, latest);
        Exclude(command, latest, running);
        Exclude(command, latest, paused);
        Require(command, memory, checkpoint);
        Exclude(command, running, paused);
        Exclude(command, paused, clock);
        return command
            .Asks(run => run.Get(descendants)
                ? $"Revert '{run.Get(domain)}' and lose every snapshot and tip that builds on where it goes, "
                    + "and what it is now if that does too?"
                : run.Get(discard) ? $"Revert '{run.Get(domain)}' and lose what it did since its current snapshot?" : null)
            .Requests(
                run => new RevertSnapshot(
                    run.Get(domain),
                    run.Get(snapshot),
                    run.Get(running) ? RevertState.Running : run.Get(paused) ? RevertState.Paused : RevertState.AsTaken,
                    run.Get(discard),
                    run.Get(force))
                {
                    SyncTime = run.Get(clock),
                    Latest = run.Get(latest),
                    DiscardDescendants = run.Get(descendants),
                    Checkpoint = run.Get(checkpoint) is { } name
                        ? new CreateSnapshot(run.Get(domain)) { Name = name, Memory = run.Get(memory) }
                        : null,
                },
                "reverted to {snapshot}");
    }

    private static CoppiceCommand Undo()
    {
        var domain = KnownNames.Domain();
        var force = ForceTip();
        var clock = SyncTime();
        return new CoppiceCommand(
            "undo", "Return to the newest tip: what the last revert left, if it left any", domain, force, clock)
            .Requests(
                run => new UndoRevert(run.Get(domain), run.Get(force)) { SyncTime = run.Get(clock) }, "returned to tip {tip}");
    }

    private static CoppiceCommand Attach()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var disk = new Argument<string>("DISK") { Description = "The target of the disk in the snapshot, such as vda" };
        var to = new Option<string>("--to") { Description = "The domain that gets it, which runs or is off", HelpName = "OTHER", Required = true };
        var target = new Option<string?>("--as") { Description = "What it is called there, such as vdb; the next name that is free if not given", HelpName = "DISK" };
        var bus = Values.Option<DiskBus?>("--bus", "BUS", "How it is attached: virtio, scsi, sata or ide; if not given, by the target, else virtio", text => Values.Bus(text));
        var readOnly = new Option<bool>("--read-only", "--readonly") { Description = "The guest cannot write to it" };
        return new CoppiceCommand(
            "attach", "Give another domain a disk that begins as a snapshot has it", domain, snapshot, disk, to, target, bus, readOnly)
            .Requests(
                run => new AttachSnapshotDisk(run.Get(domain), run.Get(snapshot), run.Get(disk), run.Get(to)!)
                {
                    Target = run.Get(target), Bus = run.Get(bus), ReadOnly = run.Get(readOnly),
                },
                "attached");
    }

    /// <summary>Takes a snapshot of what a revert leaves.</summary>
    public static Option<string?> Checkpoint() => new("--checkpoint")
    {
        Description = "Take a snapshot of what is left, instead of a tip, with this name", HelpName = "NAME",
    };

    /// <summary>Where that snapshot keeps the memory.</summary>
    public static Option<MemoryRequest?> CheckpointMemory() => Values.Option<MemoryRequest?>(
        "--checkpoint-memory", "none|external[:FILE]", "Where the memory of what is left is kept; none gives it up", Values.Memory);

    /// <summary>Returns to a tip although what it needs may have changed.</summary>
    public static Option<bool> ForceTip() => new("--force")
    {
        Description = "Load the memory even if a disk may not fit it; take an image that was written after a snapshot froze it",
    };

    /// <summary>What a guest needs that goes on from memory: its clock stood still meanwhile.</summary>
    public static Option<bool> SyncTime() => new("--sync-time")
    {
        Description = "Have the agent in the guest set its clock, which else says when the memory was stored",
    };

    /// <summary>Refuses an option without another that it is about.</summary>
    public static void Require(Command command, Option option, Option needed) => command.Validators.Add(result =>
    {
        if (result.GetResult(option) is { Implicit: false } && result.GetResult(needed) is not { Implicit: false })
        {
            result.AddError($"{option.Name} needs {needed.Name}");
        }
    });

    /// <summary>Refuses two options that contradict each other.</summary>
    public static void Exclude(Command command, Option one, Option other) => command.Validators.Add(result =>
    {
        if (result.GetResult(one) is { Implicit: false } && result.GetResult(other) is { Implicit: false })
        {
            result.AddError($"{one.Name} and {other.Name} exclude each other");
        }
    });
}
