using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Coppice.Live.Cli;
using Coppice.Live.Tree;

namespace Coppice.Live.Peers;

/// <summary><c>coppice serve</c>, with a home of its own.</summary>
public sealed class CoppiceServe : VirshPeer
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly Process _server;
    private readonly Task<string> _errors;
    private readonly string _place;

    private CoppiceServe(Process server, string place, string home)
    {
        _server = server;
        _errors = server.StandardError.ReadToEndAsync();
        _place = place;
        Home = home;
    }

    public override string Folder => Path.Combine(_place, "f");

    public override string Socket => Path.Combine(_place, "coppice-sock");

    /// <summary>Its home.</summary>
    public string Home { get; }

    /// <summary>Starts it.</summary>
    /// <param name="place">A folder for its socket, which is not there yet.</param>
    /// <param name="program">The command; null for the one that tests use.</param>
    /// <param name="home">A home that is there; null for one of its own.</param>
    public static async Task<CoppiceServe> StartAsync(string place, string? program = null, string? home = null)
    {
        Directory.CreateDirectory(place);
        home ??= Path.Combine(place, "h");
        var start = new ProcessStartInfo(
            program ?? CliHome.Program, ["serve", "--socket", Path.Combine(place, "coppice-sock"), "--home", home])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = place,
            Environment = { ["COPPICE_CHECKSUMS"] = "off", ["NO_COLOR"] = "1" },
        };
        var peer = new CoppiceServe(Process.Start(start)!, place, home);
        peer._server.OutputDataReceived += (_, _) => { };
        peer._server.BeginOutputReadLine();
        try
        {
            await peer.WaitAsync();
            return peer;
        }
        catch
        {
            await peer.DisposeAsync();
            throw;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (!_server.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", _server.Id.ToString(CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync();
        }

        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            await _server.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _server.Kill();
            throw new InvalidOperationException("coppice serve did not end when it was told to");
        }
        finally
        {
            _server.Dispose();
            await LiveDomain.EndAllAsync(Home);
            Directory.Delete(_place, recursive: true);
        }
    }

    private async Task WaitAsync()
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var socket = new System.Net.Sockets.Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), TestContext.Current.CancellationToken);
                return;
            }
            catch (SocketException) when (!_server.HasExited && Stopwatch.GetElapsedTime(start) < s_patience)
            {
                await Task.Delay(50);
            }
            catch (SocketException)
            {
                Assert.Fail($"coppice serve does not listen: {(_server.HasExited ? await _errors : "it runs")}");
            }
        }
    }
}
