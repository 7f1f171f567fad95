namespace Coppice.Torture.Load;

/// <summary>Somebody who uses the command line on the same domains meanwhile.</summary>
internal sealed class CommandUser(int number, LoadRound round, Random random)
{
    // Exit codes of docs/cli.md that say that something is broken, and not that something could not be done now.
    private const int Internal = 1, Damaged = 12, Signal = 128;

    private int _names;

    /// <summary>Goes on until the time is over.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            var domain = round.Domains[random.Next(round.Domains.Length)];
            await (random.Next(10) switch
            {
                0 => RunAsync("list"),
                1 => RunAsync("snapshot", "list", domain.Name),
                2 or 3 => CreateAsync(domain),
                4 => DeleteAsync(domain),
                5 => RunAsync("start", domain.Name),
                6 => RunAsync("pause", domain.Name),
                7 => RunAsync("resume", domain.Name),
                8 => RunAsync("tips", "drop", domain.Name, "--keep-last", "2"),
                _ => RunAsync("gc", domain.Name, "--no-wait"),
            });
        }
    }

    /// <summary>Runs a command.</summary>
    /// <returns>Whether it did what it was asked for.</returns>
    private async Task<bool> RunAsync(params string[] arguments)
    {
        var run = await round.CommandAsync(arguments);
        if (run.ExitCode is Internal or Damaged or > Signal)
        {
            throw new Violation(Harm.Other, $"coppice {string.Join(' ', arguments)} ended with {run.ExitCode}: {run.Errors}{run.Output}");
        }

        if (run.ExitCode == 0)
        {
            round.Tally.Operation($"coppice {arguments[0]}", null);
        }
        else
        {
            round.Tally.Refused();
        }

        return run.ExitCode == 0;
    }

    private async Task CreateAsync(LoadDomain domain)
    {
        var name = $"u{number}-{_names++}";
        if (await RunAsync("snapshot", "create", domain.Name, name))
        {
            round.Ledger.Add(domain.Name, name);
        }
    }

    private async Task DeleteAsync(LoadDomain domain)
    {
        var names = (await round.CommandAsync("snapshot", "list", domain.Name, "--name")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (names.Length == 0)
        {
            return;
        }

        var name = names[random.Next(names.Length)];
        round.Ledger.Deleting(domain.Name, name, itself: true, below: false);
        if (await RunAsync("snapshot", "delete", domain.Name, name, "--yes", "--no-wait"))
        {
            round.Ledger.Deleted(domain.Name, name);
        }
        else
        {
            round.Ledger.Kept(domain.Name, name, itself: true, below: false);
        }
    }
}
