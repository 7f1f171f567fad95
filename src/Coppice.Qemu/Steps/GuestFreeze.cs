using Coppice.Core;
using Coppice.Qemu.Agent;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// The file systems of a guest, which its agent freezes for the length of a pause. A guest stays frozen until somebody thaws
/// it: this does, or else the guard, or else the undo. A note in the run folder tells whether there is anything to thaw; it need
/// not outlast a loss of power, for the guest does not either.
/// </summary>
internal sealed class GuestFreeze : IAsyncDisposable
{
    /// <summary>How long a guest may be frozen, answer of the agent included, before its guard thaws it.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    // A guest writes out what its programs have written, before it is frozen.
    private static readonly TimeSpan s_freezeLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_answerLimit = TimeSpan.FromSeconds(5);

    private readonly GuestAgent _agent;
    private readonly AgentChannel _channel;
    private readonly string _note;
    private int _frozen;

    private GuestFreeze(GuestAgent agent, AgentChannel channel, string note) =>
        (_agent, _channel, _note) = (agent, channel, note);

    /// <summary>What a guard is to know.</summary>
    public FrozenGuest Guarded => new(_agent.Handle, s_limit);

    /// <summary>Connects to the agent, and sees that it listens and can freeze: nothing is frozen yet.</summary>
    /// <exception cref="CoppiceException">It is not there, does not answer, or somebody else has frozen the guest.</exception>
    public static async Task<GuestFreeze> PrepareAsync(
        Machine machine, RunFolder folder, AgentChannel channel, StepContext context, TimeProvider time,
        CancellationToken cancellation)
    {
        var agent = await channel.OpenAsync(machine, folder, time, cancellation);
        var freeze = new GuestFreeze(agent, channel, folder.Frozen(context.Operation));
        try
        {
            var isFrozen = await freeze.AskAsync(() => agent.IsFrozenAsync(s_answerLimit, cancellation));
            return !isFrozen ? freeze : throw new CoppiceException(
                ErrorKind.WrongState, $"the guest of domain '{channel.Domain}'", "has its file systems frozen already, by somebody else",
                "thaw them, in the guest (fsfreeze --unfreeze) or by what froze them");
        }
        catch
        {
            await freeze.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Does something while the file systems are frozen. However that ends, they are thawed before anything else is done.
    /// </summary>
    /// <exception cref="CoppiceException">They could not be frozen, thawed, or were thawed before it was done.</exception>
    public async Task<T> DuringAsync<T>(Stopwatches parts, Func<Task<T>> act, CancellationToken cancellation)
    {
        T result;
        try
        {
            await parts.TimeAsync("freeze", () => FreezeAsync(cancellation));
            result = await act();
        }
        catch (Exception e)
        {
            await ThawAfterAsync(e);
            throw;
        }

        await parts.TimeAsync("thaw", ThawAsync);
        return result;
    }

    /// <summary>Thaws what an operation may have left frozen. An agent that does not answer does it once it goes on.</summary>
    public static async Task ThawLeftAsync(
        Machine machine, RunFolder folder, AgentChannel channel, StepContext context, TimeProvider time,
        CancellationToken cancellation)
    {
        var note = folder.Frozen(context.Operation);
        if (!File.Exists(note))
        {
            return;
        }

        try
        {
            await using var agent = await channel.OpenAsync(machine, folder, time, cancellation);
            await agent.ThawAsync(s_answerLimit, cancellation);
        }
        catch (Exception e) when (e is CoppiceException or AgentRefusalException)
        {
            // A guest in which nobody answers must not keep its domain from every other command.
        }

        File.Delete(note);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _agent.DisposeAsync();

    private async Task FreezeAsync(CancellationToken cancellation)
    {
        await File.WriteAllBytesAsync(_note, [], cancellation);
        _frozen = await AskAsync(() => _agent.FreezeAsync(s_freezeLimit, cancellation));
        if (_frozen == 0)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, _channel.Subject, "froze no file system: it finds none that can be", "leave --quiesce out");
        }
    }

    private async Task ThawAsync()
    {
        var thawed = await AskAsync(() => _agent.ThawAsync(s_answerLimit, CancellationToken.None));
        File.Delete(_note);
        if (thawed < _frozen)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, $"the guest of domain '{_channel.Domain}'",
                $"had {_frozen} file systems frozen, and only {thawed} still were when the disks had been snapshotted",
                "see what thaws them in the guest, and try again");
        }
    }

    /// <summary>The first error says more. But if the guest may stay frozen, that has to be said too.</summary>
    private async Task ThawAfterAsync(Exception first)
    {
        try
        {
            await AskAsync(() => _agent.ThawAsync(s_answerLimit, CancellationToken.None));
            File.Delete(_note);
        }
        catch (CoppiceException e) when (first is CoppiceException failure)
        {
            throw new CoppiceException(
                failure.Kind, failure.Subject,
                $"{failure.Problem}; and the guest may stay frozen until its agent goes on ({e.Problem})", failure.NextStep, failure);
        }
        catch (CoppiceException)
        {
        }
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (AgentRefusalException e)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, _channel.Subject, $"refuses {e.Message}", "see its log in the guest, or leave --quiesce out",
                e);
        }
    }
}
