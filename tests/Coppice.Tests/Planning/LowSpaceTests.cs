using Coppice.Core;
using Coppice.Tests.Resolving;

namespace Coppice.Tests.Planning;

/// <summary>Whoever makes layers is warned before the file system is full, and nobody else is.</summary>
public sealed class LowSpaceTests
{
    private const long MiB = 1 << 20;

    private static readonly Scene s_running = new() { Capabilities = [Capability.ExternalMemory, Capability.OnlineExternalDiskOnly] };

    [Theory]
    [InlineData(3 << 10, 1 << 20, false)]
    [InlineData(1 << 10, 1 << 20, true)]
    [InlineData(600, 10 << 10, false)]
    [InlineData(400, 10 << 10, true)]
    [InlineData(0, 0, false)]
    public void A_snapshot_warns_if_less_than_a_twentieth_or_two_gibibytes_would_be_left(long freeMiB, long capacityMiB, bool isWarned)
    {
        var model = new Model(s_running);
        model.HaveRoom(new ByteCount(freeMiB * MiB), new ByteCount(capacityMiB * MiB));
        var warnings = model.Plan(new CreateSnapshot("web") { Name = "s1" }).Warnings;
        Assert.Equal(isWarned ? 1 : 0, warnings.Count(w => w.Contains("make room before it is full", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_warning_names_what_frees_space_there_and_nothing_else()
    {
        var model = new Model(s_running) { WrittenAt = DateTimeOffset.MaxValue };
        Assert.EndsWith("make room before it is full", Warning(), StringComparison.Ordinal);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        Assert.EndsWith("make room before it is full", Warning(), StringComparison.Ordinal);
        model.Run(new CreateSnapshot("web") { Name = "s2" });
        Assert.EndsWith("is full (coppice prune web --keep-last N)", Warning(), StringComparison.Ordinal);
        model.Run(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.EndsWith("is full (coppice tips drop web TIP, coppice prune web --keep-last N)", Warning(), StringComparison.Ordinal);

        string Warning()
        {
            model.HaveRoom(new ByteCount(MiB), new ByteCount(MiB << 20));
            return Assert.Single(model.Plan(new CreateSnapshot("web") { Name = "more", DiskOnly = true }).Warnings, w => w.Contains("make room", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void What_makes_no_file_warns_of_nothing()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.HaveRoom(new ByteCount(MiB), new ByteCount(MiB << 20));
        Assert.Empty(model.Plan(new EditSnapshot("web", "s1", "s2", null)).Warnings);
    }
}
