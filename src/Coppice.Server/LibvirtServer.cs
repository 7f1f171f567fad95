using Coppice.Core;
using Coppice.Engine;
using Coppice.Server.Libvirt;
using Microsoft.Extensions.Logging;

namespace Coppice.Server;

/// <summary>Where libvirt's clients are answered.</summary>
public sealed record LibvirtServerOptions
{
    /// <summary>The path of the socket for those who may change something: root, and whoever runs the server. Null for none.</summary>
    public string? Socket { get; init; }

    /// <summary>The path of a socket for reading only, for whoever its group lets in. Null for none.</summary>
    public string? ReadOnlySocket { get; init; }

    /// <summary>Reads an environment variable, in which systemd says which sockets it has opened.</summary>
    public Func<string, string?> Variable { get; init; } = _ => null;

    /// <summary>Where new ids come from.</summary>
    public required IdSource Ids { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>
/// Answers libvirt's clients about the domains of a home. It holds nothing that a guest needs: it may be stopped and started at any time.
/// </summary>
/// <param name="home">The home.</param>
/// <param name="options">Where.</param>
/// <param name="log">Who is told of what is odd.</param>
public sealed class LibvirtServer(Home home, LibvirtServerOptions options, ILogger log)
{
    /// <summary>Listens and answers until it is stopped.</summary>
    /// <param name="listening">Called once clients can connect.</param>
    /// <param name="stopping">Stops it: what is being carried out is undone or finished, connections end.</param>
    /// <exception cref="CoppiceException">
    /// There is no socket to listen at (<see cref="ErrorKind.InvalidInput"/>), or one cannot be listened at (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    public async Task RunAsync(Action listening, CancellationToken stopping)
    {
        ArgumentNullException.ThrowIfNull(listening);
        var sockets = Sockets();
        try
        {
            var events = new EventPublisher();
            var asked = new RequestedMerges(events);
            var watch = new DomainWatch(home, events, asked, options.Time, log);
            var endpoint = new LibvirtEndpoint(Calls(watch, asked), events, options.Time, log);
            listening();
            var finisher = new MergeFinisher(home, options.Time, log);
            await Task.WhenAll([watch.RunAsync(stopping), finisher.RunAsync(stopping), .. sockets.Select(s => endpoint.RunAsync(s, stopping))]).ConfigureAwait(false);
        }
        finally
        {
            foreach (var socket in sockets)
            {
                socket.Dispose();
            }
        }
    }

    private CallTable Calls(DomainWatch watch, RequestedMerges merges)
    {
        var calls = new CallTable(log);
        var domains = new Domains(home, watch);
        new ConnectionCalls(domains).AddTo(calls);
        new DomainCalls(domains, options.Ids, log).AddTo(calls);
        new DeviceCalls(domains, options.Ids).AddTo(calls);
        new DomainFigureCalls(domains).AddTo(calls);
        new NoteCalls(domains).AddTo(calls);
        new SizeCalls(domains).AddTo(calls);
        new StatisticCalls(domains).AddTo(calls);
        new SnapshotCalls(domains).AddTo(calls);
        new JobCalls(domains, merges).AddTo(calls);
        new StreamCalls(domains).AddTo(calls);
        EventCalls.AddTo(calls);
        OtherCalls.AddTo(calls);
        return calls;
    }

    private List<ListeningSocket> Sockets()
    {
        var sockets = SocketActivation.Sockets(options.Variable).ToList();
        if (options.Socket is { } path)
        {
            sockets.Add(ListeningSocket.At(Path.GetFullPath(path), isReadOnly: false));
        }

        if (options.ReadOnlySocket is { } readOnly)
        {
            sockets.Add(ListeningSocket.At(Path.GetFullPath(readOnly), isReadOnly: true));
        }

        return sockets.Count > 0
            ? sockets
            : throw new CoppiceException(ErrorKind.InvalidInput, "serve", "has no socket to listen at", "give one: --socket PATH");
    }
}
