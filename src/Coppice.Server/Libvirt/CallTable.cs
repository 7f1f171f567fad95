using System.Net.Sockets;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>Who asks, and until when it is worth answering.</summary>
/// <param name="Client">The connection.</param>
/// <param name="Right">What it was when it asked.</param>
/// <param name="Procedure">What is asked.</param>
/// <param name="Serial">The number of the call; data of a stream that it opens has the same.</param>
/// <param name="Cancellation">Ends when the server is stopped. A client that goes away has what it asked for done to the end.</param>
internal sealed record Caller(Client Client, CallRight Right, int Procedure, uint Serial, CancellationToken Cancellation)
{
    /// <summary>What begins as soon as it has been answered.</summary>
    public Action Then { get; set; } = () => { };

    /// <summary>What is handed over with the answer; null for nothing.</summary>
    public Socket? Connection { get; set; }
}

/// <summary>What a caller has to have done, or be, to be answered.</summary>
internal enum CallRight
{
    /// <summary>Nothing.</summary>
    Anybody,

    /// <summary>It has opened the hypervisor.</summary>
    Reader,

    /// <summary>Also, not for reading only.</summary>
    Writer,
}

/// <summary>
/// The procedures that are answered. One that is not in it is answered as libvirt answers one that it does not know, and
/// clients fall back to what they did before there was such a procedure.
/// </summary>
internal sealed class CallTable(ILogger log)
{
    private readonly Dictionary<int, Entry> _entries = [];

    /// <summary>Answers a procedure that changes nothing.</summary>
    public void Reads<TAsked, TAnswered>(
        Procedure<TAsked, TAnswered> procedure, Func<Caller, TAsked, Task<TAnswered>> answer, CallSubject subject = CallSubject.Domain) =>
        Add(procedure, CallRight.Reader, subject, answer);

    /// <summary>The same, at once.</summary>
    public void Reads<TAsked, TAnswered>(
        Procedure<TAsked, TAnswered> procedure, Func<TAsked, TAnswered> answer, CallSubject subject = CallSubject.Domain) =>
        Add(procedure, CallRight.Reader, subject, (_, asked) => Task.FromResult(answer(asked)));

    /// <summary>Answers a procedure that changes something.</summary>
    public void Changes<TAsked, TAnswered>(
        Procedure<TAsked, TAnswered> procedure, Func<Caller, TAsked, Task<TAnswered>> answer, CallSubject subject = CallSubject.Domain) =>
        Add(procedure, CallRight.Writer, subject, answer);

    /// <summary>Answers a procedure that comes before the hypervisor is opened.</summary>
    public void Greets<TAsked, TAnswered>(Procedure<TAsked, TAnswered> procedure, Func<Caller, TAsked, TAnswered> answer) =>
        Add(procedure, CallRight.Anybody, CallSubject.Domain, (caller, asked) => Task.FromResult(answer(caller, asked)));

    /// <summary>Carries a call out.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="asked">What.</param>
    /// <returns>The frame to answer with, whatever happens.</returns>
    public async Task<Frame> AnswerAsync(Caller caller, ReadOnlyMemory<byte> asked)
    {
        var header = new FrameHeader(Programs.Remote, Programs.Version, caller.Procedure, FrameType.Reply, caller.Serial, FrameStatus.Ok);
        var subject = CallSubject.Domain;
        try
        {
            if (!_entries.TryGetValue(caller.Procedure, out var entry))
            {
                throw RpcException.UnknownProcedure(caller.Procedure);
            }

            subject = entry.Subject;
            Require(entry.Right, caller.Right);
            var answer = await entry.Answer(caller, asked).ConfigureAwait(false);
            return caller.Connection is { } connection ? Frame.HandOver(header, answer, connection) : new Frame(header, answer);
        }
#pragma warning disable CA1031 // Whatever goes wrong in one call must not end the connection, let alone the server: the caller is told.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var error = RpcErrors.Of(e, subject);
            if (error.Code is RpcCode.InternalError && e is not RpcException)
            {
                log.LogError(e, "procedure {Procedure} failed: {Problem}", caller.Procedure, error.Message);
            }

            return Frame.Failed(header, error);
        }
    }

    private static void Require(CallRight needed, CallRight had)
    {
        if (needed is not CallRight.Anybody && had is CallRight.Anybody)
        {
            throw new RpcException(RpcCode.InternalError, RpcOrigin.Rpc, "internal error: hypervisor connection not open");
        }

        if (needed is CallRight.Writer && had is CallRight.Reader)
        {
            throw new RpcException(RpcCode.OperationDenied, RpcOrigin.Domain, "operation forbidden: read only access prevents this operation");
        }
    }

    private void Add<TAsked, TAnswered>(
        Procedure<TAsked, TAnswered> procedure, CallRight right, CallSubject subject, Func<Caller, TAsked, Task<TAnswered>> answer) =>
        _entries.Add(procedure.Number, new Entry(right, subject, async (caller, asked) =>
        {
            if (right is CallRight.Writer)
            {
                // What changes something takes its time, and must not hold up what the client sends next. What only reads is answered at once.
                await Task.Yield();
            }

            // Nobody reads for a client that has gone.
            var until = right is CallRight.Writer ? caller : caller with { Cancellation = caller.Client.Ended };
            var answered = procedure.Answered.Encode(await answer(until, procedure.Asked.Decode(asked.Span)).ConfigureAwait(false));
            (caller.Then, caller.Connection) = (until.Then, until.Connection);
            return answered;
        }));

    private sealed record Entry(CallRight Right, CallSubject Subject, Func<Caller, ReadOnlyMemory<byte>, Task<ReadOnlyMemory<byte>>> Answer);
}
