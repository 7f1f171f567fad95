using System.Buffers;
using Coppice.Contracts.Libvirt;
using Coppice.Libvirt.Wire;

namespace Coppice.Torture.Load;

/// <summary>The client has ended its connection in the middle of a call.</summary>
internal sealed class CutException(string how) : IOException(how);

/// <summary>How a connection ends before its client has done with it.</summary>
internal enum Cut
{
    AfterSending,
    InFrame,
}

/// <summary>
/// A connection of a client, which may be cut in one of its calls. Every call is timed; one that is not answered in time is a finding, and so is
/// one that is answered with an error that nobody has thought of.
/// </summary>
internal sealed class LoadConnection : IAsyncDisposable
{
    /// <summary>How long an answer may take. Ten seconds of it may be the waiting for a domain that others change.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private const int InternalError = 1;

    private readonly WireClient _client;
    private readonly LoadServer _server;
    private readonly Figures _figures;
    private readonly int _generation;
    private readonly (Cut How, int Left)? _cut;
    private int _calls;

    private LoadConnection(WireClient client, LoadServer server, Figures figures, int generation, (Cut, int)? cut)
    {
        _client = client;
        _server = server;
        _figures = figures;
        _generation = generation;
        _cut = cut;
    }

    /// <summary>Whether the server that it is with still has to answer it.</summary>
    public bool IsOwed => _generation == _server.Generation;

    /// <summary>Connects and opens the hypervisor.</summary>
    /// <param name="server">With whom.</param>
    /// <param name="figures">Where times are kept.</param>
    /// <param name="cut">How it ends, and in which call; null if it is closed properly.</param>
    public static async Task<LoadConnection> OpenAsync(LoadServer server, Figures figures, (Cut, int)? cut = null)
    {
        var generation = server.Generation;
        var connection = new LoadConnection(await WireClient.ConnectAsync(server.Socket), server, figures, generation, cut);
        try
        {
            await connection.CallAsync(ConnectionProcedures.AuthList, default);
            await connection.CallAsync(ConnectionProcedures.Open, ("qemu:///system", 0u));
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Calls a procedure.</summary>
    /// <exception cref="CutException">It was to be cut in this one.</exception>
    /// <exception cref="IOException">The server is gone.</exception>
    /// <exception cref="WireRefusalException">It was refused.</exception>
    /// <exception cref="Violation">There was no answer, or the connection ended although the server lives.</exception>
    public async Task<TAnswered> CallAsync<TAsked, TAnswered>(Procedure<TAsked, TAnswered> procedure, TAsked asked, bool changes = false)
    {
        if (_cut is { } cut && ++_calls > cut.Left)
        {
            await CutAsync(cut.How, procedure.Number, procedure.Asked.Encode(asked));
            throw new CutException(cut.How is Cut.InFrame ? "cut in a frame" : "closed after sending");
        }

        var begin = TimeProvider.System.GetTimestamp();
        try
        {
            var answered = await _client.CallAsync(procedure, asked).WaitAsync(Limit);
            _figures.Answered(changes, TimeProvider.System.GetElapsedTime(begin));
            return answered;
        }
        catch (WireRefusalException e)
        {
            _figures.Answered(changes, TimeProvider.System.GetElapsedTime(begin));
            throw e.Error.Code is InternalError ? new Violation(Harm.Other, $"procedure {procedure.Number}: {e.Error.Message}\n{_server.Said}", e) : e;
        }
        catch (TimeoutException) when (_client.Ended.IsCompleted)
        {
            throw new IOException("the connection has ended");
        }
        catch (TimeoutException e)
        {
            throw new Violation(Harm.Other, $"procedure {procedure.Number} was not answered within {Limit.TotalSeconds:0} s", e);
        }
        catch (IOException e)
        {
            if (!await StaysAsync())
            {
                throw;
            }

            throw new Violation(Harm.Other, $"the server ended a connection in procedure {procedure.Number}: {e.Message}\n{_server.Said}", e);
        }
    }

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    /// <summary>Whoever kills the server says so just afterwards.</summary>
    private async Task<bool> StaysAsync()
    {
        await Task.Delay(500);
        return IsOwed && !_server.IsGone;
    }

    private async Task CutAsync(Cut how, int procedure, ReadOnlyMemory<byte> payload)
    {
        var output = new ArrayBufferWriter<byte>();
        new Frame(new FrameHeader(Programs.Remote, Programs.Version, procedure, FrameType.Call, uint.MaxValue, FrameStatus.Ok), payload).Write(output);
        await _client.SendAsync(how is Cut.InFrame ? output.WrittenMemory[..(output.WrittenCount / 2)] : output.WrittenMemory);
        await _client.DisposeAsync();
    }
}
