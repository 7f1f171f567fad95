using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Planning;

/// <summary>A memory volume has room for all that its guests may still write, and for something more only beside that.</summary>
public sealed class MemoryVolumeTests
{
    private const long MiB = 1 << 20;
    private const string One = "/volume/one.ram", Two = "/volume/two.ram";

    [Theory]
    [InlineData(0, 0, null, 200)]
    [InlineData(100, 100, null, 0)]
    [InlineData(100, 30, null, 70)]
    [InlineData(100, 30, One, 170)]
    [InlineData(100, 30, Two, 100)]
    [InlineData(100, 30, "/volume/other.ram", 70)]
    public void What_guests_share_is_promised_to_them_and_what_is_cloned_is_shared_wholly(
        long firstOwnMiB, long secondOwnMiB, string? cloned, long promisedMiB) =>
        Assert.Equal(promisedMiB * MiB, Volume(1000, 1000, firstOwnMiB, secondOwnMiB).Promised(cloned).Bytes);

    [Theory]
    [InlineData(1000, 500, 468, 0)]
    [InlineData(1000, 500, 469, 1)]
    [InlineData(1000, 20, 0, 12)]
    [InlineData(4000, 1000, 920, 0)]
    [InlineData(4000, 1000, 930, 10)]
    public void A_fiftieth_and_at_least_32_MiB_are_kept_for_the_file_system_itself(long capacityMiB, long freeMiB, long moreMiB, long missingMiB) =>
        Assert.Equal(missingMiB * MiB, Volume(capacityMiB, freeMiB, 100, 100).MissingFor(new ByteCount(moreMiB * MiB)).Bytes);

    [Theory]
    [InlineData(100, 100, null, 0)]
    [InlineData(100, 99, null, 1)]
    [InlineData(100, 100, One, 100)]
    [InlineData(0, 0, One, 200)]
    public void Nobody_is_promised_room_that_somebody_else_was(long firstOwnMiB, long secondOwnMiB, string? cloned, long missingMiB) =>
        Assert.Equal(missingMiB * MiB, Volume(1000, 32 + 10, firstOwnMiB, secondOwnMiB).MissingFor(new ByteCount(10 * MiB), cloned).Bytes);

    [Fact]
    public void A_process_that_has_ended_was_promised_nothing()
    {
        var volume = Volume(1000, 1000, 0, 30);
        Assert.Equal(70 * MiB, volume.Without(One).Promised().Bytes);
        Assert.Equal(volume, volume.Without("/volume/other.ram"));
    }

    [Theory]
    [InlineData(null, 100 * MiB, "no memory volume", "coppice pool create-memory --size SIZE")]
    [InlineData(1000, 100 * MiB + 512, "no whole number of pages", "whole number of MiB")]
    [InlineData(131, 100 * MiB, "1 MiB are missing", "make room there")]
    [InlineData(132, 100 * MiB, "", "")]
    public void A_domain_is_mapped_if_its_RAM_fits_in_pages_on_a_volume(int? freeMiB, long ramBytes, string reason, string nextStep)
    {
        var volume = freeMiB is { } free ? Volume(1000, free, 100, 100) : null;
        var way = MemoryWay.Of(new DomainDefinition { Id = new DomainId(Guid.Empty), Name = "web", Memory = new ByteCount(ramBytes) }, volume);
        Assert.Equal(reason.Length == 0 ? MemoryFormat.Mapped : MemoryFormat.Stream, way.Format);
        Assert.Contains(reason, way.Reason, StringComparison.Ordinal);
        Assert.Contains(nextStep, way.NextStep, StringComparison.Ordinal);
        Assert.Equal(way.Reason.Length == 0, way.NextStep.Length == 0);
    }

    /// <summary>Two guests of 100 MiB.</summary>
    private static MemoryVolume Volume(long capacityMiB, long freeMiB, long firstOwnMiB, long secondOwnMiB) => new()
    {
        Folder = "/volume",
        Capacity = new ByteCount(capacityMiB * MiB),
        Free = new ByteCount(freeMiB * MiB),
        Rams = ImmutableDictionary<string, RamFile>.Empty
            .Add(One, new RamFile(new ByteCount(100 * MiB), new ByteCount(firstOwnMiB * MiB), 1))
            .Add(Two, new RamFile(new ByteCount(100 * MiB), new ByteCount(secondOwnMiB * MiB), 1)),
    };
}
