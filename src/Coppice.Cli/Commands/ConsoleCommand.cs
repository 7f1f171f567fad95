using System.CommandLine;
using System.Net.Sockets;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

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
                using var socket = await ConnectAsync(view, cancellation);
                await TalkAsync(run.Surroundings, socket, view.Catalog.Name, cancellation);
            });
    }

    private static async Task TalkAsync(Surroundings surroundings, Socket socket, string name, CancellationToken cancellation)
    {
        if (surroundings.InputIsTerminal)
        {
            await surroundings.Error.WriteLineAsync($"connected to '{name}'; Ctrl-] leaves");
            await surroundings.Error.FlushAsync(cancellation);
        }

        using var raw = RawTerminal.Enter(surroundings.InputIsTerminal);
        await using var guest = new NetworkStream(socket, ownsSocket: false);
        await new ConsoleSession(guest, surroundings.Input(), surroundings.RawOutput).RunAsync(cancellation);
    }

    private static async Task<Socket> ConnectAsync(DomainView view, CancellationToken cancellation)
    {
        var subject = $"domain '{view.Catalog.Name}'";
        if (!view.Hypervisor.IsAlive)
        {
            throw new CoppiceException(ErrorKind.WrongState, subject, "is off: it has no console", $"start it: coppice start {view.Catalog.Name}");
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var address = SocketAddress.Of($"{view.Folder.Endpoints}/{FirstSerialPort}");
            await socket.ConnectAsync(address.EndPoint, cancellation);
            return socket;
        }
        catch (Exception e) when (e is SocketException or FileException)
        {
            socket.Dispose();
            throw new CoppiceException(
                ErrorKind.Hypervisor, subject, $"its console cannot be reached: {e.Message.TrimEnd('.')}", "check that its definition has a <serial>", e);
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            throw;
        }
    }
}
