using System.Net.Sockets;
using System.Text;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

/// <summary>A monitor that says what a test tells it to.</summary>
internal sealed class FakeMonitor : IAsyncDisposable
{
    public const string Greeting = """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}""";

    private readonly DirectoryInfo? _temporary;
    private readonly string _path;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _serving;

    /// <param name="answer">What it says after each line it gets, except for the first, which it answers well; null for nothing.</param>
    /// <param name="greeting">What it says first.</param>
    /// <param name="hangsUp">It closes the connection after its first answer.</param>
    /// <param name="path">Where it listens; null for anywhere.</param>
    public FakeMonitor(Func<string, string?> answer, string greeting = Greeting, bool hangsUp = false, string? path = null)
    {
        _temporary = path is null ? Directory.CreateTempSubdirectory("cq-") : null;
        _path = path ?? $"{_temporary!.FullName}/qmp.sock";
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen(1);
        _serving = ServeAsync(answer, greeting, hangsUp);
    }

    /// <summary>What an obedient monitor answers to a line.</summary>
    public static string Ok(string line) => $"{{\"return\": {{}}, \"id\": {Id(line)}}}\n";

    public static string Id(string line) => line[(line.LastIndexOf("\"id\":", StringComparison.Ordinal) + 5)..].TrimEnd('\r', '}');

    public Task<QmpConnection> ConnectAsync(TimeSpan? limit = null) => QmpConnection.ConnectAsync(
        _path, "domain 'web'", () => false, TimeProvider.System, limit ?? TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        await _serving;
        _ended.Dispose();
        _temporary?.Delete(recursive: true);
    }

    private async Task ServeAsync(Func<string, string?> answer, string greeting, bool hangsUp)
    {
        try
        {
            using var client = await _listener.AcceptAsync(_ended.Token);
            await using var stream = new NetworkStream(client);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(greeting + "\n"), _ended.Token);
            using var reader = new StreamReader(stream);
            if (await reader.ReadLineAsync(_ended.Token) is not { } first)
            {
                return;
            }

            await stream.WriteAsync(Encoding.UTF8.GetBytes(Ok(first)), _ended.Token);
            while (await reader.ReadLineAsync(_ended.Token) is { } line)
            {
                if (answer(line) is { } said)
                {
                    await stream.WriteAsync(Encoding.UTF8.GetBytes(said), _ended.Token);
                }

                if (hangsUp)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The client has seen enough.
        }
    }
}
