using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>A merge that a client has asked for as one of libvirt's block jobs.</summary>
/// <param name="Domain">The domain.</param>
/// <param name="Target">The disk.</param>
/// <param name="Path">The image that it was on.</param>
/// <param name="Type">What libvirt calls it (virDomainBlockJobType).</param>
/// <param name="Layers">Of these layers one is to be left.</param>
internal sealed record RequestedMerge(DomainId Domain, string Target, string Path, int Type, ImmutableArray<ShortId> Layers)
{
    public const int Pull = 1, Commit = 3, ActiveCommit = 4;

    /// <summary>It is done; libvirt has whoever committed what the guest writes to say so once more.</summary>
    public bool IsReady { get; init; }

    /// <summary>How many of its layers a disk is still on.</summary>
    public int Left(Catalog catalog) => catalog.Head.Disks.FirstOrDefault(d => d.Target == Target) is { } head
        ? LayerGraph.Of(catalog).Chain(head.Layer).Count(l => Layers.Contains(l.Id))
        : 0;
}

/// <summary>
/// The merges that clients have asked for and wait for. Coppice merges whatever has no name, two layers at a time, and finishes by itself; libvirt's
/// clients wait for the end of one job, and, of one that the guest writes to, to be told that they may end it.
/// </summary>
internal sealed class RequestedMerges(EventPublisher events)
{
    // virConnectDomainEventBlockJobStatus.
    private const int Completed = 0, Failed = 1, Cancelled = 2, Ready = 3;

    private readonly ConcurrentDictionary<(DomainId Domain, string Target), RequestedMerge> _all = new();

    /// <summary>The one of a disk; null if nobody has asked for any.</summary>
    public RequestedMerge? Find(DomainId domain, string target) => _all.GetValueOrDefault((domain, target));

    /// <summary>One more is asked for, instead of any other of that disk.</summary>
    public void Add(RequestedMerge merge) => _all[(merge.Domain, merge.Target)] = merge;

    /// <summary>Whoever asked for it ends it.</summary>
    public void End(RequestedMerge merge, RemoteDomain domain)
    {
        if (_all.TryRemove((merge.Domain, merge.Target), out _))
        {
            Tell(domain, merge, merge.IsReady ? Completed : Cancelled);
        }
    }

    /// <summary>Looks whether merges of a domain have come to their end, and tells so.</summary>
    public void Look(Catalog catalog, RemoteDomain domain)
    {
        foreach (var merge in _all.Values.Where(m => m.Domain == catalog.Domain && !m.IsReady))
        {
            var isMerged = merge.Left(catalog) <= 1;
            if (isMerged && merge.Type is RequestedMerge.ActiveCommit)
            {
                Add(merge with { IsReady = true });
                Tell(domain, merge, Ready);
            }
            else if (isMerged || catalog.Jobs.All(j => j.Disk != merge.Target))
            {
                _all.TryRemove((merge.Domain, merge.Target), out _);
                Tell(domain, merge, isMerged ? Completed : Failed);
            }
        }
    }

    private void Tell(RemoteDomain domain, RequestedMerge merge, int status) =>
        events.Tell(domain, new BlockJobChange(merge.Target, merge.Path, merge.Type, status));
}
