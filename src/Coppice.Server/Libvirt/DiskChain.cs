using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>Layers of a disk of which one is to be left.</summary>
/// <param name="Top">The highest.</param>
/// <param name="Below">Those below it.</param>
/// <param name="JobType">What libvirt calls that (virDomainBlockJobType).</param>
internal sealed record LayerRange(Layer Top, ImmutableArray<Layer> Below, int JobType)
{
    /// <summary>Which image is written, and stays: whoever asks for either may remove the other one.</summary>
    public MergeDirection Direction => JobType is RequestedMerge.Commit ? MergeDirection.Commit : MergeDirection.Stream;
}

/// <summary>The layers that a disk is on, as libvirt's block jobs name them: by the paths of their files.</summary>
internal sealed class DiskChain
{
    // virDomainBlockCommitFlags and virDomainBlockRebaseFlags.
    private const uint Shallow = 1, Active = 4;

    private readonly Layer[] _layers;

    private DiskChain(Catalog catalog, HeadDisk head)
    {
        (Catalog, Target) = (catalog, head.Target);
        _layers = [.. LayerGraph.Of(catalog).FileChain(head.Layer)];
    }

    /// <summary>The catalog that it stands in.</summary>
    public Catalog Catalog { get; }

    /// <summary>The disk.</summary>
    public string Target { get; }

    /// <summary>The image that it is on.</summary>
    public string Path => _layers[0].Path;

    /// <summary>That it is being copied; null if it is not.</summary>
    public DiskMirror? Mirror => Catalog.HeadMirrors.FirstOrDefault(m => m.Disk == Target);

    /// <summary>The disk that a call names, by its target or the path of its image.</summary>
    /// <exception cref="RpcException">There is none.</exception>
    public static DiskChain Find(Catalog catalog, string disk)
    {
        var graph = LayerGraph.Of(catalog);
        return catalog.Head.Disks.FirstOrDefault(d => d.Target == disk || graph[d.Layer].Path == disk) is { } head
            ? new DiskChain(catalog, head)
            : throw RpcException.InvalidArgument($"disk '{disk}' not found in domain");
    }

    /// <summary>Whether a commit is of what the guest writes to.</summary>
    /// <param name="topName">The highest that is merged, by path; null for that.</param>
    /// <param name="flags">virDomainBlockCommitFlags.</param>
    public bool IsActive(string? topName, uint flags) => flags.Has(Active) && (topName is null || topName == Path);

    /// <summary>The layers below what the guest writes to, down to the one that a commit of it writes.</summary>
    /// <param name="baseName">That one, by path; null for the lowest of all, or the next one if the flags say so.</param>
    /// <param name="flags">virDomainBlockCommitFlags.</param>
    /// <exception cref="RpcException">There is none.</exception>
    public ImmutableArray<Layer> ToCommitInto(string? baseName, uint flags) => [.. _layers[1..(LowestOf(baseName, top: 0, flags) + 1)]];

    /// <summary>Refuses another job of a disk that is being copied.</summary>
    /// <exception cref="RpcException">It is.</exception>
    public void RequireNotMirrored()
    {
        if (Mirror is not null)
        {
            throw RpcException.IsCopied(Target);
        }
    }

    /// <summary>The layers that a commit merges.</summary>
    /// <param name="baseName">The lowest, by path; null for the lowest of all, or the next one if the flags say so.</param>
    /// <param name="topName">The highest that is merged, by path; null for the one that the guest writes to.</param>
    /// <param name="flags">virDomainBlockCommitFlags.</param>
    /// <exception cref="RpcException">There are no such layers.</exception>
    public LayerRange ToCommit(string? baseName, string? topName, uint flags)
    {
        var top = topName is null ? 0 : IndexOf(topName, from: 0);
        return top is 0
            ? throw RpcException.InvalidArgument($"commit of '{Target}' active layer requires active flag")
            : new LayerRange(_layers[top], [.. _layers[(top + 1)..(LowestOf(baseName, top, flags) + 1)]], RequestedMerge.Commit);
    }

    /// <summary>The layers that a pull merges: what the guest writes to, and those below it.</summary>
    /// <param name="baseName">The highest that stays, by path; null if none does.</param>
    /// <exception cref="RpcException">There is no such layer.</exception>
    public LayerRange ToPull(string? baseName)
    {
        var end = baseName is null ? _layers.Length : IndexOf(baseName, from: 1);
        return new LayerRange(_layers[0], [.. _layers[1..end]], RequestedMerge.Pull);
    }

    /// <summary>Refuses to merge what a snapshot or tip has, since it would have something else then.</summary>
    /// <exception cref="RpcException">One does, and is named.</exception>
    public void RequireUnnamed(ImmutableArray<Layer> merged)
    {
        foreach (var layer in merged)
        {
            if (Catalog.Snapshots.Values.FirstOrDefault(s => s.Disks.Any(d => d.IsKept && d.Layer == layer.Id)) is { } snapshot)
            {
                throw RpcException.OperationInvalid(
                    $"{layer.Path} is what snapshot '{snapshot.Name}' has of disk '{Target}'; delete that snapshot, and its layers merge by themselves");
            }

            if (Catalog.Tips.FirstOrDefault(t => t.Head.Disks.Any(d => d.Layer == layer.Id)) is { } tip)
            {
                throw RpcException.OperationInvalid(
                    $"{layer.Path} is what tip {tip.Id} has of disk '{Target}'; drop that tip first: coppice tips drop {Catalog.Name} {tip.Id}");
            }
        }
    }

    private int LowestOf(string? baseName, int top, uint flags) =>
        top + 1 >= _layers.Length ? throw RpcException.InvalidArgument($"could not find base image in chain for '{Target}'")
        : baseName is not null ? IndexOf(baseName, top + 1)
        : flags.Has(Shallow) ? top + 1
        : _layers.Length - 1;

    private int IndexOf(string path, int from)
    {
        var index = Array.FindIndex(_layers, Math.Min(from, _layers.Length), l => l.Path == path);
        return index >= 0
            ? index
            : throw RpcException.InvalidArgument($"could not find image '{path}' beneath '{_layers[0].Path}' in chain for '{Target}'");
    }
}
