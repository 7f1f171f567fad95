using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>Checksums that somebody takes who was left behind for it, while the domain goes on changing.</summary>
public sealed class ChecksumTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_snapshot_is_unverified_until_they_are_taken_and_then_nothing_is_left_to_take()
    {
        await GrowAsync();
        Assert.Equal(2, (await Home.ReadUnverifiedAsync(Name)).Count);
        Assert.True(await Home.NeedsChecksumsAsync(Name));
        await Home.TakeChecksumsAsync(Name);
        Assert.Empty(await Home.ReadUnverifiedAsync(Name));
        Assert.False(await Home.NeedsChecksumsAsync(Name));
        Assert.All(await Home.VerifyAsync(Name, null, take: false), v => Assert.Equal(VerifiedState.Intact, v.State));

        _world.Host.Tick();
        await _world.SnapshotAsync("three");
        Assert.Equal([_world.Catalog.Find("three").Id], await Home.ReadUnverifiedAsync(Name));
        Assert.DoesNotContain(await Home.CheckAsync(null), f => f.Severity is not Severity.Note);
    }

    [Fact]
    public async Task While_somebody_takes_them_nobody_else_does()
    {
        await GrowAsync();
        using (FileLock.TryAcquire(_world.Domain.ChecksumsLock)!)
        {
            Assert.False(await Home.NeedsChecksumsAsync(Name));
            await Home.TakeChecksumsAsync(Name);
            Assert.False(Directory.Exists(_world.Domain.Checksums));
            using var impatient = new CancellationTokenSource();
            var waiting = Home.VerifyAsync(Name, null, take: true, impatient.Token);
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        }

        await Home.TakeChecksumsAsync(Name);
        Assert.False(await Home.NeedsChecksumsAsync(Name));
    }

    [Fact]
    public async Task What_was_written_again_by_us_is_unverified_and_not_changed_and_is_read_anew()
    {
        await GrowAsync();
        await Home.TakeChecksumsAsync(Name);
        var layer = _world.Catalog.Find("two").Layers.First(l => l.Disk == "vda");
        _world.Host.State = _world.Host.State.With(layer.Path, i => i with { Blocks = i.Blocks.SetItem(99, 1) });
        _world.Host.Modified[layer.Path] = DateTimeOffset.UnixEpoch.AddHours(1);
        var written = Assert.Single(await Home.VerifyAsync(Name, null, take: false), v => v.State is not VerifiedState.Intact);
        Assert.Equal((VerifiedState.Unverified, layer.Path), (written.State, written.File));
        Assert.Equal([_world.Catalog.Find("two").Id], await Home.ReadUnverifiedAsync(Name));
        await Home.TakeChecksumsAsync(Name);
        Assert.All(await Home.VerifyAsync(Name, null, take: false), v => Assert.Equal(VerifiedState.Intact, v.State));
    }

    [Fact]
    public async Task What_only_got_another_time_keeps_its_checksum_and_is_not_read_a_third_time()
    {
        await GrowAsync();
        await Home.TakeChecksumsAsync(Name);
        _world.Host.Modified[_world.Catalog.Find("two").Layers.First(l => l.Disk == "vda").Path] = DateTimeOffset.UnixEpoch.AddHours(1);
        Assert.All(await Home.VerifyAsync(Name, null, take: false), v => Assert.Equal(VerifiedState.Intact, v.State));
        Assert.True(await Home.NeedsChecksumsAsync(Name));
        await Home.TakeChecksumsAsync(Name);
        Assert.False(await Home.NeedsChecksumsAsync(Name));
    }

    [Fact]
    public async Task A_domain_that_was_undefined_meanwhile_stays_gone()
    {
        await GrowAsync();
        await _world.RunAsync(new KillDomain(Name));
        var checksums = new ChecksumStore(_world.Domain);
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        await Assert.ThrowsAsync<FileException>(() => checksums.WriteAsync("0000abcd", DateTimeOffset.UnixEpoch, "00"));
        Assert.False(Directory.Exists(_world.Domain.Path));
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => Home.TakeChecksumsAsync(Name))).Kind);
    }

    private Home Home => _world.Open();

    private async Task GrowAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
    }
}
