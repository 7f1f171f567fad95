using System.Collections.Immutable;
using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>
/// <c>check</c>: compares what is recorded with what there is, and mends what can be mended without losing anything.
/// </summary>
internal static class CheckCommand
{
    public static Command Check()
    {
        var domain = KnownNames.Domain();
        domain.Arity = ArgumentArity.ZeroOrOne;
        domain.Description = "The name or uuid of the domain; all if left out";
        var repair = new Option<bool>("--repair") { Description = "Mend what can be mended without losing anything" };
        var orphans = new Option<bool>("--orphans")
        {
            Description = "Also remove files that no catalog names, although a forgotten snapshot may have kept them",
        };
        var command = new CoppiceCommand(
            "check", "Compare catalogs, files, image tables, links and processes; fails if something is wrong", domain, repair, orphans);
        SnapshotCommands.Require(command, orphans, repair);
        return command.DoesEach(async (run, cancellation) =>
        {
            var name = run.Get(domain);
            var found = await run.Home.CheckAsync(name, cancellation);
            if (!run.Get(repair))
            {
                run.Output.Findings([.. found.Select(FindingReport.Of)], Carried.Nothing);
                Judge(run, found);
                return;
            }

            var meant = found.Where(f => f.IsRepairable && (run.Get(orphans) || !f.Forgets)).ToArray();
            run.Output.Announce([.. found.Select(FindingReport.Of)]);
            if (meant.Length > 0)
            {
                command.Confirm(run, Question(meant));
            }

            // What an interrupted operation hid was not shown, so that nobody has agreed to lose it.
            var hidden = meant.Where(f => f.Kind is FindingKind.Unfinished).Select(f => f.Domain).ToHashSet();
            var requests = meant.Select(f => f.Domain).OfType<string>().Distinct()
                .Select(d => new RepairDomain(d, run.Get(orphans) && !hidden.Contains(d)));
            var carried = await command.CarryOutEachAsync(run, requests, cancellation);
            var left = await run.Home.CheckAsync(name, cancellation);
            if (run.Get(orphans) && left.Any(f => f is { Forgets: true, IsRepairable: true } && hidden.Contains(f.Domain)))
            {
                run.Output.Warn(["files that no catalog names stay, since an interrupted operation hid them: run it again to remove them"]);
            }

            run.Output.Findings([.. left.Select(FindingReport.Of)], carried);
            Judge(run, left);
            run.FailedWith = carried.FailedWith ?? run.FailedWith;
        });
    }

    private static void Judge(Invocation run, ImmutableArray<Finding> findings) =>
        run.FailedWith = findings.Any(f => f.Severity is not Severity.Note) ? ErrorKind.Damaged : null;

    private static string Question(Finding[] meant)
    {
        var forgets = meant.Count(f => f.Forgets);
        return forgets == 0
            ? $"Mend {meant.Length} of these?"
            : $"Mend {meant.Length} of these, and lose {forgets} files that no catalog names?";
    }
}
