using System.Globalization;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Presses the power button and waits, if asked, until the domain is off. The waiting happens without the lock.</summary>
internal sealed class Stopper(Call call, DomainFolder folder)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    public async Task<OperationResult> RunAsync(StopDomain request)
    {
        var (pressed, process) = await PressAsync(request).ConfigureAwait(false);
        if (!pressed.Executed || request.Limit is not { } limit)
        {
            return pressed;
        }

        try
        {
            await WaitAsync(limit, process).ConfigureAwait(false);
            return await SettleAsync(request, process).ConfigureAwait(false) is { } settled ? pressed.Then(settled) : pressed;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound && pressed.Catalog?.Persistence is Persistence.Transient)
        {
            // Some other command has seen that it ended, and undefined it.
            return pressed with { Catalog = null };
        }
    }

    private async Task<(OperationResult Result, ShortId Process)> PressAsync(StopDomain request)
    {
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var plan = Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
        return (await session.ExecuteAsync(plan).ConfigureAwait(false), observed.Catalog.Head.Process!.Value);
    }

    private async Task WaitAsync(TimeSpan limit, ShortId process)
    {
        var start = call.Home.Time.GetTimestamp();
        while (await IsAliveAsync(process).ConfigureAwait(false) is { } name)
        {
            if (call.Home.Time.GetElapsedTime(start) >= limit)
            {
                throw new CoppiceException(
                    ErrorKind.WrongState,
                    $"domain '{name}'",
                    string.Create(CultureInfo.InvariantCulture, $"still runs {limit.TotalSeconds:0.#} s after its power button was pressed"),
                    $"wait longer, or end it: coppice kill {name}");
            }

            await Task.Delay(s_interval, call.Home.Time, call.Cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The name of the domain if the process still runs it.</summary>
    private async Task<string?> IsAliveAsync(ShortId process)
    {
        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        if (catalog.Head.Process != process)
        {
            return null;
        }

        var observed = await call.Home.Hypervisor
            .ObserveAsync(folder, process, definition, catalog.Written, call.Cancellation).ConfigureAwait(false);
        return observed.IsAlive && observed.State is not DomainState.Off ? catalog.Name : null;
    }

    /// <summary>Takes the process off the record, unless somebody has done so, or started the domain again.</summary>
    private async Task<OperationResult?> SettleAsync(StopDomain request, ShortId process)
    {
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        if (observed.Catalog.Head.Process != process)
        {
            return null;
        }

        var plan = Planner.Settle(request, observed, call.Home.Hypervisor, call.Home.Storage);
        return await session.ExecuteAsync(plan).ConfigureAwait(false);
    }
}
