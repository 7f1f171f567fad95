using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>What a process of a <see cref="FakeHost"/> is told while it lives: to pause, to end, to plug a cable in, what time it is.</summary>
internal sealed class FakeSignals(FakeHost host)
{
    private const string SignalKind = "machine.signal", EndKind = "machine.end", CableKind = "machine.set-link", TimeKind = "machine.set-guest-time";

    public static Step Signal(ShortId process, DomainSignal signal) => Step.Of(
        SignalKind, $"{signal} {process}", signal is DomainSignal.Pause or DomainSignal.Resume ? StepUndo.Exact : StepUndo.None,
        new SignalArguments(process, signal), FakeJson.Default.SignalArguments);

    public static Step End(ShortId process) =>
        Step.Of(EndKind, $"end {process}", StepUndo.None, new EndArguments(process), FakeJson.Default.EndArguments);

    public static Step SetLink(ShortId process, int card, bool isUp) => Step.Of(
        CableKind, $"card {card}", StepUndo.Exact, new CableArguments(process, card, isUp), FakeJson.Default.CableArguments);

    public static Step SetGuestTime(ShortId process, DomainDefinition definition)
    {
        GuestAgentChannel.RequireIn(definition);
        return Step.Of(
            TimeKind, $"set the clock of {process}", StepUndo.None, new GuestTimeArguments(process), FakeJson.Default.GuestTimeArguments);
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step)
    {
        switch (step.Kind)
        {
            case SignalKind:
                Signal(step.Read(FakeJson.Default.SignalArguments));
                return StepReport.Nothing;
            case EndKind:
                host.Events.Tell(step.Read(FakeJson.Default.EndArguments).Process, new GuestEvent(GuestEventKind.PoweredOff));
                host.End(step.Read(FakeJson.Default.EndArguments).Process, "end");
                return StepReport.Nothing;
            case CableKind:
                var cable = step.Read(FakeJson.Default.CableArguments);
                host.Require(cable.Process);
                Plug(cable.Process, cable.Card, cable.IsUp);
                return StepReport.Nothing;
            case TimeKind:
                return SetTime(step.Read(FakeJson.Default.GuestTimeArguments).Process);
            default:
                return null;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        switch (step.Kind)
        {
            case CableKind:
                var cable = step.Read(FakeJson.Default.CableArguments);
                Plug(cable.Process, cable.Card, !cable.IsUp);
                break;
            case SignalKind:
                var (process, signal) = step.Read(FakeJson.Default.SignalArguments);
                Steer(process, signal is DomainSignal.Pause ? DomainState.Running : DomainState.Paused);
                break;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these, or if that cannot be told.</summary>
    public bool? Probe(Step step) => step.Kind == EndKind ? host.Find(step.Read(FakeJson.Default.EndArguments).Process) is null : null;

    private void Signal(SignalArguments arguments)
    {
        host.Require(arguments.Process);
        switch (arguments.Signal)
        {
            case DomainSignal.Pause:
                Steer(arguments.Process, DomainState.Paused);
                break;
            case DomainSignal.Resume:
                Steer(arguments.Process, DomainState.Running);
                break;
            case DomainSignal.Reboot or DomainSignal.Reset:
                host.Act("reset", s => FakeHost.Set(s, arguments.Process, p => p with { Resets = p.Resets + 1 }));
                break;
            case DomainSignal.PowerButton when host.GuestsObey:
                host.Events.Tell(arguments.Process, new GuestEvent(GuestEventKind.PoweredOff) { ByGuest = true });
                host.End(arguments.Process, "power button");
                break;
        }
    }

    private void Steer(ShortId process, DomainState state) =>
        host.Act($"{state}", s => FakeHost.Set(s, process, p => p with { State = state }));

    private void Plug(ShortId process, int card, bool isUp) => host.Act(
        $"cable {card}", s => FakeHost.Set(s, process, p => p with { Pulled = isUp ? p.Pulled.Remove(card) : p.Pulled.Add(card) }));

    /// <summary>Memory that was stored brings an old clock with it; a guest without an agent cannot be asked.</summary>
    private StepReport SetTime(ShortId id)
    {
        if (host.Find(id) is not { } process)
        {
            return StepReport.Nothing;
        }

        if (!process.WentOn)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"the guest of {id}", "has not gone on yet");
        }

        if (!host.GuestsHaveAgents || !process.HasAgent || process.State is not DomainState.Running)
        {
            return new StepReport { Warning = $"the clock of {id} was not set; have an agent in the guest" };
        }

        host.Act("set clock", s => FakeHost.Set(s, id, p => p with { ClockSetAt = host.Now }));
        return StepReport.Nothing;
    }
}
