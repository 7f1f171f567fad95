using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers who asks to be told of something.</summary>
internal static class EventCalls
{
    /// <summary>Adds them.</summary>
    public static void AddTo(CallTable calls)
    {
        calls.Reads(EventProcedures.Register, (caller, asked) => Task.FromResult(asked.Event is >= 0 and <= DomainEvent.Last
            ? caller.Client.Subscriptions.Add(asked.Event, asked.Domain?.Uuid)
            : throw RpcException.InvalidArgument($"there is no event {asked.Event}")));
        calls.Reads(EventProcedures.Deregister, (caller, number) => Task.FromResult(Remove(caller, number)));

        // Nothing is ever told of what there is none of.
        calls.Reads(EventProcedures.RegisterNetwork, (caller, _) => Task.FromResult(caller.Client.Subscriptions.Add(DomainEvent.Never, null)));
        calls.Reads(EventProcedures.RegisterPool, (caller, _) => Task.FromResult(caller.Client.Subscriptions.Add(DomainEvent.Never, null)));
        calls.Reads(EventProcedures.RegisterNodeDevice, (caller, _) => Task.FromResult(caller.Client.Subscriptions.Add(DomainEvent.Never, null)));
        calls.Reads(EventProcedures.DeregisterNetwork, (caller, number) => Task.FromResult(Remove(caller, number)));
        calls.Reads(EventProcedures.DeregisterPool, (caller, number) => Task.FromResult(Remove(caller, number)));
        calls.Reads(EventProcedures.DeregisterNodeDevice, (caller, number) => Task.FromResult(Remove(caller, number)));
    }

    private static ValueTuple Remove(Caller caller, int number) => caller.Client.Subscriptions.Remove(number)
        ? default
        : throw RpcException.InvalidArgument($"there is no callback {number}");
}
