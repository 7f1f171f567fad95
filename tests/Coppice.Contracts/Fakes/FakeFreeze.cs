using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Freezes and thaws the file systems of guests. From the freeze to the thaw a guard watches.</summary>
internal sealed class FakeFreeze(FakeHost host)
{
    /// <summary>Refuses to freeze a guest that could not thaw, or whose memory would be kept frozen.</summary>
    public static void RequireRunning(CheckpointRequest request)
    {
        if ((request.State, request.StaysPaused, request.Memory.Mode) is not (DomainState.Running, false, MemoryMode.None))
        {
            throw new CoppiceException(ErrorKind.WrongState, $"the guest of {request.Process}", "does not run");
        }
    }

    public void Freeze(CheckpointRequest request, ShortId operation)
    {
        if (!host.GuestsHaveAgents || host.State.Processes[request.Process] is not { HasAgent: true, State: DomainState.Running })
        {
            throw new CoppiceException(ErrorKind.WrongState, $"the agent in the guest of {request.Process}", "does not run");
        }

        host.Act("freeze", s => FakeHost.Set(s, request.Process, p => p with { IsFrozen = true, Guard = new FakeGuard(request.State, operation) }));
    }

    /// <summary>A guest that thawed by itself meanwhile was not frozen when its disks moved.</summary>
    public void Thaw(CheckpointRequest request)
    {
        var wasFrozen = host.State.Processes[request.Process].IsFrozen;
        host.Act("thaw", s => FakeHost.Set(s, request.Process, p => p with { IsFrozen = false, Guard = null }));
        if (!wasFrozen)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"the guest of {request.Process}", "was thawed too early");
        }
    }
}
