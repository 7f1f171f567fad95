using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>prune</c>: deletes the snapshots that no rule keeps, each by an ordinary deletion.</summary>
internal static class PruneCommand
{
    public static Command Prune()
    {
        var domain = KnownNames.Domain();
        var last = Values.Option<int>("--keep-last", "N", "Keep the N newest snapshots", text => Values.Count(text));
        var daily = Values.Option<int>("--keep-daily", "N", "Keep the newest of each of the last N days that have any", text => Values.Count(text));
        var weekly = Values.Option<int>("--keep-weekly", "N", "Keep the newest of each of the last N weeks that have any", text => Values.Count(text));
        var current = new Option<bool>("--current-too") { Description = "Also the current snapshot may go" };
        var command = new CoppiceCommand(
            "prune", "Delete old snapshots by rules that say which stay; days and weeks are those of UTC", domain, last, daily, weekly, current);
        return command.DoesEach(async (run, cancellation) =>
        {
            var view = await run.ShowAsync(run.Get(domain), cancellation);
            var retention = new Retention(run.Get(last), run.Get(daily), run.Get(weekly)) { CurrentToo = run.Get(current) };
            var decided = retention.Decide(view.Catalog);
            RetainedReport[] report = [.. decided.Reverse().Select(RetainedReport.Of)];
            var going = decided.Where(r => !r.Stays).ToArray();
            if (command.PlansOnly(run) || going.Length == 0)
            {
                run.Output.Pruned(report, Carried.Nothing);
                return;
            }

            run.Output.Announce(report);
            command.Confirm(run, $"Delete {going.Length} of {decided.Length} snapshots of '{view.Catalog.Name}'?");
            var requests = going.Select(r => new DeleteSnapshot($"{view.Catalog.Domain}", $"{r.Snapshot.Id}", metadataOnly: false));
            var carried = await command.CarryOutEachAsync(run, requests, cancellation);
            run.Output.Pruned(report, carried);
            run.FailedWith = carried.FailedWith;
        });
    }
}
