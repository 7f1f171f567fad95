using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Tells clients what they want to be told of.</summary>
internal sealed class EventPublisher
{
    // virDomainEventIOErrorAction.
    private const int NothingDone = 0, GuestPaused = 1, ErrorReported = 2;

    /// <summary>The clients that are connected.</summary>
    public ConcurrentDictionary<Client, Client> Clients { get; } = new();

    /// <summary>A domain lives on differently.</summary>
    public void Tell(RemoteDomain domain, LifecycleChange change) => Tell(
        DomainEvent.Lifecycle, domain, callback => EventProcedures.Lifecycle.ToFrame((callback, domain, change.Event, change.Detail)));

    /// <summary>A guest was reset.</summary>
    public void TellReboot(RemoteDomain domain) =>
        Tell(DomainEvent.Reboot, domain, callback => EventProcedures.Reboot.ToFrame((callback, domain)));

    /// <summary>An image could not be read or written.</summary>
    public void Tell(RemoteDomain domain, string path, DiskFailure failure)
    {
        var disk = failure.Target ?? "";
        var action = failure.Action switch
        {
            FailureAction.Stopped => GuestPaused,
            FailureAction.Reported => ErrorReported,
            _ => NothingDone,
        };
        Tell(DomainEvent.IoError, domain, callback => EventProcedures.IoError.ToFrame((callback, domain, path, disk, action)));
        Tell(DomainEvent.IoErrorWithReason, domain, callback => EventProcedures.IoErrorWithReason.ToFrame(
            (callback, domain, (path, disk, action, failure.IsNoSpace ? "enospc" : ""))));
    }

    /// <summary>The job of a disk has changed.</summary>
    public void Tell(RemoteDomain domain, BlockJobChange change)
    {
        Tell(DomainEvent.BlockJob, domain, callback => EventProcedures.BlockJob.ToFrame((callback, domain, change.Path, change.Type, change.Status)));
        Tell(DomainEvent.BlockJobByTarget, domain, callback => EventProcedures.BlockJobByTarget.ToFrame(
            (callback, domain, change.Target, change.Type, change.Status)));
    }

    /// <summary>The memory of a guest has been saved.</summary>
    public void Tell(RemoteDomain domain, SavedGuest saved)
    {
        var memory = (ulong)saved.Memory.Bytes;
        ImmutableArray<TypedParameter> figures =
            [new("operation", saved.Operation), new("data_total", memory), new("memory_total", memory)];
        Tell(DomainEvent.JobCompleted, domain, callback => EventProcedures.JobCompleted.ToFrame((callback, domain, figures)));
    }

    /// <summary>A note in the definition of a domain has changed.</summary>
    public void Tell(RemoteDomain domain, NoteChange change) => Tell(
        DomainEvent.MetadataChanged, domain, callback => EventProcedures.MetadataChanged.ToFrame((callback, domain, change.Type, change.Namespace)));

    private void Tell(int @event, RemoteDomain domain, Func<int, Frame> frame)
    {
        foreach (var client in Clients.Keys)
        {
            foreach (var callback in client.Subscriptions.For(@event, domain.Uuid))
            {
                client.Tell(frame(callback));
            }
        }
    }
}
