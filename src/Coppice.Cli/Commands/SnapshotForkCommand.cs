using System.CommandLine;
using System.Globalization;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot fork</c>: new domains that begin on a snapshot, or where a domain is now.</summary>
internal static class SnapshotForkCommand
{
    private const int MostForks = 1000;
    private const string Done = "now on snapshot {snapshot}";

    public static Command Create() => new Form().Command();

    /// <summary>What becomes of the network cards of a domain that is made of another one.</summary>
    public static Option<ForkNetwork> NetworkOption() => Values.Option(
        "--network", "down|keep",
        "Pull the cables of all cards but those on user networking, as is done by itself if the guest goes on from memory; "
            + "or keep addresses, cables and port forwards as they are",
        Network);

    private static ForkNetwork Network(string text) => text switch
    {
        "down" => ForkNetwork.Down,
        "keep" => ForkNetwork.Keep,
        _ => throw new FormatException($"'{text}' is not known: write down or keep"),
    };

    private sealed class Form
    {
        private readonly Argument<string> _domain = KnownNames.Domain();
        private readonly Argument<string> _snapshot;
        private readonly Argument<string?> _name = new("NEW")
        {
            Description = "What the new domain is called",
            Arity = ArgumentArity.ZeroOrOne,
        };

        private readonly Option<bool> _live = new("--live")
        {
            Description = "Fork the domain as it is now: DOMAIN --live NEW takes a snapshot fork-NEW first, which stays",
        };

        private readonly Option<int?> _count = new("--count")
        {
            Description = "Make so many, called NEW-1, NEW-2 and on; with --start or --paused they start side by side", HelpName = "N",
        };

        private readonly Option<bool> _start = new("--start") { Description = "Let it run; else it is off, and its first start goes on from the snapshot" };
        private readonly Option<bool> _paused = new("--paused") { Description = "Let it stand still" };
        private readonly Option<ForkNetwork> _network = NetworkOption();

        private readonly Option<bool> _newNic = new("--new-nic")
        {
            Description = "Replace the network cards of a guest that goes on from memory by new ones once it runs, and let their cables be as "
                + "the snapshot has them; with --start",
        };

        private readonly Option<bool> _shares = new("--share-memory")
        {
            Description = "Map the memory image for reading, so that forks share what of it is cached; their checkpoints wait for RAM until they are "
                + "reverted or started anew; with --start or --paused",
        };

        public Form() => _snapshot = KnownNames.Snapshot(_domain);

        public CoppiceCommand Command()
        {
            var command = new CoppiceCommand(
                "fork", "Make a new domain that begins on a snapshot; both go on by themselves",
                _domain, _snapshot, _name, _live, _count, _start, _paused, _network, _newNic, _shares);
            SnapshotCommands.Exclude(command, _start, _paused);
            SnapshotCommands.Exclude(command, _network, _newNic);
            command.Validators.Add(result =>
            {
                var isLive = result.GetResult(_live) is { Implicit: false };
                if (isLive == result.GetResult(_name) is { Tokens.Count: > 0 })
                {
                    result.AddError(isLive ? "with --live write DOMAIN --live NEW, and no snapshot" : "needs DOMAIN SNAPSHOT NEW, or DOMAIN --live NEW");
                }

                if (result.GetValue(_shares) && !result.GetValue(_start) && !result.GetValue(_paused))
                {
                    result.AddError("--share-memory needs --start or --paused: it says how the first process has its RAM");
                }

                if (result.GetResult(_count) is { Implicit: false, Errors: var errors } && !errors.Any()
                    && result.GetValue(_count) is not (>= 1 and <= MostForks))
                {
                    result.AddError(string.Create(CultureInfo.InvariantCulture, $"--count is a number from 1 to {MostForks}"));
                }
            });
            return command.Requests(
                async (run, cancellation) =>
                {
                    var (first, forks) = Requests(run);
                    if (first is not null && command.PlansOnly(run))
                    {
                        return first; // On a snapshot that is not there yet nothing can be planned.
                    }

                    if (first is null && forks is [var single])
                    {
                        return single;
                    }

                    await command.RunForksAsync(run, first, forks, Done, cancellation);
                    return null;
                },
                Done);
        }

        /// <summary>The forks, and the snapshot that they begin on if there is none yet.</summary>
        private (CreateSnapshot? First, ForkSnapshot[] Forks) Requests(Invocation run)
        {
            var (domain, isLive) = (run.Get(_domain), run.Get(_live));
            var name = isLive ? run.Get(_snapshot) : run.Get(_name)!;
            var snapshot = isLive ? $"fork-{name}" : run.Get(_snapshot);
            var names = run.Get(_count) is { } count ? Enumerable.Range(1, count).Select(i => $"{name}-{i}").ToArray() : [name];
            var forks = names.Select((n, i) => new ForkSnapshot(domain, snapshot, n)
            {
                Following = [.. names.Skip(i + 1)],
                State = run.Get(_start) ? ForkState.Running : run.Get(_paused) ? ForkState.Paused : ForkState.Off,
                SharesMemory = run.Get(_shares),
                Network = run.Get(_newNic) ? ForkNetwork.Renewed : run.Get(_network),
            });
            return (isLive ? new CreateSnapshot(domain) { Name = snapshot } : null, [.. forks]);
        }
    }
}
