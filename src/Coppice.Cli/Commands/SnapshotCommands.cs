using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>snapshot</c>: here those that move a domain or change a record.</summary>
internal static class SnapshotCommands
{
    public static Command Snapshot() => new CoppiceCommand(
        "snapshot",
        "Take, show, revert to and delete snapshots",
        [SnapshotCreateCommand.Create(), .. SnapshotReadCommands.All(), Rename(), SnapshotEditCommand.Edit(), Revert(), Undo(), Delete()]);

    private static CoppiceCommand Rename()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var name = new Argument<string>("NAME") { Description = "The new name" };
        return new CoppiceCommand("rename", "Give a snapshot another name", domain, snapshot, name)
            .Requests(run => new EditSnapshot(run.Get(domain), run.Get(snapshot), run.Get(name), Description: null), "snapshot is now called {snapshot}");
    }

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
        var command = new CoppiceCommand(
            "revert", "Put a domain back on a snapshot, RAM and disks together",
            domain, snapshot, running, paused, discard, force, clock);
        Exclude(command, running, paused);
        Exclude(command, paused, clock);
        return command
            .Asks(run => run.Get(discard) ? $"Revert '{run.Get(domain)}' and lose what it did since its current snapshot?" : null)
            .Requests(
                run => new RevertSnapshot(
                    run.Get(domain),
                    run.Get(snapshot),
                    run.Get(running) ? RevertState.Running : run.Get(paused) ? RevertState.Paused : RevertState.AsTaken,
                    run.Get(discard),
                    run.Get(force))
                {
                    SyncTime = run.Get(clock),
                },
                "reverted to {snapshot}");
    }

    private static CoppiceCommand Undo()
    {
        var domain = KnownNames.Domain();
        var force = new Option<bool>("--force")
        {
            Description = "Load the memory even if a disk may not fit it; take an image that was written after a snapshot froze it",
        };
        var clock = SyncTime();
        return new CoppiceCommand("undo", "Return to what the last revert left; undoing twice leads back", domain, force, clock)
            .Requests(run => new UndoRevert(run.Get(domain), run.Get(force)) { SyncTime = run.Get(clock) }, "revert undone");
    }

    private static CoppiceCommand Delete()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var metadata = new Option<bool>("--metadata") { Description = "Forget the snapshot but leave its files" };
        return new CoppiceCommand("delete", "Remove a snapshot; nothing that others need is touched", domain, snapshot, metadata)
            .Asks(run => $"Delete snapshot '{run.Get(snapshot)}' of '{run.Get(domain)}'?")
            .Requests(run => new DeleteSnapshot(run.Get(domain), run.Get(snapshot), run.Get(metadata)), "snapshot deleted");
    }

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
