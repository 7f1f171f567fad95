using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Makes a domain that begins on a snapshot of another, starts it if asked and replaces its network cards: operations of their
/// own, of which only the first locks the home. The domain that is forked is locked until the fork names what it shares, so that
/// nothing of that goes meanwhile.
/// </summary>
internal sealed class Forker(Call call, HomeFolder home, DomainFinder finder)
{
    // Whether the cables of the snapshot's cards were plugged in. Those of the fork are pulled until it has cards of its own.
    private ImmutableArray<bool> _cables = [];

    /// <summary>
    /// What keeps a fork from being thrown away that is only to be tried out; null if it stays, or is not made.
    /// </summary>
    public FileLock? Tried { get; private set; }

    public async Task<OperationResult> RunAsync(ForkSnapshot request)
    {
        try
        {
            return await RunAndHoldAsync(request).ConfigureAwait(false);
        }
        finally
        {
            Tried?.Dispose();
        }
    }

    /// <summary>
    /// The same for somebody who tries the fork out, and has to let go of <see cref="Tried"/>, also if this fails.
    /// </summary>
    public async Task<OperationResult> RunAndHoldAsync(ForkSnapshot request)
    {
        foreach (var name in request.Following.Insert(0, request.Name))
        {
            Names.Check("domain", name);
        }

        var made = await MakeUnderLockAsync(request).ConfigureAwait(false);
        if (!made.Executed || request.State is ForkState.Off)
        {
            return made;
        }

        using var turn = call.Series is { } series ? await series.TurnAsync().ConfigureAwait(false) : null;
        return await StartAsync(request, made, turn).ConfigureAwait(false);
    }

    private async Task<OperationResult> MakeUnderLockAsync(ForkSnapshot request)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        var leftovers = call.Options.PlanOnly ? [] : await new Leftovers(call.Home, home).TidyAsync().ConfigureAwait(false);
        finder.RequireAllReadable();
        return await call.TellingAsync(leftovers, () => MakeAsync(request)).ConfigureAwait(false);
    }

    private async Task<OperationResult> MakeAsync(ForkSnapshot request)
    {
        using var session = await DomainSession.OpenAsync(call, finder.Find(request.Domain)).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var folder = observed.Fork!.Folder;
        _cables = [.. observed.Definitions[observed.Catalog.Find(request.Snapshot).Definition].Devices
            .OfType<NetworkDevice>().Select(n => n.LinkIsUp ?? true)];
        foreach (var name in request.Following.Insert(0, request.Name))
        {
            finder.RequireFree(name, folder, "choose another name");
        }

        var plan = Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
        if (call.Options.PlanOnly)
        {
            return Results.Planned(plan with { Warnings = [.. session.Warnings, .. plan.Warnings] }, null);
        }

        var layers = plan.Commit!.PutLayers.Concat(plan.Commit.Put.SelectMany(s => s.Layers));
        using var owners = await new Lending(call.Home, home)
            .LendAsync(call, finder, (session, observed.Catalog), plan.Domain, layers).ConfigureAwait(false);
        var made = await MakeAsync(folder, request, plan).ConfigureAwait(false);
        return made with { Warnings = [.. session.Warnings, .. made.Warnings] };
    }

    private Task<OperationResult> MakeAsync(DomainFolder folder, ForkSnapshot request, Plan plan)
    {
        if (request.IsTrial)
        {
            DurableFolder.Create(folder.Path);
            Tried = FileLock.TryAcquire(folder.Trial);
        }

        return NewDomainFolder.MakeAsync(call, folder, request.Name, plan);
    }

    private async Task<OperationResult> StartAsync(ForkSnapshot request, OperationResult made, ForkSeries.Turn? turn)
    {
        var start = new StartDomain($"{made.Plan.Domain}", request.State is ForkState.Paused) { SharesMemory = request.SharesMemory };
        OperationResult started;
        try
        {
            started = await OnForkAsync(made, start, turn is not null && request.State is ForkState.Running ? () => turn.MeetAsync(call.Cancellation) : null).ConfigureAwait(false);
        }
        catch (Exception e) when (!call.Announcer.IsAbandoned)
        {
            throw Failing(e, request, made, $"the fork '{request.Name}' is there, and was not started");
        }

        var result = made.Then(started) with { Mechanism = $"{made.Mechanism}; {started.Mechanism}" };
        return request.Network is ForkNetwork.Renewed && made.Catalog!.Head.Saved is not null
            ? await RenewAsync(request, result).ConfigureAwait(false)
            : result;
    }

    /// <summary>Replaces every card that can be; those that are left are told with what replaces them as the snapshot had them.</summary>
    private async Task<OperationResult> RenewAsync(ForkSnapshot request, OperationResult result)
    {
        var left = new List<(string Card, Exception Why, string Command)>();
        for (var place = 0; place < _cables.Length; place++)
        {
            var card = $"net{place}";
            try
            {
                result = result.Then(await OnForkAsync(result, new RenewCard($"{result.Plan.Domain}", card, _cables[place])).ConfigureAwait(false));
            }
            catch (Exception e) when (!call.Announcer.IsAbandoned)
            {
                var command = $"coppice link {request.Name} {card} new";
                left.Add((card, e, _cables[place] ? command : $"{command}, then coppice link {request.Name} {card} down"));
            }
        }

        if (left.Count == 0)
        {
            return result;
        }

        string[] told = [.. left.Skip(1).Select(l => $"{l.Card}: {Failure.Of(l.Why, request.Operation).Problem}")];
        var stands = $"the fork '{request.Name}' is there and runs, and has kept {string.Join(", ", left.Select(l => l.Card))} with the cable pulled";
        var first = Failing(left[0].Why, request, result, string.Join("; ", told.Prepend(stands)));
        throw new CoppiceException(
            first.Kind, first.Subject, first.Problem, $"try again: {string.Join("; ", left.Select(l => l.Command))}", first);
    }

    private Task<OperationResult> OnForkAsync(OperationResult before, DomainRequest next, Func<Task>? beforeCleanUp = null) =>
        DomainSession.RunAsync(
            call with { Request = next, BeforeCleanUp = beforeCleanUp }, next, home.Domain(before.Plan.Domain));

    /// <summary>If what follows on the fork fails, the fork stays as it is, and that is told.</summary>
    private static CoppiceException Failing(Exception e, ForkSnapshot request, OperationResult before, string stands) =>
        Failure.Of(e, request.Operation).And(string.Join("; ", before.Warnings.Prepend(stands)));
}
