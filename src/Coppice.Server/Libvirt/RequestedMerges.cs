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
    public const int Pull = 1, Commit = 3;

    /// <summary>It has been begun: from then on it is over if nothing merges.</summary>
    public bool IsBegun { get; init; }

    /// <summary>How many of its layers a disk is still on.</summary>
    public int Left(Catalog catalog) => catalog.Head.Disks.FirstOrDefault(d => d.Target == Target) is { } head
        ? LayerGraph.Of(catalog).Chain(head.Layer).Count(l => Layers.Contains(l.Id))
        : 0;
}

/// <summary>
/// The merges that clients have asked for and wait for. Coppice merges whatever has no name, two layers at a time; libvirt's clients wait for the
/// end of one job.
/// </summary>
internal sealed class RequestedMerges(EventPublisher events)
{
    private readonly ConcurrentDictionary<(DomainId Domain, string Target), RequestedMerge> _all = new();

    /// <summary>The one of a disk; null if nobody has asked for any.</summary>
    public RequestedMerge? Find(DomainId domain, string target) => _all.GetValueOrDefault((domain, target));

    /// <summary>One is asked for. False if there is one of that disk.</summary>
    public bool TryAdd(RequestedMerge merge) => _all.TryAdd((merge.Domain, merge.Target), merge);

    /// <summary>It has been begun.</summary>
    public void Begin(RequestedMerge merge) => _all.TryUpdate((merge.Domain, merge.Target), merge with { IsBegun = true }, merge);

    /// <summary>It could not be begun, and nobody is told.</summary>
    public void Forget(RequestedMerge merge) => _all.TryRemove(KeyValuePair.Create((merge.Domain, merge.Target), merge));

    /// <summary>Whoever asked for it has given it up.</summary>
    public void Cancel(RequestedMerge merge, RemoteDomain domain) => End(merge, domain, BlockJobChange.Cancelled);

    /// <summary>Looks whether merges of a domain have come to their end, and tells so.</summary>
    public void Look(Catalog catalog, RemoteDomain domain)
    {
        foreach (var merge in _all.Values.Where(m => m.Domain == catalog.Domain && m.IsBegun))
        {
            var isMerged = merge.Left(catalog) <= 1;
            if (isMerged || catalog.Jobs.All(j => j.Disk != merge.Target))
            {
                End(merge, domain, isMerged ? BlockJobChange.Completed : BlockJobChange.Failed);
            }
        }
    }

    private void End(RequestedMerge merge, RemoteDomain domain, int status)
    {
        if (_all.TryRemove(KeyValuePair.Create((merge.Domain, merge.Target), merge)))
        {
            events.Tell(domain, new BlockJobChange(merge.Target, merge.Path, merge.Type, status));
        }
    }
}
