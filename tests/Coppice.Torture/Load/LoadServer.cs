using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Coppice.Live.Cli;

namespace Coppice.Torture.Load;

/// <summary><c>coppice serve</c> as a process, which is killed and started again on the same home.</summary>
internal sealed class LoadServer(string home, string socket) : IAsyncDisposable
{
    private const int KeptLines = 200;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentQueue<string> _said = new();
    private Process? _process;

    public string Socket => socket;

    /// <summary>How often it was started: who lost a connection of an earlier one knows why.</summary>
    public int Generation { get; private set; }

    /// <summary>The number of its process.</summary>
    public int Id => _process?.Id ?? throw new InvalidOperationException("it does not run");

    /// <summary>It has ended, and nobody has ended it.</summary>
    public bool IsGone => _process is { HasExited: true };

    /// <summary>What it said last.</summary>
    public string Said => string.Join('\n', _said);

    /// <summary>Starts it, and waits until it answers.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(CliHome.Program, ["serve", "--socket", socket, "--home", home])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["COPPICE_CHECKSUMS"] = "off", ["NO_COLOR"] = "1" },
        };
        Generation++;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        for (var begin = TimeProvider.System.GetTimestamp(); !await AnswersAsync(); await Task.Delay(20))
        {
            if (IsGone || TimeProvider.System.GetElapsedTime(begin) > s_patience)
            {
                throw new Violation(Harm.Other, $"coppice serve does not listen: {Said}");
            }
        }
    }

    /// <summary>Ends it as a crash would.</summary>
    public async Task KillAsync()
    {
        var process = _process!;
        _process = null;
        Generation++;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    /// <summary>Ends it as a user would.</summary>
    /// <exception cref="Violation">It does not end.</exception>
    public async Task StopAsync()
    {
        if (_process is not { } process)
        {
            return;
        }

        using (var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync();
        }

        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new Violation(Harm.Other, $"coppice serve did not end within {s_patience.TotalSeconds:0} s of being told to: {Said}");
        }

        _process = null;
        process.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(socket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Hear(string? line)
    {
        if (line is not null)
        {
            _said.Enqueue(line);
            while (_said.Count > KeptLines)
            {
                _said.TryDequeue(out _);
            }
        }
    }
}
