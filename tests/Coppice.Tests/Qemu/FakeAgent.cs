using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Coppice.Qemu.Agent;

namespace Coppice.Tests.Qemu;

/// <summary>A program in a guest that says what a test tells it to, byte by byte: one char is one byte.</summary>
internal sealed class FakeAgent : IAsyncDisposable
{
    public const char Sentinel = '\u00FF';

    private readonly DirectoryInfo? _temporary;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _serving;

    /// <param name="answer">What it says after each line it gets; null for nothing.</param>
    /// <param name="before">What it said before anybody asked.</param>
    /// <param name="piece">How many bytes it says at once.</param>
    /// <param name="hangsUp">It closes the channel after its first answer.</param>
    /// <param name="path">Where QEMU listens for it; null for anywhere.</param>
    public FakeAgent(Func<string, string?> answer, string before = "", int piece = 1 << 20, bool hangsUp = false, string? path = null)
    {
        _temporary = path is null ? Directory.CreateTempSubdirectory("ca-") : null;
        Path = path ?? $"{_temporary!.FullName}/agent.sock";
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen(1);
        _serving = ServeAsync(answer, before, piece, hangsUp);
    }

    public string Path { get; }

    /// <summary>The lines it was sent.</summary>
    public ConcurrentQueue<string> Heard { get; } = new();

    /// <summary>What an agent that behaves says, its clock standing still in 2001.</summary>
    public static string? Good(string line) => line switch
    {
        _ when line.Contains("guest-sync-delimited", StringComparison.Ordinal) => Synchronised(line),
        _ when line.Contains("guest-get-time", StringComparison.Ordinal) => "{\"return\": 1000000000000000000}\n",
        _ => "{\"return\": {}}\n",
    };

    public static string Synchronised(string line) => $"{Sentinel}{{\"return\": {Id(line)}}}\n";

    public static string Id(string line) => line[(line.LastIndexOf(':') + 1)..].TrimEnd('}');

    public Task<GuestAgent> ConnectAsync() =>
        GuestAgent.ConnectAsync(Path, "the agent", TimeProvider.System, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        await _serving;
        _ended.Dispose();
        _temporary?.Delete(recursive: true);
    }

    private async Task ServeAsync(Func<string, string?> answer, string before, int piece, bool hangsUp)
    {
        try
        {
            using var client = await _listener.AcceptAsync(_ended.Token);
            await using var stream = new NetworkStream(client);
            await SayAsync(stream, before, piece);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            while (await reader.ReadLineAsync(_ended.Token) is { } line)
            {
                Heard.Enqueue(line);
                await SayAsync(stream, answer(line) ?? "", piece);
                if (hangsUp)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The host has heard enough.
        }
    }

    private async Task SayAsync(NetworkStream stream, string text, int piece)
    {
        foreach (var part in Encoding.Latin1.GetBytes(text).Chunk(piece))
        {
            await stream.WriteAsync(part, _ended.Token);
        }
    }
}
