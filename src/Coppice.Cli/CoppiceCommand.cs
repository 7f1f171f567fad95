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
    /// <param name="done">What became of it, in a few words for people; <c>{snapshot}</c> stands for the name of the snapshot,
    /// <c>{tip}</c> for the id of the tip that was returned to.</param>
    public CoppiceCommand Requests(Func<Invocation, Request> request, string done) =>
        Requests((invocation, _) => Task.FromResult<Request?>(request(invocation)), _ => done);

    /// <param name="request">Makes the request from what was typed, reading what it needs; null if there is nothing to
    /// do.</param>
    /// <param name="done">What became of it, in a few words for people; <c>{snapshot}</c> stands for the name of the
    /// snapshot.</param>
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

    /// <summary>Something that reads, and may carry out requests on its way.</summary>
    public CoppiceCommand DoesEach(Func<Invocation, CancellationToken, Task> action)
    {
        Options.Add(_yes);
        Options.Add(_plan);
        return Does(async (invocation, _) =>
        {
            using var interruption = new Interruption();
            await action(invocation, interruption.Token);
        });
    }

    /// <summary>Whether nothing is to be carried out.</summary>
    public bool PlansOnly(Invocation invocation) => invocation.Get(_plan);

    /// <summary>
    /// Carries out many requests, each as if it were the only one: one that fails is told, and keeps none of the others from
    /// being done unless they need it. The exit code is that of the first that failed. What was done before all of it is
    /// cancelled is told too.
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
        var carried = await CarryOutEachAsync(invocation, requests, cancellation);
        carried.Failed.InsertRange(0, failures);
        invocation.Output.Each(carried.Plans, carried.Results, [.. carried.Failed.Select(ErrorReport.Of)], done);
        invocation.FailedWith = carried.FailedWith;
    }

    /// <summary>The same, printing nothing.</summary>
    public async Task<Carried> CarryOutEachAsync(
        Invocation invocation, IEnumerable<Request> requests, CancellationToken cancellation)
    {
        var carried = Carried.Nothing;
        foreach (var request in requests)
        {
            try
            {
                carried.Add(await CarryOutAsync(invocation, request, cancellation), request, null);
            }
            catch (CoppiceException e)
            {
                carried.Add(null, request, e);
                if (e.Kind is ErrorKind.Cancelled)
                {
                    break;
                }
            }
        }

        return carried;
    }

    /// <summary>Makes several forks, which start side by side, and tells what became of each.</summary>
    /// <param name="invocation">What was typed.</param>
    /// <param name="first">What is done before, if anything.</param>
    /// <param name="forks">The forks.</param>
    /// <param name="done">What became of each, in a few words for people.</param>
    /// <param name="cancellation">Ends all of it.</param>
    public async Task RunForksAsync(
        Invocation invocation, CreateSnapshot? first, IReadOnlyList<ForkSnapshot> forks, string done, CancellationToken cancellation)
    {
        if (first is not null)
        {
            await invocation.Home.RequireForkableAsync(first, forks, cancellation);
        }

        var carried = await CarryOutEachAsync(invocation, first is null ? [] : [first], cancellation);
        if (carried.Failed.Count == 0)
        {
            using var trace = invocation.NewTrace();
            using var progress = new ProgressLine(invocation.Surroundings);
            var options = new RunOptions { PlanOnly = invocation.Get(_plan), OnEvent = trace.Before(progress.Show) };
            foreach (var outcome in await invocation.Home.ForkAsync(forks, options, cancellation))
            {
                trace.Add(outcome.Result);
                carried.Add(outcome.Result, outcome.Request, first is null || outcome.IsMade ? outcome.Error : Unmade(outcome));
            }

            progress.Clear();
        }

        invocation.Output.Each(carried.Plans, carried.Results, [.. carried.Failed.Select(ErrorReport.Of)], done);
        invocation.FailedWith = carried.FailedWith;
    }

    /// <summary>The error of a fork that was not made, of a snapshot that was: that stays, so the next try begins there.</summary>
    private static CoppiceException Unmade(ForkOutcome outcome)
    {
        var (fork, error) = (outcome.Request, outcome.Error!);
        var start = fork.State switch { ForkState.Running => " --start", ForkState.Paused => " --paused", _ => "" };
        var network = fork.Network switch
        {
            ForkNetwork.Renewed => " --new-nic",
            ForkNetwork.Down => " --network down",
            ForkNetwork.Keep => " --network keep",
            _ => "",
        };
        var again = $"coppice snapshot fork {fork.Domain} {fork.Snapshot} {fork.Name}{start}{network}";
        return new CoppiceException(
            error.Kind, error.Subject, $"{error.Problem}; snapshot '{fork.Snapshot}' was taken, and stays",
            error.NextStep.Length == 0 ? again : $"{error.NextStep}; then: {again}", error);
    }

    /// <summary>On a terminal, asks before it goes on, unless nothing is to be done or it is not to ask.</summary>
    /// <exception cref="CoppiceException">The answer was not yes (<see cref="ErrorKind.Cancelled"/>).</exception>
    public void Confirm(Invocation invocation, string question)
    {
        if (!invocation.Get(_plan) && !invocation.Get(_yes))
        {
            Confirmation.Ask(question, invocation.Surroundings);
        }
    }

    private async Task RunAsync(Invocation invocation, Request request, string done, CancellationToken cancellation)
    {
        if (_question(invocation) is { } question)
        {
            Confirm(invocation, question);
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
        using var trace = invocation.NewTrace();
        using var progress = new ProgressLine(invocation.Surroundings);
        var options = new RunOptions { PlanOnly = invocation.Get(_plan), OnEvent = trace.Before(progress.Show) };
        var result = await invocation.Home.RunAsync(request, options, cancellation);
        trace.Add(result);
        progress.Clear();
        await BackgroundChecksums.StartAsync(invocation, request, result);
        return result;
    }
}

/// <summary>What became of many requests.</summary>
internal sealed record Carried(List<PlanReport> Plans, List<ResultReport> Results, List<CoppiceException> Failed)
{
    public static Carried Nothing => new([], [], []);

    /// <summary>Adds what became of one: a result, a plan or a failure.</summary>
    public void Add(OperationResult? result, Request request, CoppiceException? failure)
    {
        if (failure is not null)
        {
            Failed.Add(failure);
        }
        else if (result!.Executed)
        {
            Results.Add(ResultReport.Of(result, request));
        }
        else
        {
            Plans.Add(PlanReport.Of(result.Plan, result.Catalog, request));
        }
    }

    /// <summary>What decides the exit code; null if nothing failed.</summary>
    public ErrorKind? FailedWith => Failed.Exists(e => e.Kind is ErrorKind.Cancelled) ? ErrorKind.Cancelled : Failed.FirstOrDefault()?.Kind;
}
