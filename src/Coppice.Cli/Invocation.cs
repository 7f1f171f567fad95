using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>One command that was typed: its words, the home it is about, and where the answer goes.</summary>
internal sealed class Invocation
{
    private readonly ParseResult _parse;
    private readonly CommandLine _line;
    private readonly Lazy<Drivers> _drivers;
    private readonly Lazy<Home> _home;

    private Invocation(ParseResult parse)
    {
        _parse = parse;
        _line = (CommandLine)parse.RootCommandResult.Command;
        Output = Output.For(parse, Surroundings);
        _drivers = new(() => Surroundings.Drivers(Folder, Surroundings.Time));
        _home = new(() => HomeChoice.Open(Folder, _drivers.Value, Surroundings));
    }

    public Surroundings Surroundings => _line.Surroundings;

    public Output Output { get; }

    /// <summary>What failed although the rest was done, and is told already; null if nothing.</summary>
    public ErrorKind? FailedWith { get; set; }

    /// <summary>The home; opened at its first use.</summary>
    public Home Home => _home.Value;

    /// <summary>The drivers of the home, for what is not about a domain.</summary>
    public Drivers Drivers => _drivers.Value;

    /// <summary>Runs a command and turns whatever it throws into the error it prints and the exit code.</summary>
    public static async Task<int> RunAsync(ParseResult parse, Func<Invocation, CancellationToken, Task> action, CancellationToken cancellation)
    {
        var invocation = new Invocation(parse);
        try
        {
            HomeChoice.CheckConnect(parse.GetValue(invocation._line.Connect));
            await action(invocation, cancellation);
            return invocation.FailedWith is { } kind ? ExitCode.Of(kind) : ExitCode.Success;
        }
        catch (OperationCanceledException e)
        {
            return Fail(new CoppiceException(ErrorKind.Cancelled, parse.CommandResult.Command.Name, "was cancelled", "", e), invocation.Output);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(new CoppiceException(ErrorKind.Storage, parse.CommandResult.Command.Name, e.Message.TrimEnd('.'), "", e), invocation.Output);
        }
        catch (CoppiceException e)
        {
            return Fail(e, invocation.Output);
        }
#pragma warning disable CA1031 // The last resort of the whole command: a defect of ours still ends as an error in the promised form.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Fail(Defect(e, invocation.Surroundings), invocation.Output);
        }
    }

    /// <summary>Notes times, if that was asked for.</summary>
    public Trace NewTrace() => new(Surroundings, _parse.GetValue(_line.Trace));

    /// <summary>Every domain; what became of some while they were looked for is printed.</summary>
    public async Task<DomainList> ListAsync(CancellationToken cancellation)
    {
        var list = await Home.ListAsync(cancellation);
        Output.Warn(list.Warnings);
        return list;
    }

    /// <summary>A domain; what became of it while it was looked for is printed.</summary>
    public async Task<DomainView> ShowAsync(string domain, CancellationToken cancellation)
    {
        var view = await Home.ShowAsync(domain, cancellation);
        Output.Warn(view.Warnings);
        return view;
    }

    /// <summary>The snapshots that lack checksums; null where a damaged chain keeps that from being told: a list is of use then, too.</summary>
    public async Task<IReadOnlySet<SnapshotId>?> FindUnverifiedAsync(DomainView view, CancellationToken cancellation)
    {
        try
        {
            return await Home.ReadUnverifiedAsync($"{view.Catalog.Domain}", cancellation);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Damaged)
        {
            return null;
        }
    }

    /// <summary>Prints an error; returns its exit code.</summary>
    public static int Fail(CoppiceException error, Output output)
    {
        output.Error(ErrorReport.Of(error));
        return ExitCode.Of(error.Kind);
    }

    /// <summary>Where the home is.</summary>
    public HomeFolder Folder => HomeChoice.Folder(_parse.GetValue(_line.Home), Surroundings);

    public T Get<T>(Argument<T> argument) => _parse.GetValue(argument)!;

    public T? Get<T>(Option<T> option) => _parse.GetValue(option);

    public bool Has(Option option) => _parse.GetResult(option) is { Implicit: false };

    /// <summary>An absolute path; relative ones begin at the current folder.</summary>
    public string? Path(Option<string?> option) => Get(option) is { } path ? System.IO.Path.GetFullPath(path) : null;

    private static CoppiceException Defect(Exception e, Surroundings surroundings) => new(
        ErrorKind.Internal,
        "coppice",
        surroundings.Variable("COPPICE_DEBUG") is null ? $"{e.GetType().Name}: {e.Message}" : e.ToString(),
        "this is a defect; please report it with the output of COPPICE_DEBUG=1",
        e);
}
