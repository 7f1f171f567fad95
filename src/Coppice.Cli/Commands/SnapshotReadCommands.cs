using System.CommandLine;
using System.Globalization;
using Coppice.Cli.Reports;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>snapshot</c> that only read; and <c>current</c>, which does both.</summary>
internal static class SnapshotReadCommands
{
    private const int MostSeconds = 24 * 60 * 60;

    public static IEnumerable<Command> All() =>
        [SnapshotListCommand.List(), Tree(), Show(), DumpXml(), Current(), Parent(), Children(), Usage(), Diff(), Verify()];

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

    private static CoppiceCommand Show()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        return new CoppiceCommand("show", "Show a snapshot: state, memory, disks, files", domain, snapshot).Does(async (run, cancellation) =>
        {
            var view = await run.ShowAsync(run.Get(domain), cancellation);
            var found = view.Catalog.Find(run.Get(snapshot));
            var unverified = await run.FindUnverifiedAsync(view, cancellation);
            run.Output.Snapshot(new SnapshotReports(view, unverified).Of(found));
        });
    }

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

    private static CoppiceCommand Usage()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("usage", "Show what each snapshot takes on disk alone, and what it shares", domain)
            .Does(async (run, cancellation) =>
            {
                var view = await run.ShowAsync(run.Get(domain), cancellation);
                run.Output.Usage(UsageReport.Of(view.Catalog.Name, await run.Home.ReadUsageAsync(run.Get(domain), cancellation)));
            });
    }

    private static CoppiceCommand Diff()
    {
        var domain = KnownNames.Domain();
        var first = KnownNames.Snapshot(domain);
        var second = KnownNames.Snapshot(domain, "Another one; the head if left out", "OTHER");
        var disk = new Option<string?>("--disk") { Description = "Compare only this disk", HelpName = "DISK" };
        return new CoppiceCommand(
            "diff", "Show what differs between two snapshots, or a snapshot and the head: disks and definition", domain, first, second, disk)
            .Does(async (run, cancellation) =>
            {
                var view = await run.ShowAsync(run.Get(domain), cancellation);
                run.Output.Difference(DifferenceReport.Of(view.Catalog.Name, await run.Home.CompareAsync(
                    run.Get(domain), run.Get(first), run.Get(second), run.Get(disk), cancellation)));
            });
    }

    private static CoppiceCommand Verify()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain, "The name or uuid of the snapshot; all if left out");
        var take = new Option<bool>("--take")
        {
            Description = "Take the checksums that are missing, which else a process in the background does (COPPICE_CHECKSUMS=off: none)",
        };
        var boot = new Option<bool>("--boot")
        {
            Description = "Also let a guest go on from each snapshot, or boot, in a fork that is thrown away",
        };
        var patience = new Option<int>("--for")
        {
            Description = "How long such a guest is watched, unless its agent answers before; 30 if not given", HelpName = "SECONDS",
            DefaultValueFactory = _ => 30,
        };
        patience.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<int>() is not (>= 1 and <= MostSeconds))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"--for is a number of seconds from 1 to {MostSeconds}"));
            }
        });
        var command = new CoppiceCommand(
            "verify", "Read what snapshots rely on against checksums that were taken before", domain, snapshot, take, boot, patience);
        SnapshotCommands.Require(command, patience, boot);
        return command.Does(async (run, _) =>
        {
            using var interruption = new Interruption();
            var verified = await run.Home.VerifyAsync(run.Get(domain), run.Get(snapshot), run.Get(take), interruption.Token);
            (IReadOnlyList<BootReport> Reports, ErrorKind? FailedWith)? booted = run.Get(boot)
                ? await BootAsync(run, run.Get(domain), run.Get(snapshot), TimeSpan.FromSeconds(run.Get(patience)), interruption.Token)
                : null;
            run.Output.Verified([.. verified.Select(VerificationReport.Of)], booted?.Reports);
            run.FailedWith = booted?.Reports.Any(b => b.End == Word.Failed) == true
                || verified.Any(v => v.State is not (VerifiedState.Intact or VerifiedState.Taken or VerifiedState.Unverified))
                ? ErrorKind.Damaged
                : booted?.FailedWith;
        });
    }

    /// <summary>
    /// One after another: each takes the memory of a guest. One that cannot be tried keeps none of the others from it.
    /// </summary>
    /// <returns>What became of each, and the first reason for which one was not tried.</returns>
    private static async Task<(IReadOnlyList<BootReport> Reports, ErrorKind? FailedWith)> BootAsync(
        Invocation run, string domain, string? snapshot, TimeSpan patience, CancellationToken cancellation)
    {
        var catalog = (await run.ShowAsync(domain, cancellation)).Catalog;
        Snapshot[] meant = snapshot is null ? [.. catalog.Snapshots.Values.OrderBy(s => s.CreatedAt)] : [catalog.Find(snapshot)];
        var booted = new List<BootReport>();
        ErrorKind? failedWith = null;
        foreach (var one in meant)
        {
            using var progress = new ProgressLine(run.Surroundings);
            var request = new TrySnapshot(domain, one.Id.ToString(), patience);
            try
            {
                var result = await run.Home.RunAsync(request, new RunOptions { OnEvent = progress.Show }, cancellation);
                progress.Clear();
                booted.Add(BootReport.Of(one, result.Trial!));
            }
            catch (CoppiceException e)
            {
                progress.Clear();
                booted.Add(BootReport.NotTried(one, e));
                if (e.Kind is ErrorKind.Cancelled)
                {
                    return (booted, e.Kind);
                }

                failedWith ??= e.Kind;
            }
        }

        return (booted, failedWith);
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
