using System.Net.Sockets;
using System.Text;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>The shell on the console of a witness guest, for what the witness itself has no word for.</summary>
internal static class GuestShell
{
    private const string End = "end-of-it";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Types a command and reads what it prints.</summary>
    public static async Task<string> RunAsync(DomainFolder folder, string command, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(s_patience);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(new FileInfo($"{folder.Endpoints}/console").LinkTarget!), limit.Token);

        // The console echoes what is typed, so that the mark is not typed as it is printed.
        await socket.SendAsync(Encoding.ASCII.GetBytes($"\n{command}; echo {End[..3]}''{End[3..]}\n"), limit.Token);
        var (printed, buffer) = (new StringBuilder(), new byte[4096]);
        while (!printed.ToString().Contains(End, StringComparison.Ordinal))
        {
            var count = await socket.ReceiveAsync(buffer, limit.Token);
            printed.Append(Encoding.ASCII.GetString(buffer, 0, count > 0 ? count : throw new IOException($"the console has ended: {printed}")));
        }

        var text = printed.ToString();
        return text[..text.LastIndexOf(End, StringComparison.Ordinal)];
    }
}
