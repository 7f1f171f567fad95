using System.CommandLine;

namespace Coppice.Cli.Commands;

/// <summary><c>console</c>: this terminal becomes the guest's serial console.</summary>
internal static class ConsoleCommand
{
    private const string FirstSerialPort = "serial0";

    public static Command Console()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("console", "Connect this terminal to the first serial port of a domain; Ctrl-] leaves", domain)
            .Does(async (run, cancellation) =>
            {
                var view = await run.ShowAsync(run.Get(domain), cancellation);
                await using var guest = await run.Home.OpenConsoleAsync(view.Catalog.Domain.ToString(), FirstSerialPort, cancellation);
                await TalkAsync(run.Surroundings, guest, view.Catalog.Name, cancellation);
            });
    }

    private static async Task TalkAsync(Surroundings surroundings, Stream guest, string name, CancellationToken cancellation)
    {
        if (surroundings.InputIsTerminal)
        {
            await surroundings.Error.WriteLineAsync($"connected to '{name}'; Ctrl-] leaves");
            await surroundings.Error.FlushAsync(cancellation);
        }

        using var raw = RawTerminal.Enter(surroundings.InputIsTerminal);
        await new ConsoleSession(guest, surroundings.Input(), surroundings.RawOutput).RunAsync(cancellation);
    }
}
