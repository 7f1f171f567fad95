using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>
/// A word of the command line. What it does is either something that reads (<see cref="Does"/>), or a
/// <see cref="Request"/>: then it can be planned, it is confirmed, run and its result printed, the same way for all.
/// </summary>
internal sealed class CoppiceCommand : Command
{
    private readonly Option<bool> _yes = new("--yes", "-y") { Description = "Do not ask for confirmation" };
    private readonly Option<bool> _plan = new("--plan")
    {
        Description = "Only print what would be done: steps, files, bytes and how long the guest would stand still",
    };

    private Func<Invocation, string?> _question = _ => null;

    public CoppiceCommand(string name, string description, params Symbol[] symbols)
        : base(name, description)
    {
        foreach (var symbol in symbols)
        {
            switch (symbol)
            {
                case Argument argument: Arguments.Add(argument); break;
                case Option option: Options.Add(option); break;
                case Command command: Subcommands.Add(command); break;
            }
        }
    }

    /// <summary>On a terminal, asks before it goes on; null asks nothing.</summary>
    public CoppiceCommand Asks(Func<Invocation, string?> question)
    {
        _question = question;
        Options.Add(_yes);
        return this;
    }

    public CoppiceCommand Does(Func<Invocation, CancellationToken, Task> action)
    {
        SetAction((parse, cancellation) => Invocation.RunAsync(parse, action, cancellation));
        return this;
    }

    /// <param name="request">Makes the request from what was typed.</param>
    /// <param name="done">What became of it, in a few words for people; <c>{snapshot}</c> stands for the name of the snapshot.</param>
    public CoppiceCommand Requests(Func<Invocation, Request> request, string done) =>
        Requests((invocation, _) => Task.FromResult<Request?>(request(invocation)), _ => done);

    /// <param name="request">Makes the request from what was typed, reading what it needs; null if there is nothing to do.</param>
    /// <param name="done">What became of it, in a few words for people; <c>{snapshot}</c> stands for the name of the snapshot.</param>
    public CoppiceCommand Requests(Func<Invocation, CancellationToken, Task<Request?>> request, string done) =>
        Requests(request, _ => done);

    /// <param name="request">Makes the request from what was typed, as above.</param>
    /// <param name="done">What became of it, as above, by what was asked.</param>
    public CoppiceCommand Requests(Func<Invocation, CancellationToken, Task<Request?>> request, Func<Request, string> done)
    {
        Options.Add(_plan);
        return Does(async (invocation, _) =>
        {
            using var interruption = new Interruption();
            if (await request(invocation, interruption.Token) is { } wanted)
            {
                await RunAsync(invocation, wanted, done(wanted), interruption.Token);
            }
        });
    }

    /// <summary>
    /// Carries out many requests, each as if it were the only one: one that fails is told, and keeps none of the others from
    /// being done. The exit code is that of the first that failed. What was done before all of it is cancelled is told too.
    /// </summary>
    /// <param name="invocation">What was typed.</param>
    /// <param name="requests">The requests.</param>
    /// <param name="failures">What failed before.</param>
    /// <param name="done">What became of each, in a few words for people.</param>
    /// <param name="cancellation">Ends all of it.</param>
    public async Task RunEachAsync(
        Invocation invocation, IEnumerable<Request> requests, IEnumerable<CoppiceException> failures, string done,
        CancellationToken cancellation)
    {
        var (plans, results, failed) = (new List<PlanReport>(), new List<ResultReport>(), failures.ToList());
        foreach (var request in requests)
        {
            try
            {
                var result = await CarryOutAsync(invocation, request, cancellation);
                if (result.Executed)
                {
                    results.Add(ResultReport.Of(result, request));
                }
                else
                {
                    plans.Add(PlanReport.Of(result.Plan, result.Catalog, request));
                }
            }
            catch (CoppiceException e)
            {
                failed.Add(e);
                if (e.Kind is ErrorKind.Cancelled)
                {
                    break;
                }
            }
        }

        invocation.Output.Each(plans, results, [.. failed.Select(ErrorReport.Of)], done);
        invocation.FailedWith = failed.Exists(e => e.Kind is ErrorKind.Cancelled) ? ErrorKind.Cancelled : failed.FirstOrDefault()?.Kind;
    }

    private async Task RunAsync(Invocation invocation, Request request, string done, CancellationToken cancellation)
    {
        if (!invocation.Get(_plan) && !invocation.Get(_yes) && _question(invocation) is { } question)
        {
            Confirmation.Ask(question, invocation.Surroundings);
        }

        var result = await CarryOutAsync(invocation, request, cancellation);
        if (result.Executed)
        {
            invocation.Output.Result(ResultReport.Of(result, request), done);
        }
        else
        {
            invocation.Output.Plan(PlanReport.Of(result.Plan, result.Catalog, request));
        }
    }

    private async Task<OperationResult> CarryOutAsync(Invocation invocation, Request request, CancellationToken cancellation)
    {
        using var progress = new ProgressLine(invocation.Surroundings);
        var options = new RunOptions { PlanOnly = invocation.Get(_plan), OnEvent = progress.Show };
        var result = await invocation.Home.RunAsync(request, options, cancellation);
        progress.Clear();
        return result;
    }
}
