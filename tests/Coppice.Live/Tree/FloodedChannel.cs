using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Coppice.Live.Tree;

/// <summary>
/// A channel on which the guest says whatever it hears. The host sends numbered lines and takes note of what comes back. When the guest
/// does not answer at once, which it does not while it stands still, the host floods it: each line may take another buffer of the guest's,
/// until nearly all are taken.
/// </summary>
internal sealed class FloodedChannel : IAsyncDisposable
{
    public const string Name = "org.coppice.flood";

    // A port has 128 buffers.
    private const int Flood = 120;

    private static readonly TimeSpan s_interval = TimeSpan.FromMicroseconds(50), s_patience = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource _ended = new();
    private readonly Socket _socket;
    private readonly Task _sending, _hearing;
    private readonly int _first;
    private int _sent, _heard;
    private string? _wrong;

    private FloodedChannel(Socket socket, int first)
    {
        (_socket, _first, _sent, _heard) = (socket, first, first, first - 1);
        _sending = Task.Factory.StartNew(Send, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _hearing = Task.Run(HearAsync);
    }

    /// <summary>The lines that have come back.</summary>
    public int Heard => Volatile.Read(ref _heard) - _first + 1;

    /// <summary>Adds the channel to a definition.</summary>
    public static string AddTo(string xml) => xml.Replace(
        "<rng ", $"<channel type='unix'><target type='virtio' name='{Name}'/></channel><rng ", StringComparison.Ordinal);

    /// <summary>Lets the guest repeat what it hears, for as long as it lives. A host that leaves ends what it reads, not the guest's will.</summary>
    public static Task EchoAsync(LiveDomain domain) => GuestHardware.TypeAsync(
        domain,
        $"p=$(grep -lx {Name} /sys/class/virtio-ports/*/name); p=${{p%/name}}; exec 3<>/dev/${{p##*/}}; (while true; do cat <&3 >&3; sleep 0.05; done) & true");

    /// <summary>Begins to flood it.</summary>
    /// <param name="domain">The guest.</param>
    /// <param name="first">The number of the first line; what came back of another flood is told by it.</param>
    public static async Task<FloodedChannel> OpenAsync(LiveDomain domain, int first)
    {
        var endpoint = $"{(await domain.ShowAsync()).Folder.Endpoints}/{Name}";
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(new FileInfo(endpoint).LinkTarget!));
        return new FloodedChannel(socket, first);
    }

    /// <summary>Waits until some more lines have come back, each as it was sent and none left out.</summary>
    public async Task FlowAsync(int count)
    {
        var until = Heard + count;
        for (var begin = Stopwatch.StartNew(); Heard < until; await Task.Delay(5))
        {
            Assert.True(_wrong is null, _wrong);
            Assert.True(
                begin.Elapsed < s_patience,
                $"the channel hangs: {Volatile.Read(ref _sent) - _first} lines were sent, {Heard} came back");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _socket.Dispose();
        await Task.WhenAll(_sending, _hearing);
        _ended.Dispose();
    }

    private void Send()
    {
        try
        {
            _socket.Send("\n"u8);
            while (!_ended.IsCancellationRequested)
            {
                SendLine();
                var patience = TimeSpan.FromMilliseconds(1 + Random.Shared.Next(20));
                SpinWait.SpinUntil(() => IsAnswered, patience);
                for (var i = 0; i < Flood && !IsAnswered; i++)
                {
                    SendLine();
                }

                SpinWait.SpinUntil(() => IsAnswered || _ended.IsCancellationRequested);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The flood is over.
        }
    }

    private bool IsAnswered => Volatile.Read(ref _heard) == _sent - 1;

    private void SendLine()
    {
        _socket.Send(Encoding.ASCII.GetBytes(Line(_sent)));
        Interlocked.Increment(ref _sent);
        for (var begin = Stopwatch.StartNew(); begin.Elapsed < s_interval;)
        {
            Thread.SpinWait(20);
        }
    }

    private async Task HearAsync()
    {
        try
        {
            using var reader = new StreamReader(new NetworkStream(_socket));
            while (await reader.ReadLineAsync(_ended.Token) is { } line)
            {
                Take(line);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The flood is over.
        }
    }

    // Before the first line of this flood there may be whatever another one has left in the guest.
    private void Take(string line)
    {
        var next = _heard + 1;
        if (line + "\n" == Line(next))
        {
            Volatile.Write(ref _heard, next);
        }
        else if (next > _first)
        {
            _wrong ??= $"after line {_heard} came '{line}'";
        }
    }

    private static string Line(int number) => string.Create(CultureInfo.InvariantCulture, $"{number:d9} {number ^ 0x2a5a5a5a:x8}\n");
}
