using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Defines a domain that exists only as long as it runs, and starts it (R166): two operations under one lock of the home. What
/// a crash leaves between them is a transient domain that nothing runs, and goes as such.
/// </summary>
internal sealed class TransientStarter(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(RunTransient request)
    {
        var definer = new Definer(call, home, finder);
        using var held = await definer.LockAsync(request.Definition).ConfigureAwait(false);
        var defined = await definer.DefineTransientAsync(request.Definition).ConfigureAwait(false);
        if (!defined.Executed)
        {
            return defined;
        }

        var folder = home.Domain(request.Definition.Id);
        try
        {
            var start = new StartDomain($"{request.Definition.Id}", request.Paused);
            var started = await DomainSession.RunAsync(call with { Request = start }, start, folder).ConfigureAwait(false);
            return started with
            {
                Plan = started.Plan with { Operation = request.Operation },
                Steps = [.. defined.Steps, .. started.Steps],
                Written = defined.Written + started.Written,
                Warnings = [.. defined.Warnings, .. started.Warnings],
            };
        }
        catch when (!call.Announcer.IsAbandoned)
        {
            // Also if it was cancelled: what was begun is taken back then too.
            await new TransientEnds(call.Home, home).TidyAsync([folder], CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }
}
