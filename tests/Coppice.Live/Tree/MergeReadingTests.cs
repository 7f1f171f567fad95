using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>What reads images without the lock is right about those that QEMU merges meanwhile, below a guest and without one.</summary>
public sealed class MergeReadingTests
{
    private const long Filled = 16L << 20, Length = 16L << 20;

    [Theory]
    [InlineData(MergeDirection.Commit, true)]
    [InlineData(MergeDirection.Stream, true)]
    [InlineData(MergeDirection.Commit, false)]
    public async Task Checks_differences_and_checksums_find_nothing_wrong_while_layers_are_merged(MergeDirection direction, bool runs)
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        foreach (var (name, seed) in new[] { ("one", 1), ("two", 2), ("three", 3) })
        {
            await using var witness = await domain.ConnectAsync();
            await witness.FillAsync("vda", Filled + (seed << 21), Length, seed);
            await domain.CreateAsync(name);
        }

        if (!runs)
        {
            await domain.RunAsync(new KillDomain(LiveDomain.Name));
        }

        await domain.Home.VerifyAsync(LiveDomain.Name, null, take: true, TestContext.Current.CancellationToken);
        var before = await ChangesAsync(domain);
        var merging = domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "two", metadataOnly: false) { Direction = direction, Wait = true });
        var looks = 0;
        for (var last = false; !last; looks++)
        {
            last = merging.IsCompleted;
            var wrong = (await domain.Home.CheckAsync(LiveDomain.Name)).Where(f => f.Severity is not Severity.Note || f.Kind is not FindingKind.Busy);
            Assert.True(wrong.All(IsStaleChecksum), string.Join('\n', wrong));
            Assert.Equal(before, await ChangesAsync(domain));
            var verified = await VerifyAsync(domain);
            Assert.All(verified, v => Assert.True(v.State is VerifiedState.Intact or VerifiedState.Unverified, $"{v}"));
        }

        Assert.Empty((await merging).Catalog!.Jobs);
        Assert.True(looks > 1);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    /// <summary>What a snapshot had that is gone has left its checksum, which a repair removes.</summary>
    private static bool IsStaleChecksum(Finding finding) =>
        finding.Kind is FindingKind.Leftover && finding.Subject.Contains("/checksums/", StringComparison.Ordinal);

    private static async Task<ByteRange[]> ChangesAsync(LiveDomain domain) =>
        [.. Assert.Single((await AgainAsync(() => domain.Home.CompareAsync(LiveDomain.Name, "one", "three", null))).Disks).Difference!.Ranges];

    private static async Task<Verification[]> VerifyAsync(LiveDomain domain) =>
        [.. await AgainAsync(() => domain.Home.VerifyAsync(LiveDomain.Name, null, take: false))];

    /// <summary>As the error says.</summary>
    private static async Task<T> AgainAsync<T>(Func<Task<T>> read)
    {
        while (true)
        {
            try
            {
                return await read();
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.Busy)
            {
                TestContext.Current.TestOutputHelper!.WriteLine(e.Message);
            }
        }
    }
}
