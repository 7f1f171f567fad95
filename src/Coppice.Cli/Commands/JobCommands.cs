using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>job</c>, and <c>gc</c>.</summary>
internal static class JobCommands
{
    public static IEnumerable<Command> All() =>
        [new CoppiceCommand("job", "Show, wait for and end the merges and copies of disks of a domain", List(), Show(), Wait(), Finish(), Cancel()), Collect()];

    private static CoppiceCommand List()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("list", "List the merges and copies of disks of a domain, and how far they have come", domain)
            .Does(async (run, cancellation) => run.Output.Jobs(
            [
                .. (await run.Home.ReadMirrorsAsync(run.Get(domain), cancellation)).Select(JobReport.Of),
                .. (await run.Home.ReadJobsAsync(run.Get(domain), null, cancellation)).Select(JobReport.Of),
            ]));
    }

    private static CoppiceCommand Show()
    {
        var domain = KnownNames.Domain();
        var job = KnownNames.Job(domain, ArgumentArity.ExactlyOne);
        return new CoppiceCommand("show", "Show a merge or copy of a disk: from where to where, and how far it has come", domain, job)
            .Does(async (run, cancellation) =>
            {
                var mirrors = await run.Home.ReadMirrorsAsync(run.Get(domain), cancellation);
                run.Output.Job(mirrors.FirstOrDefault(m => m.Mirror.Id.Value == run.Get(job)) is { } mirror
                    ? JobReport.Of(mirror)
                    : JobReport.Of((await run.Home.ReadJobsAsync(run.Get(domain), run.Get(job), cancellation))[0]));
            });
    }

    private static CoppiceCommand Wait()
    {
        var domain = KnownNames.Domain();
        var job = KnownNames.Job(domain, ArgumentArity.ZeroOrOne);
        return new CoppiceCommand("wait", "Wait until merges are done, and finish them", domain, job)
            .Requests(run => new WaitForJobs(run.Get(domain), run.Get(job)), "merged");
    }

    private static CoppiceCommand Finish()
    {
        var domain = KnownNames.Domain();
        var job = KnownNames.Job(domain, ArgumentArity.ExactlyOne);
        var keep = new Option<bool>("--keep") { Description = "Keep the copy as it is now; the guest stays where it is" };
        return new CoppiceCommand("finish", "Let a guest go over to the copy of its disk, once all is copied", domain, job, keep)
            .Requests(run => new EndMirror(run.Get(domain), run.Get(job)!, run.Get(keep) ? MirrorEnd.Keep : MirrorEnd.Pivot), "finished");
    }

    private static CoppiceCommand Cancel()
    {
        var domain = KnownNames.Domain();
        var job = KnownNames.Job(domain, ArgumentArity.ZeroOrOne);
        return new CoppiceCommand(
                "cancel", "Give merges up: both layers stay, one without a name; refused once one writes an image of yours. Give copies up: what was made goes", domain, job)
            .Requests(run => new CancelJobs(run.Get(domain), run.Get(job)), "given up");
    }

    private static CoppiceCommand Collect()
    {
        var domain = KnownNames.Domain();
        domain.Arity = ArgumentArity.ZeroOrOne;
        var all = new Option<bool>("--all") { Description = "Of every domain; one that fails keeps no other" };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait for the merges; see 'job list'" };
        var direction = Values.Option<MergeDirection?>(
            "--direction", "WAY", "Merge by commit (the newer image into the older) or stream (the other way round); else by what writes less",
            text => Values.Direction(text));
        var command = new CoppiceCommand(
            "gc", "Merge what can be merged by now, and remove what could not be removed before", domain, all, direction, noWait);
        command.Validators.Add(result =>
        {
            if (result.GetResult(all) is { Implicit: false } == result.GetResult(domain) is { Tokens.Count: > 0 })
            {
                result.AddError("needs a domain, or --all, and not both");
            }
        });
        return command.Requests(
            async (run, cancellation) =>
            {
                if (!run.Get(all))
                {
                    return new CollectGarbage(run.Get(domain)) { Wait = !run.Get(noWait), Direction = run.Get(direction) };
                }

                var list = await run.ListAsync(cancellation);
                var requests = list.Domains.Select(d => new CollectGarbage($"{d.Catalog.Domain}")
                {
                    Wait = !run.Get(noWait), Direction = run.Get(direction),
                });
                await command.RunEachAsync(run, requests, list.Broken.Select(b => b.Error), "tidied", cancellation);
                return null;
            },
            "tidied");
    }
}
