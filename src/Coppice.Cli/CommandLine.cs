using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Coppice.Cli.Commands;
using Coppice.Core;

namespace Coppice.Cli;

/// <summary>The whole command: every word it knows, and the options that go with each of them.</summary>
internal sealed class CommandLine : RootCommand
{
    public CommandLine(Surroundings surroundings)
        : base("Snapshot trees for virtual machines: checkpoint, revert and branch them, RAM and disks together.")
    {
        Surroundings = surroundings;
        UseOneHelp();
        Options.Add(Json);
        Options.Add(Home);
        Options.Add(Connect);
        Options.Add(Trace);
        Command[] words =
        [
            .. DomainCommands.All(), .. LifecycleCommands.All(), SnapshotCommands.Snapshot(), DiskCommands.Disk(), .. JobCommands.All(),
            TipCommands.Tips(), CheckCommand.Check(), PruneCommand.Prune(), PoolCommands.Pool(), PoolCommands.Memory(),
            CapabilitiesCommand.Capabilities(), CompletionCommand.Completion(), ServeCommand.Serve(),
            BackgroundChecksums.Command(),
        ];
        foreach (var word in words)
        {
            Subcommands.Add(word);
        }
    }

    public Surroundings Surroundings { get; }

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON (docs/json.md) instead of text for people",
        Recursive = true,
    };

    public Option<string?> Home { get; } = new("--home")
    {
        Description = "The folder that holds all domains; else COPPICE_HOME, else /var/lib/coppice for root or "
            + "$XDG_DATA_HOME/coppice",
        HelpName = "FOLDER",
        Recursive = true,
    };

    public Option<bool> Trace { get; } = new("--trace")
    {
        Description = "Print how long each step of an operation took, to standard error",
        Recursive = true,
    };

    public Option<string?> Connect { get; } = new("--connect")
    {
        Description = "The hypervisor; only qemu:///system and qemu:///session, which both mean the built-in one, until there "
            + "are more drivers",
        HelpName = "URI",
        Recursive = true,
    };

    /// <summary>Parses and runs what was typed; returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Surroundings surroundings)
    {
        // A token that begins with @ is a name like any other, not a file with more tokens.
        var parse = new CommandLine(surroundings).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        try
        {
            if (IsMistyped(parse))
            {
                return Refuse(parse, surroundings);
            }

            return await parse.InvokeAsync(new InvocationConfiguration
            {
                Output = surroundings.Output,
                Error = surroundings.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        finally
        {
            await surroundings.Output.FlushAsync();
            await surroundings.Error.FlushAsync();
        }
    }

    private static bool IsMistyped(ParseResult parse) => parse.Action is ParseErrorAction;

    private static int Refuse(ParseResult parse, Surroundings surroundings)
    {
        var words = Words(parse.CommandResult.Command).Reverse().ToArray();
        var errors = parse.Errors.Select(Text).Distinct().ToArray();

        // A word that is not known is also a missing one to the parser; once is enough.
        var error = new CoppiceException(
            ErrorKind.InvalidInput,
            words is [] ? "the command line" : string.Join(' ', words),
            string.Join(", ", parse.UnmatchedTokens.Count > 0 ? errors[^1..] : errors),
            $"see: {string.Join(' ', ["coppice", .. words, "--help"])}");
        return Invocation.Fail(error, Output.For(parse, surroundings));
    }

    private static string Text(ParseError error) => error.SymbolResult is ArgumentResult { Tokens.Count: 0, Parent: CommandResult } missing
        ? $"{missing.Argument.Name} is missing"
        : Printable.Line(error.Message.TrimEnd('.', ' '));

    private static IEnumerable<string> Words(Command? command)
    {
        for (; command is not (null or RootCommand); command = command.Parents.OfType<Command>().FirstOrDefault())
        {
            yield return command.Name;
        }
    }

    // The library's aliases /h, /? and -? are of another world, and would be offered to the shell.
    private void UseOneHelp()
    {
        var help = Options.OfType<HelpOption>().Single();
        help.Aliases.Clear();
        help.Aliases.Add("-h");
    }
}
