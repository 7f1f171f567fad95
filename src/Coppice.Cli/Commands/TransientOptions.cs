using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>What makes a domain transient, wherever one is made: what <c>virsh create</c> does (R166).</summary>
internal sealed class TransientOptions
{
    private readonly Option<bool> _transient = new("--transient")
    {
        Description = "Start it at once, and forget it when it ends; 'persist' lets it stay. Needs a uuid that is new, or none",
    };

    private readonly Option<bool> _paused = new("--paused")
    {
        Description = "With --transient: stand still before the first instruction",
    };

    public Symbol[] All => [_transient, _paused];

    public void Restrict(Command command) => command.Validators.Add(result =>
    {
        if (result.GetResult(_paused) is { Implicit: false } && result.GetResult(_transient) is not { Implicit: false })
        {
            result.AddError("--paused needs --transient");
        }
    });

    public Request Request(Invocation run, DomainDefinition definition) =>
        run.Get(_transient) ? new RunTransient(definition, run.Get(_paused)) : new DefineDomain(definition);

    public static string Done(Request request) => request is RunTransient ? "started; it goes when it ends" : "defined";
}
