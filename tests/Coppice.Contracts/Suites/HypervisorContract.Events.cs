using System.Threading.Channels;
using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor tells of a guest without being asked.</summary>
public abstract partial class HypervisorContract
{
    [Theory]
    [InlineData(DomainSignal.Reboot)]
    [InlineData(DomainSignal.Reset)]
    public async Task Whoever_watches_is_told_what_becomes_of_a_guest_until_its_process_ends(DomainSignal boots)
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));

        // What was before is not told.
        await using var watch = await WatchedProcess.BeginAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        Assert.Equal(new GuestEvent(GuestEventKind.Stopped), await watch.NextAsync());
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));
        Assert.Equal(new GuestEvent(GuestEventKind.Resumed), await watch.NextAsync());
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, boots));
        Assert.Equal(new GuestEvent(GuestEventKind.Reset), await watch.NextAsync());
        await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));

        // Firmware resets a machine again on its way.
        var again = new GuestEvent(GuestEventKind.Reset) { ByGuest = true };
        Assert.Equal([new GuestEvent(GuestEventKind.PoweredOff)], (await watch.RestAsync()).Where(e => e != again));
    }

    [Fact]
    public async Task A_process_that_is_not_there_tells_nothing_and_one_that_dies_nothing_more()
    {
        await using var bed = Open();
        await using (var none = new WatchedProcess(bed, bed.NewProcess()))
        {
            Assert.Empty(await none.RestAsync());
        }

        var process = await StartAsync(bed);
        await using var watch = await WatchedProcess.BeginAsync(bed, process);
        await bed.KillAsync(process);
        Assert.Empty(await watch.RestAsync());
        await using var dead = new WatchedProcess(bed, process);
        Assert.Empty(await dead.RestAsync());
    }

    [Fact]
    public async Task One_at_a_time_watches_and_the_next_can_once_it_has_ended()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        await using (var watch = await WatchedProcess.BeginAsync(bed, process))
        {
            var error = await Assert.ThrowsAsync<CoppiceException>(() => WatchedProcess.BeginAsync(bed, process));
            Assert.Equal(ErrorKind.Busy, error.Kind);
        }

        await using var next = await WatchedProcess.BeginAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        Assert.Equal(new GuestEvent(GuestEventKind.Stopped), await next.NextAsync());
    }

    [Fact]
    public async Task Whoever_watches_is_told_how_far_a_merge_has_come()
    {
        await using var bed = Open();
        var chain = Stack(bed, 3);
        var process = await StartAsync(bed, chain);
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[2].Id, Upper: chain[1].Id, MergeDirection.Stream);
        await using var watch = await WatchedProcess.BeginAsync(bed, process);
        await MergeAsync(bed, process, merge, guestless: false);
        foreach (var state in new[] { MergeState.Running, MergeState.Ready, MergeState.Gone })
        {
            Assert.Equal(new GuestEvent(GuestEventKind.JobChanged) { Job = new JobChange(s_job, state) }, await watch.NextAsync());
        }
    }

    /// <summary>A process that is watched while other things are done.</summary>
    private sealed class WatchedProcess : IAsyncDisposable
    {
        private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

        private readonly Channel<GuestEvent> _told = Channel.CreateUnbounded<GuestEvent>();
        private readonly CancellationTokenSource _ended = new();
        private readonly Task _watching;

        public WatchedProcess(IHypervisorBed bed, ShortId process) =>
            _watching = WatchAsync(bed.Hypervisor.WatchAsync(bed.Folder, process, _ended.Token));

        public static async Task<WatchedProcess> BeginAsync(IHypervisorBed bed, ShortId process)
        {
            var watch = new WatchedProcess(bed, process);
            try
            {
                Assert.Equal(new GuestEvent(GuestEventKind.Began), await watch.NextAsync());
                return watch;
            }
            catch
            {
                await watch.DisposeAsync();
                throw;
            }
        }

        public async Task<GuestEvent> NextAsync()
        {
            try
            {
                return await _told.Reader.ReadAsync().AsTask().WaitAsync(s_patience);
            }
            catch (ChannelClosedException e) when (e.InnerException is CoppiceException error)
            {
                throw error;
            }
        }

        /// <summary>All that is told until it ends.</summary>
        public async Task<GuestEvent[]> RestAsync()
        {
            await _watching.WaitAsync(s_patience);
            return await _told.Reader.ReadAllAsync().ToArrayAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await _ended.CancelAsync();
            await _watching;
            _ended.Dispose();
        }

        private async Task WatchAsync(IAsyncEnumerable<GuestEvent> events)
        {
            try
            {
                await foreach (var told in events)
                {
                    await _told.Writer.WriteAsync(told);
                }

                _told.Writer.Complete();
            }
            catch (Exception e) when (e is OperationCanceledException or CoppiceException)
            {
                _told.Writer.Complete(e);
            }
        }
    }
}
