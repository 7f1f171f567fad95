using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot list</c> with libvirt's filters (R172, R173).</summary>
internal static class SnapshotListCommand
{
    public static Command List() => new Form().Command();

    private sealed class Form
    {
        private readonly Argument<string> _domain = KnownNames.Domain();
        private readonly Option<bool> _roots = new("--roots") { Description = "Only those without a parent" };
        private readonly Option<bool> _topological = new("--topological") { Description = "Parents before their children, instead of by time" };
        private readonly Option<bool> _names = new("--name") { Description = "Print names only, one a line" };
        private readonly Option<string?> _from;
        private readonly (Option<bool> Option, SnapshotTraits Trait)[] _traits =
        [
            (new("--leaves") { Description = "Those without children" }, SnapshotTraits.Leaf),
            (new("--no-leaves") { Description = "Those with children" }, SnapshotTraits.Inner),
            (new("--inactive") { Description = "Those of a domain that was off" }, SnapshotTraits.Offline),
            (new("--active") { Description = "Those of a running or paused domain, with its memory" }, SnapshotTraits.Online),
            (new("--disk-only") { Description = "Those of a running or paused domain, without its memory" }, SnapshotTraits.DiskOnly),
            (new("--internal") { Description = "Those that are wholly inside images" }, SnapshotTraits.Internal),
            (new("--external") { Description = "Those with a file or layer of their own" }, SnapshotTraits.External),
        ];

        public Form()
        {
            _from = new Option<string?>("--from") { Description = "Only those below this snapshot", HelpName = "SNAPSHOT" };
            _from.CompletionSources.Add(context => KnownNames.OfDomain(context, _domain));
        }

        public CoppiceCommand Command()
        {
            var command = new CoppiceCommand(
                "list",
                "List the snapshots of a domain; filters of one kind add up, filters of different kinds narrow",
                [_domain, _roots, .. _traits.Select(t => t.Option), _from, _topological, _names]);
            SnapshotCommands.Exclude(command, _roots, _from);
            return command.Does(RunAsync);
        }

        private async Task RunAsync(Invocation run, CancellationToken cancellation)
        {
            var view = await run.ShowAsync(run.Get(_domain), cancellation);
            var filter = new SnapshotFilter
            {
                Below = run.Get(_from) is { } from ? view.Catalog.Find(from).Id : null,
                Reach = run.Get(_roots) ? SnapshotReach.Children : SnapshotReach.Descendants,
                Traits = _traits.Where(t => run.Get(t.Option)).Aggregate(SnapshotTraits.None, (all, t) => all | t.Trait),
                Topological = run.Get(_topological),
            };
            var unverified = await run.FindUnverifiedAsync(view, cancellation);
            run.Output.Snapshots(new SnapshotReports(view, unverified).Of(filter), run.Get(_names));
        }
    }
}
