using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>A disk gets larger between snapshots: the guest sees it at once, and a revert goes back to the size it had.</summary>
public sealed class ResizeTests
{
    private const long Small = 64L << 20, Large = 96L << 20, Larger = 128L << 20;
    private const long BehindTheOldEnd = 80L << 20, Length = 1L << 20;

    [Fact]
    public async Task What_was_written_behind_the_old_end_comes_and_goes_with_its_snapshot()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.CreateAsync("small");
        await domain.RunAsync(new ResizeDisk(LiveDomain.Name, "vda", new ByteCount(Large)));
        await SeesAsync(domain, Large);
        var written = await WriteAsync(domain);
        await domain.CreateAsync("large");

        await domain.RevertAsync("small", discard: true);
        await SeesAsync(domain, Small);
        await domain.RevertAsync("large", discard: true);
        await SeesAsync(domain, Large);
        Assert.Equal(written, await ReadAsync(domain));

        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new ResizeDisk(LiveDomain.Name, "vda", new ByteCount(Larger)));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await SeesAsync(domain, Larger);
        Assert.Equal(written, await ReadAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    /// <summary>The guest hears of it an instant after the host has done it.</summary>
    private static async Task SeesAsync(LiveDomain domain, long bytes)
    {
        await using var witness = await domain.ConnectAsync();
        for (var attempt = 0; (await witness.DisksAsync())["vda"] != bytes; attempt++)
        {
            Assert.True(attempt < 200, $"the guest sees {(await witness.DisksAsync())["vda"]} bytes and not {bytes}");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<ulong> WriteAsync(LiveDomain domain)
    {
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.FillAsync("vda", BehindTheOldEnd, Length, seed: 7);
        }

        return await ReadAsync(domain);
    }

    private static async Task<ulong> ReadAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return await witness.ChecksumAsync("vda", BehindTheOldEnd, Length);
    }
}
