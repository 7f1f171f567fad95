using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>tips</c>: what reverts left behind.</summary>
internal static class TipCommands
{
    public static Command Tips() => new CoppiceCommand(
        "tips", "List, return to and drop what reverts left behind, and say how long it is kept", List(), Revert(), Drop(), Keep());

    private static CoppiceCommand List()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("list", "List the tips of a domain, oldest first, with what each takes", domain).Does(async (run, cancellation) =>
        {
            var view = await run.ShowAsync(run.Get(domain), cancellation);
            run.Output.Tips(DomainReport.Of(view), TipSizesReport.AllOf(view.Catalog));
        });
    }

    private static CoppiceCommand Revert()
    {
        var domain = KnownNames.Domain();
        var tip = KnownNames.Tip(domain);
        var force = SnapshotCommands.ForceTip();
        var clock = SnapshotCommands.SyncTime();
        return new CoppiceCommand(
            "revert", "Return to a tip, as 'snapshot undo' does to the newest; what is left becomes a tip in turn", domain, tip, force, clock)
            .Requests(
                run => new RevertToTip(run.Get(domain), run.Get(tip), run.Get(force)) { SyncTime = run.Get(clock) },
                "returned to tip {tip}");
    }

    private static CoppiceCommand Drop()
    {
        var domain = KnownNames.Domain();
        var tips = KnownNames.Tips(domain);
        var all = new Option<bool>("--all") { Description = "All of them" };
        var older = Values.Option<TimeSpan?>(
            "--older-than", "TIME", "All that were left longer ago, such as 7d or 12h", text => Values.Duration(text));
        var last = Values.Option<int?>(
            "--keep-last", "N", "All but the newest N; with --older-than, those stay that either lets stay", text => Values.Count(text));
        var command = new CoppiceCommand("drop", "Give up tips, with what only they reach", domain, tips, all, older, last);
        SnapshotCommands.Exclude(command, all, older);
        SnapshotCommands.Exclude(command, all, last);
        command.Validators.Add(result =>
        {
            var isNamed = result.GetResult(tips) is { Tokens.Count: > 0 };
            if (isNamed == new Option[] { all, older, last }.Any(o => result.GetResult(o) is { Implicit: false }))
            {
                result.AddError(isNamed
                    ? "TIP excludes --all, --older-than and --keep-last"
                    : "say which: TIP, --all, --older-than or --keep-last");
            }
        });
        return command
            .Asks(run => run.Get(tips) is { Length: > 0 } named
                ? $"Drop {string.Join(", ", named)} of '{run.Get(domain)}'? It cannot be returned to any more."
                : $"Drop tips of '{run.Get(domain)}'? They cannot be returned to any more.")
            .Requests(
                run => new DropTips(run.Get(domain))
                {
                    Tips = [.. run.Get(tips) ?? []],
                    AllBut = run.Get(all) ? new TipRetention(0, null)
                        : run.Has(older) || run.Has(last) ? new TipRetention(run.Get(last), run.Get(older)) : null,
                },
                "dropped");
    }

    private static CoppiceCommand Keep()
    {
        var domain = KnownNames.Domain();
        var last = Values.Option<int?>("--last", "N", "The newest N", text => Values.Count(text));
        var age = Values.Option<TimeSpan?>(
            "--for", "TIME", "Those that are not older, such as 7d; with --last, those that either keeps", text => Values.Duration(text));
        var forever = new Option<bool>("--forever") { Description = "All, as long as nobody drops them" };
        var command = new CoppiceCommand(
            "keep", "Say which tips are kept; the others go whenever a revert leaves another one", domain, last, age, forever);
        SnapshotCommands.Exclude(command, forever, last);
        SnapshotCommands.Exclude(command, forever, age);
        command.Validators.Add(result =>
        {
            if (new Option[] { last, age, forever }.All(o => result.GetResult(o) is not { Implicit: false }))
            {
                result.AddError("say which are kept: --last, --for or --forever");
            }
        });
        return command.Requests(run => new KeepTips(run.Get(domain), new TipRetention(run.Get(last), run.Get(age))), "noted which tips are kept");
    }
}
