using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Coppice.Core;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Qmp;

/// <summary>
/// A connection to a monitor of QEMU. Commands may overlap; each waits for its own answer, at most
/// <see cref="AnswerTime"/>. The peer is not trusted: a message that breaks the protocol ends the connection.
/// </summary>
internal sealed class QmpConnection : IAsyncDisposable
{
    /// <summary>How long QEMU may take for an answer unless a command says otherwise.</summary>
    public static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(30);

    private const int MaximumUnreadEvents = 4096;

    private readonly MonitorSocket _socket;
    private readonly PipeReader _reader;
    private readonly string _subject;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<JsonElement>> _waiting = new();
    private readonly Channel<QmpEvent> _events = Channel.CreateBounded<QmpEvent>(
        new BoundedChannelOptions(MaximumUnreadEvents) { FullMode = BoundedChannelFullMode.DropOldest, SingleWriter = true });
    private readonly CancellationTokenSource _closing = new();
    private Task _reading = Task.CompletedTask;
    private CoppiceException? _broken;
    private long _lastId;

    private QmpConnection(MonitorSocket socket, string subject, TimeProvider time)
    {
        _socket = socket;
        _reader = PipeReader.Create(socket.Input);
        _subject = subject;
        _time = time;
    }

    /// <summary>The version that QEMU greeted with.</summary>
    public Version Version { get; private set; } = new();

    /// <summary>Connects and negotiates.</summary>
    /// <param name="path">The monitor's socket.</param>
    /// <param name="subject">What errors name, e.g. <c>domain 'web'</c>.</param>
    /// <param name="lives">Whether it is worth waiting: a process that starts does not listen yet.</param>
    /// <param name="time">The clock.</param>
    /// <param name="limit">How long to wait for the greeting: a monitor serves one client at a time.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">Nobody answers in time (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public static async Task<QmpConnection> ConnectAsync(
        string path, string subject, Func<bool> lives, TimeProvider time, TimeSpan limit, CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            return await GreetedAsync(await MonitorSocket.ConnectAsync(path, lives, time, either.Token), subject, time, either.Token);
        }
        catch (Exception e) when (e is not CoppiceException)
        {
            cancellation.ThrowIfCancellationRequested();
            throw Error(subject, e switch
            {
                OperationCanceledException => $"QEMU does not answer on {path} within {limit.TotalSeconds:0.#} s",
                SocketException or IOException => $"QEMU cannot be reached on {path}: {e.Message}",
                _ => $"QEMU breaks the protocol on {path}: {e.Message}",
            }, e);
        }
    }

    /// <summary>Runs a command and returns its answer.</summary>
    /// <exception cref="QmpRefusalException">QEMU refused it.</exception>
    /// <exception cref="CoppiceException">QEMU died, hangs or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task<JsonElement> ExecuteAsync(
        string command, JsonObject? arguments = null, CancellationToken cancellation = default) =>
        ExecuteAsync(command, arguments, file: null, AnswerTime, cancellation);

    /// <summary>The same, for what may keep QEMU from answering for longer.</summary>
    /// <exception cref="QmpRefusalException">QEMU refused.</exception>
    /// <exception cref="CoppiceException">QEMU died, hangs or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task<JsonElement> ExecuteAsync(string command, JsonObject? arguments, TimeSpan limit, CancellationToken cancellation) =>
        ExecuteAsync(command, arguments, file: null, limit, cancellation);

    /// <summary>Gives QEMU an open file, which it then knows by a name.</summary>
    /// <exception cref="CoppiceException">QEMU died, hangs or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task SendFileAsync(string name, SafeFileHandle file, CancellationToken cancellation = default) =>
        ExecuteAsync("getfd", new JsonObject { ["fdname"] = name }, file, AnswerTime, cancellation);

    /// <summary>The events that came so far and were not waited for are forgotten.</summary>
    public void ForgetEvents()
    {
        while (_events.Reader.TryRead(out _))
        {
        }
    }

    /// <summary>The first event that came by now and meets a condition, or null; those before it are forgotten.</summary>
    public QmpEvent? TakeEvent(Func<QmpEvent, bool> wanted)
    {
        while (_events.Reader.TryRead(out var found))
        {
            if (wanted(found))
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>Waits for the next event that meets a condition; those before it are forgotten.</summary>
    /// <returns>The event; null if none came in time.</returns>
    /// <exception cref="CoppiceException">QEMU died or talks nonsense (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task<QmpEvent?> WaitEventAsync(Func<QmpEvent, bool> wanted, TimeSpan limit, CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            while (await _events.Reader.WaitToReadAsync(either.Token))
            {
                if (TakeEvent(wanted) is { } found)
                {
                    return found;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }

        throw Broken();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _socket.Dispose();
        await _reading;
        await _reader.CompleteAsync();
        _closing.Dispose();
    }

    private static async Task<QmpConnection> GreetedAsync(
        MonitorSocket socket, string subject, TimeProvider time, CancellationToken cancellation)
    {
        var connection = new QmpConnection(socket, subject, time);
        try
        {
            await connection.GreetAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private async Task GreetAsync(CancellationToken cancellation)
    {
        JsonElement greeting;
        do
        {
            greeting = await QmpLines.ReadAsync(_reader, cancellation) ?? throw Error("QEMU closed the connection");
        }
        while (greeting.Find("event") is not null); // What happens while QEMU accepts may come first.

        var version = greeting.Find("QMP")?.Find("version")?.Find("qemu") ?? throw new InvalidDataException("no greeting");
        Version = new Version(
            (int)version.NumberOrZero("major"), (int)version.NumberOrZero("minor"), (int)version.NumberOrZero("micro"));
        _reading = ReadAllAsync();
        await ExecuteAsync("qmp_capabilities", null, cancellation);
    }

    private async Task<JsonElement> ExecuteAsync(
        string command, JsonObject? arguments, SafeFileHandle? file, TimeSpan limit, CancellationToken cancellation)
    {
        QmpActs.Before(command);
        var id = Interlocked.Increment(ref _lastId);
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            await _socket.SendAsync(Encode(command, arguments, id), file, cancellation);
            if (_reading.IsCompleted && !answer.Task.IsCompleted)
            {
                throw Broken();
            }

            return Unwrap(command, await answer.Task.WaitAsync(limit, _time, cancellation));
        }
        catch (TimeoutException e)
        {
            throw Error($"QEMU did not answer '{command}' within {limit.TotalSeconds:0.#} s", e);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            throw Error($"QEMU ended before it took '{command}'", e);
        }
        catch (InvalidDataException e)
        {
            throw Error($"QEMU breaks the protocol: {e.Message}", e);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    private static ReadOnlyMemory<byte> Encode(string command, JsonObject? arguments, long id)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("execute", command);
            if (arguments is not null)
            {
                json.WritePropertyName("arguments");
                arguments.WriteTo(json);
            }

            json.WriteNumber("id", id);
            json.WriteEndObject();
        }

        bytes.Write("\r\n"u8);
        return bytes.WrittenMemory;
    }

    private static JsonElement Unwrap(string command, JsonElement message) => message.Find("error") is { } error
        ? throw new QmpRefusalException(command, error.TextOrEmpty("class"), error.TextOrEmpty("desc"))
        : message.Find("return") ?? throw new InvalidDataException("an answer is neither return nor error");

    private async Task ReadAllAsync()
    {
        await Task.Yield();
        try
        {
            while (await QmpLines.ReadAsync(_reader, _closing.Token) is { } message)
            {
                Dispatch(message);
            }

            _broken = Error("QEMU ended");
        }
        catch (Exception e) when (
            e is IOException or InvalidDataException or OperationCanceledException or ObjectDisposedException)
        {
            _broken = Error(e is InvalidDataException ? $"QEMU breaks the protocol: {e.Message}" : "QEMU ended", e);
        }

        _events.Writer.TryComplete();
        foreach (var answer in _waiting.Values)
        {
            answer.TrySetException(Broken());
        }
    }

    private void Dispatch(JsonElement message)
    {
        if (message.Find("event") is { ValueKind: JsonValueKind.String } name)
        {
            _events.Writer.TryWrite(new QmpEvent(name.GetString()!, message.Find("data") ?? default));
        }
        else if (message.Find("return") is null && message.Find("error") is null)
        {
            throw new InvalidDataException("a message is neither answer nor event");
        }
        else if (_waiting.TryRemove(message.NumberOrZero("id"), out var answer))
        {
            answer.TrySetResult(message);
        }
    }

    private CoppiceException Broken() => _broken ?? Error("QEMU ended");

    private CoppiceException Error(string problem, Exception? cause = null) => Error(_subject, problem, cause);

    private static CoppiceException Error(string subject, string problem, Exception? cause) =>
        new(ErrorKind.Hypervisor, subject, problem, "see 'coppice show' for the domain's state", cause);
}
