using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot delete</c> and <c>snapshot delete-all</c> (R10–R21, R34, R35).</summary>
internal static class SnapshotDeleteCommand
{
    public static IEnumerable<Command> All() => [Delete(), DeleteAll()];

    private static CoppiceCommand Delete()
    {
        var domain = KnownNames.Domain();
        var snapshots = KnownNames.Snapshots(domain);
        var options = new DeleteOptions();
        var children = new Option<bool>("--children") { Description = "Also all snapshots below them" };
        var childrenOnly = new Option<bool>("--children-only") { Description = "All snapshots below them, but not themselves" };
        var command = new CoppiceCommand(
            "delete", "Remove snapshots; what others need is merged", [domain, snapshots, children, childrenOnly, .. options.All]);
        SnapshotCommands.Exclude(command, children, childrenOnly);
        options.Restrict(command);
        return command
            .Asks(run => $"Delete {Named(run.Get(snapshots), run.Get(children), run.Get(childrenOnly))} of '{run.Get(domain)}'?")
            .Requests(
                run => options.Fill(run, new DeleteSnapshot(run.Get(domain), [.. run.Get(snapshots).Distinct(StringComparer.Ordinal)])
                {
                    Scope = run.Get(childrenOnly) ? DeleteScope.ChildrenOnly
                        : run.Get(children) ? DeleteScope.WithChildren
                        : DeleteScope.Snapshots,
                }),
                "snapshot deleted");
    }

    private static CoppiceCommand DeleteAll()
    {
        var domain = KnownNames.Domain();
        var options = new DeleteOptions();
        var command = new CoppiceCommand(
            "delete-all", "Remove all snapshots; the disks stay as they are now", [domain, .. options.All]);
        options.Restrict(command);
        return command
            .Asks(run => $"Delete all snapshots of '{run.Get(domain)}'?")
            .Requests(run => options.Fill(run, new DeleteSnapshot(run.Get(domain), []) { Scope = DeleteScope.All }), "snapshots deleted");
    }

    private static string Named(string[] names, bool children, bool childrenOnly)
    {
        var all = $"snapshot{(names.Length == 1 ? "" : "s")} {string.Join(", ", names.Select(n => $"'{n}'"))}";
        return childrenOnly ? $"all below {all}" : children ? $"{all} and all below" : all;
    }
}

/// <summary>What becomes of what only the deleted snapshots have.</summary>
internal sealed class DeleteOptions
{
    private readonly Option<bool> _merge = new("--merge") { Description = "Merge what others need, and remove the rest (default)" };

    private readonly Option<bool> _mergeForce = new("--merge-force")
    {
        Description = "The same: a merge never takes another snapshot with it",
    };

    private readonly Option<bool> _discard = new("--discard") { Description = "Do not merge: refused if anything builds on it" };

    private readonly Option<bool> _discardForce = new("--discard-force")
    {
        Description = "Do not merge: snapshots and tips that build on it go too, but never the domain as it is now",
    };

    private readonly Option<bool> _metadata = new("--metadata") { Description = "Forget the snapshot but leave its files" };

    private readonly Option<MergeDirection?> _direction = Values.Option<MergeDirection?>(
        "--direction", "WAY", "Merge by commit (the newer image into the older) or stream (the other way round); else by what writes less",
        text => Values.Direction(text));

    private readonly Option<FinalName[]> _names = Values.Options(
        "--final-name", "[DISK=]NAME", "What the file that stays is called in the end, in its folder; can be repeated, once a disk",
        Values.FinalName);

    private readonly Option<bool> _noWait = new("--no-wait") { Description = "Do not wait for the merges; see 'job list'" };

    public IEnumerable<Option> All => [_merge, _mergeForce, _discard, _discardForce, _metadata, _direction, _names, _noWait];

    /// <summary>Refuses options that contradict each other (R20).</summary>
    public void Restrict(Command command)
    {
        Option[] modes = [_merge, _mergeForce, _discard, _discardForce, _metadata];
        for (var i = 0; i < modes.Length; i++)
        {
            for (var j = i + 1; j < modes.Length; j++)
            {
                SnapshotCommands.Exclude(command, modes[i], modes[j]);
            }
        }

        foreach (var mode in modes.Skip(2))
        {
            SnapshotCommands.Exclude(command, mode, _direction);
            SnapshotCommands.Exclude(command, mode, _names);
        }
    }

    public DeleteSnapshot Fill(Invocation run, DeleteSnapshot request) => request with
    {
        Mode = run.Get(_metadata) ? DeleteMode.MetadataOnly
            : run.Get(_discardForce) ? DeleteMode.DiscardForce
            : run.Get(_discard) ? DeleteMode.Discard
            : DeleteMode.Merge,
        Direction = run.Get(_direction),
        FinalNames = [.. run.Get(_names) ?? []],
        Wait = !run.Get(_noWait),
    };
}
