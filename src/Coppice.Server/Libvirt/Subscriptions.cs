using System.Collections.Immutable;

namespace Coppice.Server.Libvirt;

/// <summary>The events that libvirt has and this endpoint tells (virDomainEventID).</summary>
internal static class DomainEvent
{
    public const int Lifecycle = 0, Reboot = 1, IoError = 4, IoErrorWithReason = 6, BlockJob = 8, BlockJobByTarget = 16,
        JobCompleted = 21, MetadataChanged = 23;

    /// <summary>The highest that a client may ask for; those that are never told are taken all the same.</summary>
    public const int Last = 26;

    /// <summary>What is never told.</summary>
    public const int Never = -1;
}

/// <summary>What one client wants to be told of.</summary>
internal sealed class Subscriptions
{
    private ImmutableDictionary<int, (int Event, Guid? Domain)> _all = ImmutableDictionary<int, (int, Guid?)>.Empty;
    private const int Most = 1024;

    private int _last = -1;

    /// <summary>Adds one, of a domain or of all.</summary>
    /// <returns>Its number, with which what is told begins.</returns>
    public int Add(int @event, Guid? domain)
    {
        if (_all.Count >= Most)
        {
            throw RpcException.InvalidArgument($"nobody may ask for more than {Most} events");
        }

        var number = Interlocked.Increment(ref _last);
        ImmutableInterlocked.TryAdd(ref _all, number, (@event, domain));
        return number;
    }

    /// <summary>Removes one. False if there is none of that number.</summary>
    public bool Remove(int number) => ImmutableInterlocked.TryRemove(ref _all, number, out _);

    /// <summary>Removes all.</summary>
    public void Clear() => _all = _all.Clear();

    /// <summary>The numbers of those that an event of a domain is for.</summary>
    public IEnumerable<int> For(int @event, Guid domain) =>
        _all.Where(s => s.Value.Event == @event && (s.Value.Domain is null || s.Value.Domain == domain)).Select(s => s.Key).Order();
}
