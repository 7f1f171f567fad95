using System.Net.Sockets;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <content>What can be asked of a guest that runs.</content>
public sealed partial class Home
{
    private const string MainConsole = "console", Screen = "vnc.sock";

    /// <summary>What a guest has used so far, and how large the images of its disks are. Takes no lock, and settles nothing.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be read.</exception>
    public Task<DomainFigures> MeasureAsync(string nameOrId, CancellationToken cancellation = default) => ReadAsync(nameOrId, async folder =>
    {
        var view = await ViewAsync(folder, cancellation).ConfigureAwait(false);
        var guest = view is { Hypervisor.IsAlive: true, Catalog.Head.Process: { } process }
            ? await _options.Hypervisor.MeasureAsync(folder, process, view.Definition, cancellation).ConfigureAwait(false)
            : null;
        return new DomainFigures(view, guest, await ImageFigures.ObserveAsync(view, _options.Storage, cancellation).ConfigureAwait(false));
    });

    /// <summary>
    /// What becomes of the guest of a domain, until its process ends; at once nothing if it is off, or its process tells nothing. One at a time
    /// can watch.
    /// </summary>
    /// <exception cref="CoppiceException">Somebody else watches it (<see cref="ErrorKind.Busy"/>).</exception>
    public IAsyncEnumerable<GuestEvent> WatchAsync(Catalog catalog, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return catalog.Head.Process is { } process
            ? _options.Hypervisor.WatchAsync(FolderOf(catalog), process, cancellation)
            : AsyncEnumerable.Empty<GuestEvent>();
    }

    /// <summary>Connects to a serial port or console of a guest that runs. Whoever connects second waits until the first has gone.</summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="device">The device, as <c>serial0</c>; null for the one that a guest's kernel and login use.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">
    /// There is no such domain (<see cref="ErrorKind.NotFound"/>), it is off (<see cref="ErrorKind.WrongState"/>), or has no such device
    /// (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public Task<Stream> OpenConsoleAsync(string nameOrId, string? device = null, CancellationToken cancellation = default) =>
        ReadAsync(nameOrId, async folder =>
        {
            var view = await ViewAsync(folder, cancellation).ConfigureAwait(false);
            var name = device ?? MainConsole;
            if (!name.All(char.IsAsciiLetterOrDigit))
            {
                throw new CoppiceException(ErrorKind.InvalidInput, $"domain '{view.Catalog.Name}'", $"cannot have a console '{name}'", "name one as serial0");
            }

            return (Stream)new NetworkStream(await ConnectAsync(view, name, "console", "serial", cancellation).ConfigureAwait(false), ownsSocket: true);
        });

    /// <summary>Connects to the screen of a guest that runs, which then speaks VNC's protocol. Several can look at it.</summary>
    /// <exception cref="CoppiceException">
    /// There is no such domain (<see cref="ErrorKind.NotFound"/>), it is off (<see cref="ErrorKind.WrongState"/>), or has no screen
    /// (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public Task<Socket> ConnectToScreenAsync(string nameOrId, CancellationToken cancellation = default) => ReadAsync(nameOrId, async folder =>
        await ConnectAsync(await ViewAsync(folder, cancellation).ConfigureAwait(false), Screen, "screen", "graphics", cancellation).ConfigureAwait(false));

    private static async Task<Socket> ConnectAsync(DomainView view, string endpoint, string kind, string element, CancellationToken cancellation)
    {
        var subject = $"domain '{view.Catalog.Name}'";
        if (!view.Hypervisor.IsAlive)
        {
            throw new CoppiceException(ErrorKind.WrongState, subject, $"is off: it has no {kind}", $"start it: coppice start {view.Catalog.Name}");
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var address = SocketAddress.Of($"{view.Folder.Endpoints}/{endpoint}");
            await socket.ConnectAsync(address.EndPoint, cancellation).ConfigureAwait(false);
            return socket;
        }
        catch (Exception e) when (e is SocketException or FileException)
        {
            socket.Dispose();
            throw new CoppiceException(
                ErrorKind.Hypervisor, subject, $"its {kind} cannot be reached: {e.Message.TrimEnd('.')}", $"check that its definition has a <{element}>", e);
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// A picture of a guest's screen, in the format PPM. It is in no folder any more: it is gone once the stream is closed. Takes no lock.
    /// </summary>
    /// <param name="nameOrId">The domain.</param>
    /// <param name="screen">The screen's place among the graphics cards of the definition, from 0.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">
    /// There is no such domain or screen (<see cref="ErrorKind.NotFound"/>), or it is off (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    public Task<Stream> TakePictureAsync(string nameOrId, int screen, CancellationToken cancellation = default) => ReadAsync(nameOrId, async folder =>
    {
        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        var process = catalog.Head.Process ?? throw new CoppiceException(
            ErrorKind.WrongState, $"domain '{catalog.Name}'", "is off: it shows nothing", $"start it: coppice start {catalog.Name}");

        // What runs in that folder goes with it, also if this process is killed before it has removed the file.
        var path = $"{folder.Home.Process(process)}/picture.{_options.Ids.NextShort()}";
        await _options.Hypervisor.TakePictureAsync(folder, process, definition, screen, path, cancellation).ConfigureAwait(false);
        try
        {
            return (Stream)new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, useAsync: true);
        }
        finally
        {
            File.Delete(path);
        }
    });
}
