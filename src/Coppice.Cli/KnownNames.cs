using System.CommandLine;
using System.CommandLine.Completions;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>The names of what exists, for shell completion. A completion that fails offers nothing and says nothing.</summary>
internal static class KnownNames
{
    /// <summary>The argument that names a domain.</summary>
    public static Argument<string> Domain()
    {
        var argument = new Argument<string>("DOMAIN") { Description = "The name or uuid of the domain" };
        argument.CompletionSources.Add(context => IsTyped(argument, context, mayBeNext: true)
            ? Read(context, home => home.ReadNames())
            : []);
        return argument;
    }

    /// <summary>The argument that names a snapshot of a domain.</summary>
    public static Argument<string> Snapshot(Argument<string> domain) =>
        Complete(new Argument<string>("SNAPSHOT") { Description = "The name or uuid of the snapshot" }, domain);

    /// <summary>The argument that names a snapshot of a domain, or is left out.</summary>
    public static Argument<string?> Snapshot(Argument<string> domain, string description, string name = "SNAPSHOT") =>
        Complete(new Argument<string?>(name) { Description = description, Arity = ArgumentArity.ZeroOrOne }, domain);

    /// <summary>The argument that names snapshots of a domain, at least one.</summary>
    public static Argument<string[]> Snapshots(Argument<string> domain) => Complete(
        new Argument<string[]>("SNAPSHOT") { Description = "The names or uuids of the snapshots", Arity = ArgumentArity.OneOrMore }, domain);

    /// <summary>The argument that names a merge of a domain.</summary>
    public static Argument<string?> Job(Argument<string> domain, ArgumentArity arity)
    {
        var argument = new Argument<string?>("JOB")
        {
            Description = arity.Equals(ArgumentArity.ZeroOrOne) ? "The id of the merge; if left out, all" : "The id of the merge", Arity = arity,
        };
        argument.CompletionSources.Add(context =>
            IsTyped(argument, context, context.WordToComplete.Length == 0) && context.ParseResult.GetValue(domain) is { } name
                ? Read(context, home => home.ReadJobIds(name))
                : []);
        return argument;
    }

    /// <summary>The argument that names a tip of a domain.</summary>
    public static Argument<string> Tip(Argument<string> domain) =>
        CompleteTip(new Argument<string>("TIP") { Description = "The id of the tip" }, domain);

    /// <summary>The argument that names tips of a domain, or is left out.</summary>
    public static Argument<string[]> Tips(Argument<string> domain) => CompleteTip(
        new Argument<string[]>("TIP") { Description = "The ids of the tips", Arity = ArgumentArity.ZeroOrMore }, domain);

    /// <summary>What completes a snapshot's name, given the domain typed before it.</summary>
    public static IEnumerable<CompletionItem> OfDomain(CompletionContext context, Argument<string> domain) =>
        context.ParseResult.GetValue(domain) is { } name
            ? Read(context, home => home.ReadSnapshotNames(name))
            : [];

    private static Argument<T> Complete<T>(Argument<T> argument, Argument<string> domain)
    {
        argument.CompletionSources.Add(context =>
            IsTyped(argument, context, context.WordToComplete.Length == 0) ? OfDomain(context, domain) : []);
        return argument;
    }

    private static Argument<T> CompleteTip<T>(Argument<T> argument, Argument<string> domain)
    {
        argument.CompletionSources.Add(context =>
            IsTyped(argument, context, context.WordToComplete.Length == 0) && context.ParseResult.GetValue(domain) is { } name
                ? Read(context, home => home.ReadTipIds(name))
                : []);
        return argument;
    }

    // The library asks every argument of a command; only the one under the cursor has something to offer.
    private static bool IsTyped(Argument argument, CompletionContext context, bool mayBeNext) =>
        context.ParseResult.GetResult(argument) is { Tokens: [.., var token] }
            ? token.Value == context.WordToComplete || (mayBeNext && argument.Arity.MaximumNumberOfValues > 1)
            : mayBeNext;

    private static CompletionItem[] Read(CompletionContext context, Func<Home, IEnumerable<string>> names)
    {
        if (context.ParseResult.RootCommandResult.Command is not CommandLine line)
        {
            return [];
        }

        try
        {
            var folder = HomeChoice.Folder(context.ParseResult.GetValue(line.Home), line.Surroundings);
            var home = HomeChoice.Open(folder, line.Surroundings.Drivers(folder, line.Surroundings.Time), line.Surroundings);
            return [.. names(home).Select(name => new CompletionItem(name))];
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
