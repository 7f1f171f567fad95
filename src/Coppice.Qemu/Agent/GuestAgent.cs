using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Agent;

/// <summary>
/// A conversation with the QEMU guest agent in a guest, one command after the other. Its words are the guest's: each command
/// has a limit of time and room, what breaks the protocol ends the command, and nothing that is said is more than the guest's
/// own view.
/// <para>
/// Commands have no ids. What an earlier host was to be told, memory that was loaded may still hold, so the conversation
/// begins with finding the step: an id of ours, which the agent repeats behind a sentinel. It begins so anew after a command
/// whose answer did not come, for it may come late.
/// </para>
/// </summary>
internal sealed class GuestAgent : IAsyncDisposable
{
    private const string ThawCommand = "guest-fsfreeze-thaw";

    private readonly MonitorSocket _socket;
    private readonly AgentLines _lines;
    private readonly string _subject;
    private readonly TimeProvider _time;
    private bool _isInStep;

    private GuestAgent(MonitorSocket socket, string subject, TimeProvider time)
    {
        _socket = socket;
        _lines = new AgentLines(socket.Input);
        _subject = subject;
        _time = time;
    }

    /// <summary>
    /// Connects to the host's end of the channel; whether anybody is at the other end, the first command tells.
    /// </summary>
    /// <param name="path">Its socket.</param>
    /// <param name="subject">What errors name, e.g. <c>the agent in domain 'web'</c>.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">QEMU does not listen there (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public static async Task<GuestAgent> ConnectAsync(
        string path, string subject, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            return new GuestAgent(await MonitorSocket.ConnectAsync(path, () => false, time, cancellation), subject, time);
        }
        catch (Exception e) when (e is SocketException or FileException)
        {
            throw Error(subject, $"its channel cannot be reached on {path}: {e.Message}", e);
        }
    }

    /// <summary>What the guest's clock says.</summary>
    /// <exception cref="AgentRefusalException">The agent refused.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task<DateTimeOffset> ReadTimeAsync(TimeSpan limit, CancellationToken cancellation)
    {
        var answer = await ExecuteAsync("guest-get-time", null, limit, cancellation);
        return answer.ValueKind == JsonValueKind.Number && answer.TryGetInt64(out var nanoseconds)
            ? DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick)
            : throw Nonsense(new InvalidDataException("a time is not a number"));
    }

    /// <summary>Sets the guest's clock, and its hardware clock with it.</summary>
    /// <exception cref="AgentRefusalException">The agent refused, or could set only one of them.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task SetTimeAsync(DateTimeOffset now, TimeSpan limit, CancellationToken cancellation)
    {
        var nanoseconds = (now - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
        return ExecuteAsync("guest-set-time", new JsonObject { ["time"] = nanoseconds }, limit, cancellation);
    }

    /// <summary>The host's end of the channel, for somebody who is to use it if this process dies.</summary>
    public SafeHandle Handle => _socket.Handle;

    /// <summary>Whether the guest's file systems are frozen.</summary>
    /// <exception cref="AgentRefusalException">The agent refused.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task<bool> IsFrozenAsync(TimeSpan limit, CancellationToken cancellation)
    {
        var answer = await ExecuteAsync("guest-fsfreeze-status", null, limit, cancellation);
        return answer.ValueKind == JsonValueKind.String && answer.GetString() is "frozen";
    }

    /// <summary>Freezes the guest's file systems. If it fails, some may be frozen.</summary>
    /// <returns>How many were frozen.</returns>
    /// <exception cref="AgentRefusalException">The agent refused.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task<int> FreezeAsync(TimeSpan limit, CancellationToken cancellation) =>
        Count(await ExecuteAsync("guest-fsfreeze-freeze", null, limit, cancellation));

    /// <summary>
    /// Thaws the guest's file systems. Unlike others the command is given before the agent is known to listen: one that hangs
    /// thaws them once it goes on, also if nobody waits any more.
    /// </summary>
    /// <returns>How many were thawed.</returns>
    /// <exception cref="AgentRefusalException">The agent refused.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task<int> ThawAsync(TimeSpan limit, CancellationToken cancellation) => Count(await AskAsync(
        ThawCommand,
        async token =>
        {
            var id = await SendSyncAsync(token);
            await SendAsync(ThawCommand, null, token);
            await SkipToStepAsync(id, token);
        },
        limit, cancellation));

    /// <summary>Gives a command and waits for its answer.</summary>
    /// <param name="command">The command.</param>
    /// <param name="arguments">Its arguments; null for none.</param>
    /// <param name="limit">How long the agent may take, finding the step included.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="AgentRefusalException">The agent refused.</exception>
    /// <exception cref="CoppiceException">It does not answer, or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task<JsonElement> ExecuteAsync(
        string command, JsonObject? arguments, TimeSpan limit, CancellationToken cancellation) => AskAsync(
        command,
        async token =>
        {
            if (!_isInStep)
            {
                await SkipToStepAsync(await SendSyncAsync(token), token);
            }

            _isInStep = false;
            await SendAsync(command, arguments, token);
        },
        limit, cancellation);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _socket.Input.DisposeAsync();
        _socket.Dispose();
    }

    /// <summary>Has a command sent, and waits for its answer.</summary>
    private async Task<JsonElement> AskAsync(
        string command, Func<CancellationToken, Task> send, TimeSpan limit, CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            await send(either.Token);
            var answer = await _lines.ReadAsync(either.Token) ?? throw new InvalidDataException("an answer is not a JSON object");
            var value = Unwrap(command, answer);
            _isInStep = true;
            return value;
        }
        catch (AgentRefusalException)
        {
            _isInStep = true;
            throw;
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw Error(_subject, $"did not answer '{command}' within {limit.TotalSeconds:0.#} s", e);
        }
        catch (InvalidDataException e)
        {
            throw Nonsense(e);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            throw Error(_subject, $"cannot be asked any more, since QEMU closed its channel: {e.Message}", e);
        }
    }

    private async Task<int> SendSyncAsync(CancellationToken cancellation)
    {
        _isInStep = false;

        // The sentinel makes the agent forget half a command that somebody else may have left.
        var id = RandomNumberGenerator.GetInt32(1, int.MaxValue);
        await _socket.SendAsync(new[] { AgentLines.Sentinel }, null, cancellation);
        await SendAsync("guest-sync-delimited", new JsonObject { ["id"] = id }, cancellation);
        return id;
    }

    private async Task SkipToStepAsync(int id, CancellationToken cancellation)
    {
        do
        {
            await _lines.SkipToSentinelAsync(cancellation);
        }
        while ((await _lines.ReadAsync(cancellation))?.NumberOrZero("return") != id);
    }

    private Task SendAsync(string command, JsonObject? arguments, CancellationToken cancellation)
    {
        var message = new JsonObject { ["execute"] = command };
        if (arguments is not null)
        {
            message["arguments"] = arguments;
        }

        return _socket.SendAsync(System.Text.Encoding.UTF8.GetBytes($"{message.ToJsonString()}\n"), null, cancellation);
    }

    private static JsonElement Unwrap(string command, JsonElement message) => message.Find("error") is { } error
        ? throw new AgentRefusalException(command, error.TextOrEmpty("desc"))
        : message.Find("return") ?? throw new InvalidDataException("an answer is neither return nor error");

    private int Count(JsonElement answer) =>
        answer.ValueKind == JsonValueKind.Number && answer.TryGetInt32(out var count) && count >= 0
        ? count
        : throw Nonsense(new InvalidDataException("a count is not a number"));

    private CoppiceException Nonsense(InvalidDataException e) => Error(_subject, $"breaks its protocol: {e.Message}", e);

    private static CoppiceException Error(string subject, string problem, Exception cause) => new(
        ErrorKind.Hypervisor, subject, problem, "see whether the agent hangs, or another program of the host has its channel open", cause);
}
