using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words that start, stop and steer a domain.</summary>
internal static class LifecycleCommands
{
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(60);

    public static IEnumerable<Command> All() =>
    [
        StartCommand.Start(),
        Stop(),
        Kill(),
        Save(),
        Plain("pause", "Let a running domain stand still", "paused", domain => new PauseDomain(domain)),
        Plain("resume", "Let a paused domain go on", "resumed", domain => new ResumeDomain(domain)),
        Plain("reboot", "Reboot the guest, or reset it if it cannot be asked", "rebooting", domain => new RebootDomain(domain)),
        Plain("reset", "Press the reset button: the guest boots at once, as if its power had failed", "reset", domain => new ResetDomain(domain)),
        Link(),
        ConsoleCommand.Console(),
        ScreenshotCommand.Screenshot(),
    ];

    private static CoppiceCommand Link()
    {
        var domain = KnownNames.Domain();
        var card = new Argument<string>("CARD") { Description = "The network card: its MAC address, or net0 for the first, net1 and on" };
        var change = Values.Argument<Func<string, string, DomainRequest>>(
            "up|down|new", "Plug its cable in, pull it, or have a new card with an address of its own and its cable plugged in", text => text switch
            {
                "up" => (name, place) => new SetLink(name, place, IsUp: true),
                "down" => (name, place) => new SetLink(name, place, IsUp: false),
                "new" => (name, place) => new RenewCard(name, place, IsUp: true),
                _ => throw new FormatException($"'{text}' is not known: write up, down or new"),
            });
        return new CoppiceCommand(
                "link", "Plug in or pull the cable of a network card, or replace the card, now and for later starts", domain, card, change)
            .Requests(run => run.Get(change)!(run.Get(domain), run.Get(card)), "done");
    }

    private static CoppiceCommand Stop()
    {
        var domain = KnownNames.Domain();
        var timeout = Values.Option<TimeSpan?>(
            "--timeout", "SECONDS", "How long to wait until the guest has shut down; 60 if not given", text => Values.Seconds(text));
        var noWait = new Option<bool>("--no-wait") { Description = "Press it, and leave the rest to the guest" };
        var command = new CoppiceCommand("stop", "Press the power button and wait until the domain is off", domain, timeout, noWait);
        SnapshotCommands.Exclude(command, timeout, noWait);
        return command.Requests(
            (run, _) => Task.FromResult<Request?>(
                new StopDomain(run.Get(domain), run.Get(noWait) ? null : run.Get(timeout) ?? s_stopLimit)),
            request => request is StopDomain { Limit: null } ? "power button pressed" : "stopped");
    }

    private static CoppiceCommand Save()
    {
        var domain = KnownNames.Domain();
        var discard = new Option<bool>("--discard") { Description = "Let go of the memory that was saved: the next start boots" };
        var running = new Option<bool>("--running") { Description = "The next start lets it run, whatever it does now" };
        var paused = new Option<bool>("--paused") { Description = "The next start lets it stand still" };
        var command = new CoppiceCommand(
            "save", "Keep a domain's memory in a file and switch it off; start goes on from there", domain, running, paused, discard);
        SnapshotCommands.Exclude(command, running, paused);
        SnapshotCommands.Exclude(command, running, discard);
        SnapshotCommands.Exclude(command, paused, discard);
        return command
            .Asks(run => run.Get(discard)
                ? $"Let go of the saved memory of '{run.Get(domain)}'? What its guest has not written to disk is lost."
                : null)
            .Requests(
                (run, _) => Task.FromResult<Request?>(
                    run.Get(discard)
                        ? new DiscardSavedMemory(run.Get(domain))
                        : new SaveDomain(run.Get(domain)) { Paused = run.Get(paused) ? true : run.Get(running) ? false : null }),
                request => request is DiscardSavedMemory ? "off; its saved memory is gone" : "saved");
    }

    private static CoppiceCommand Kill()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("kill", "End a domain at once, as if its power failed", domain)
            .Asks(run => $"Cut the power of '{run.Get(domain)}'? What its guest has not written to disk is lost.")
            .Requests(run => new KillDomain(run.Get(domain)), "off");
    }

    private static CoppiceCommand Plain(string name, string description, string done, Func<string, Request> request)
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand(name, description, domain).Requests(run => request(run.Get(domain)), done);
    }
}
