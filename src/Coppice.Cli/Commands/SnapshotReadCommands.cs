using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>snapshot</c> that only read; and <c>current</c>, which does both.</summary>
internal static class SnapshotReadCommands
{
    public static IEnumerable<Command> All() => [SnapshotListCommand.List(), Tree(), Show(), DumpXml(), Current(), Parent(), Children()];

    private static CoppiceCommand Tree()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("tree", "Draw the tree of snapshots, with the head and the tips that reverts left", domain)
            .Does(async (run, cancellation) =>
            {
                var view = await run.ShowAsync(run.Get(domain), cancellation);
                run.Output.Tree(DomainReport.Of(view), Reports(view, SnapshotFilter.All with { Topological = true }));
            });
    }

    private static CoppiceCommand Show() => OfSnapshot(
        "show", "Show a snapshot: state, memory, disks, files", (run, view, snapshot) => run.Output.Snapshot(Report(view, snapshot)));

    private static CoppiceCommand DumpXml()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        return new CoppiceCommand("dumpxml", "Print a snapshot as <domainsnapshot>, in libvirt's format", domain, snapshot).Does(
            async (run, _) => run.Output.Xml(
                SnapshotXml.Format(await run.Home.ReadSnapshotAsync(run.Get(domain), run.Get(snapshot)))));
    }

    private static CoppiceCommand Parent() => OfSnapshot(
        "parent",
        "Print the name of the snapshot that another was taken on",
        (run, view, snapshot) => run.Output.SnapshotName(
            new SnapshotTree(view.Catalog).Parent(snapshot) is { } parent ? Report(view, parent) : throw new CoppiceException(
                ErrorKind.NotFound, $"snapshot '{snapshot.Name}' of domain '{view.Catalog.Name}'", "is a root: it has no parent")));

    private static CoppiceCommand Children() => OfSnapshot(
        "children",
        "List the snapshots that were taken on another",
        (run, view, snapshot) => run.Output.Snapshots(
            Reports(view, new SnapshotFilter { Below = snapshot.Id, Reach = SnapshotReach.Children }), namesOnly: true));

    private static CoppiceCommand Current()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain, "Make this the current one, without touching head or disks");
        return new CoppiceCommand("current", "Print the snapshot that the head came from, or state another", domain, snapshot)
            .Requests(
                async (run, cancellation) =>
                {
                    if (run.Get(snapshot) is { } name)
                    {
                        return new SetCurrentSnapshot(run.Get(domain), name);
                    }

                    var view = await run.ShowAsync(run.Get(domain), cancellation);
                    run.Output.SnapshotName(Report(view, new SnapshotTree(view.Catalog).Current ?? throw new CoppiceException(
                        ErrorKind.NotFound, $"domain '{view.Catalog.Name}'", "has no current snapshot", $"take one: coppice snapshot create {view.Catalog.Name}")));
                    return null;
                },
                "current snapshot is now {snapshot}");
    }

    private static CoppiceCommand OfSnapshot(string name, string description, Action<Invocation, DomainView, Snapshot> print)
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        return new CoppiceCommand(name, description, domain, snapshot).Does(async (run, cancellation) =>
        {
            var view = await run.ShowAsync(run.Get(domain), cancellation);
            print(run, view, view.Catalog.Find(run.Get(snapshot)));
        });
    }

    private static SnapshotReport Report(DomainView view, Snapshot snapshot) => new SnapshotReports(view).Of(snapshot);

    private static SnapshotReport[] Reports(DomainView view, SnapshotFilter filter) => new SnapshotReports(view).Of(filter);
}
