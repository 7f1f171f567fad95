using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Guests of a <see cref="FakeHost"/> that are tried: they come up unless the host says otherwise.</summary>
internal static class FakeTrial
{
    public static GuestTrial Of(FakeHost host, ShortId process)
    {
        if (!host.State.Processes.ContainsKey(process))
        {
            return new GuestTrial(TrialEnd.Failed, "its process has ended");
        }

        var then = host.GuestsComeUp ? DomainState.Running : DomainState.Crashed;
        host.Act("try", s => FakeHost.Set(s, process, p => p with { State = then, WentOn = true }));
        return !host.GuestsComeUp ? new GuestTrial(TrialEnd.Failed, "its kernel has panicked")
            : host.GuestsHaveAgents && host.State.Processes[process].HasAgent ? new GuestTrial(TrialEnd.Answers)
            : new GuestTrial(TrialEnd.Runs);
    }
}
