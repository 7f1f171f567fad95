using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Planning;

/// <summary>Which layers may be merged, and which way (R15, R200).</summary>
public sealed class UnnamedLayersTests
{
    [Theory]
    [InlineData(64, 64, true)]
    [InlineData(32, 64, true)]
    [InlineData(64, 32, false)]
    public void A_larger_disk_is_not_overwritten_by_a_smaller_one_behind_whose_end_there_are_zeros(int lower, int upper, bool commits)
    {
        var found = Assert.Single(Find(Layer(1, lower), Layer(2, upper), Layer(3, 64)));
        Assert.Equal(commits, found.AgainstCommit is null);
        Assert.Null(found.AgainstStream);
        Assert.True(commits || found.Reason.Contains("larger", StringComparison.Ordinal), found.Reason);
    }

    [Theory]
    [InlineData(LayerOrigin.Coppice, 2, "has 2 names")]
    [InlineData(LayerOrigin.Borrowed, 1, "is borrowed")]
    [InlineData(LayerOrigin.Coppice, 1, null)]
    public void What_others_keep_is_not_copied_since_that_would_free_nothing_R176(LayerOrigin origin, int links, string? reason)
    {
        var found = Assert.Single(Find(Layer(1, 64) with { Origin = origin }, Layer(2, 64), Layer(3, 64), links));
        Assert.Equal(reason is null, found.AgainstStream is null);
        Assert.Equal(reason is null, found.CanMerge);
        Assert.Contains(reason ?? "", found.AgainstStream?.Problem ?? "", StringComparison.Ordinal);
    }

    private static ImmutableArray<UnnamedLayer> Find(Layer lower, Layer upper, Layer head, int links = 1)
    {
        var catalog = new Catalog
        {
            Domain = new DomainId(Guid.Empty),
            Name = "web",
            Last = new LastOperation(new ShortId("0badcafe"), OperationEnd.Committed),
            Head = new Head { Definition = new ShortId("0badcafe"), Disks = [new HeadDisk("vda", head.Id)] },
            Tips =
            [
                new Tip
                {
                    Id = new ShortId("0badcafe"), LeftAt = DateTimeOffset.UnixEpoch, State = DomainState.Off, Memory = MemoryImage.None,
                    Head = new Head { Definition = new ShortId("0badcafe"), Disks = [new HeadDisk("vda", upper.Id)] },
                },
            ],
            Layers = [lower, upper, head],
        };
        return new UnnamedLayers(
            catalog, catalog.Layers.ToImmutableDictionary(l => l.Path, l => new FileObservation(l.Path, default) { Links = l.Id == lower.Id ? links : 1 }), []).Find();
    }

    private static Layer Layer(int id, int size) => new()
    {
        Id = new ShortId($"{id:x8}"), Disk = "vda", Path = $"/{id}", Format = ImageFormat.Qcow2, VirtualSize = new ByteCount(size),
        Parent = id == 1 ? null : new ShortId($"{id - 1:x8}"), Origin = LayerOrigin.Coppice,
    };
}
