using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Coppice.Bench.Guests;

/// <summary>
/// A connection to the witness for when milliseconds count: what may get lost just after a process has taken over is said again at once,
/// where the client of the tests waits a second.
/// </summary>
internal sealed class BareWitness : IDisposable
{
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(20), s_patience = TimeSpan.FromMinutes(1);

    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;
    private readonly string _prefix = $"b{Guid.NewGuid():N}"[..9];
    private Task<string?>? _line;
    private int _asked;

    private BareWitness(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream, Encoding.UTF8);
    }

    public static async Task<BareWitness> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new BareWitness(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>How many bytes of its RAM the guest has dirtied.</summary>
    public async Task<long> DirtiedAsync(CancellationToken cancellation)
    {
        var answer = await AskAsync("status", cancellation);
        var dirtied = answer.Split(' ').Single(p => p.StartsWith("dirtied=", StringComparison.Ordinal));
        return long.Parse(dirtied.Split('=')[1], CultureInfo.InvariantCulture);
    }

    public Task DirtyAsync(long bytesPerSecond, CancellationToken cancellation) => AskAsync($"dirty {bytesPerSecond} 0", cancellation);

    public void Dispose() => _reader.Dispose();

    /// <summary>Asks until there is an answer. It may be asked more than once, so only what can be repeated is asked.</summary>
    private async Task<string> AskAsync(string request, CancellationToken cancellation)
    {
        var id = $"{_prefix}-{++_asked}";
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < s_patience)
        {
            await _stream.WriteAsync(Encoding.UTF8.GetBytes($"\n{id} {request}\n"), cancellation);
            var again = Task.Delay(s_again, cancellation);
            while (!again.IsCompleted)
            {
                _line ??= _reader.ReadLineAsync(cancellation).AsTask();
                if (await Task.WhenAny(_line, again) == again)
                {
                    break;
                }

                var line = await _line ?? throw new IOException("the witness has closed its end");
                _line = null;
                if (line.StartsWith($"{id} ok", StringComparison.Ordinal))
                {
                    return line;
                }
            }
        }

        throw new TimeoutException($"the witness did not answer '{request}' within {s_patience.TotalSeconds:0} s");
    }
}
