using System.CommandLine;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Commands;

/// <summary><c>start</c>: one domain, or all that are to be started with the host.</summary>
internal static class StartCommand
{
    public static CoppiceCommand Start()
    {
        var domain = KnownNames.Domain();
        domain.Arity = ArgumentArity.ZeroOrOne;
        var paused = new Option<bool>("--paused") { Description = "Stand still before the first or next instruction" };
        var anew = new Option<bool>("--anew") { Description = "Boot it also if it was saved; the saved memory goes" };
        var force = new Option<bool>("--force") { Description = "Also if an image was written after a snapshot froze it" };
        var clock = SnapshotCommands.SyncTime();
        var autostart = new Option<bool>("--autostart")
        {
            Description = "Start every domain that 'autostart' marked and that is off or saved; one that fails keeps no other",
        };
        var command = new CoppiceCommand(
            "start", "Start a domain that is off, or let one that was saved go on", domain, paused, anew, clock, force, autostart);
        SnapshotCommands.Exclude(command, paused, clock);
        foreach (var option in new[] { paused, anew, clock, force })
        {
            SnapshotCommands.Exclude(command, autostart, option);
        }

        command.Validators.Add(result =>
        {
            if (result.GetResult(autostart) is { Implicit: false } == result.GetResult(domain) is { Tokens.Count: > 0 })
            {
                result.AddError("needs a domain, or --autostart, and not both");
            }
        });
        return command.Requests(
            async (run, cancellation) =>
            {
                if (!run.Get(autostart))
                {
                    return new StartDomain(run.Get(domain), run.Get(paused), run.Get(anew), run.Get(force)) { SyncTime = run.Get(clock) };
                }

                await StartAllAsync(command, run, cancellation);
                return null;
            },
            "started");
    }

    /// <summary>A domain that cannot be read may be one of them: that is told too.</summary>
    private static async Task StartAllAsync(CoppiceCommand command, Invocation run, CancellationToken cancellation)
    {
        var list = await run.ListAsync(cancellation);
        var requests = list.Domains.Where(IsToStart).Select(d => new StartDomain($"{d.Catalog.Domain}", Paused: false));
        await command.RunEachAsync(run, requests, list.Broken.Select(b => b.Error), "started", cancellation);
    }

    private static bool IsToStart(DomainView domain) =>
        domain is { Catalog.Persistence: Persistence.Autostart, Hypervisor.IsAlive: false };
}
