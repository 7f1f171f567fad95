using System.CommandLine;
using System.ComponentModel;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>
/// Has the checksums of what an operation froze taken by a process of its own (ADR 29): this command, with a word that is not shown.
/// Only checksums depend on it, so whatever keeps it from being started is nobody's error.
/// </summary>
internal static class BackgroundChecksums
{
    private const string Word = "checksum", Switch = "COPPICE_CHECKSUMS", Off = "off";

    /// <summary>Whether they are taken unasked.</summary>
    public static bool AreOn(Surroundings surroundings) => surroundings.Variable(Switch) is not Off;

    /// <summary>The word that the process is started with. It writes nothing and ends by itself.</summary>
    public static Command Command()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand(Word, "Take the checksums that a domain lacks", domain) { Hidden = true }.Does(async (run, _) =>
        {
            using var interruption = new Interruption();
            await run.Home.TakeChecksumsAsync(run.Get(domain), interruption.Token);
        });
    }

    /// <summary>
    /// Starts it if the domain lacks any and nobody is at it, whatever was done: a merge may have been finished first. A fork has
    /// what was frozen before it was made.
    /// </summary>
    public static async Task StartAsync(Invocation run, Request request, OperationResult result)
    {
        if (run.Surroundings.StartAside is not { } start || !AreOn(run.Surroundings) || request is ForkSnapshot
            || result is not { Executed: true, Catalog: { Snapshots.Count: > 0 } catalog })
        {
            return;
        }

        try
        {
            if (await run.Home.NeedsChecksumsAsync($"{catalog.Domain}"))
            {
                start(["--home", run.Folder.Path, Word, $"{catalog.Domain}"]);
            }
        }
        catch (Exception e) when (e is CoppiceException or IOException or Win32Exception or EntryPointNotFoundException)
        {
        }
    }
}
