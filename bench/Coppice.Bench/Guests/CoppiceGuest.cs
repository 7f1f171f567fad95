using System.Security.Cryptography;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Witness;

namespace Coppice.Bench.Guests;

/// <summary>The guest under Coppice, driven through the library in this process.</summary>
internal sealed class CoppiceGuest : Guest
{
    public const string Name = "bench";
    private readonly BenchHome _place;
    private readonly GuestSize _size;

    private CoppiceGuest(BenchHome place, GuestSize size)
    {
        _place = place;
        _size = size;
    }

    public Home Home => _place.Home;

    public string HomePath => _place.Path;

    /// <summary>Where its RAM is cloned, or would be.</summary>
    public string VolumePath => new HomeFolder(HomePath).Volume;

    /// <summary>Boots one in a home of its own.</summary>
    /// <param name="settings">Where.</param>
    /// <param name="place">Where its RAM is.</param>
    /// <param name="size">Its size.</param>
    /// <param name="growth">What its snapshots may come to differ by, in bytes.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<CoppiceGuest> BootAsync(
        Settings settings, MemoryPlace place, GuestSize size, long growth, CancellationToken cancellation)
    {
        // All of its RAM has to fit once more when it is cloned, and file systems want some for themselves.
        var volume = (size.UsedBytes + size.RamBytes + size.RoundBytes + growth) * 22 / 20;
        var guest = new CoppiceGuest(await BenchHome.MakeAsync(settings, place, volume + (256L << 20), cancellation), size);
        try
        {
            var disks = await NewDisksAsync($"{guest.HomePath}/d", cancellation);
            var definition = DomainXml.Parse(GuestXml.Write(Name, size, disks), new IdSource(RandomNumberGenerator.Fill));
            await guest.RunAsync(new DefineDomain(definition), cancellation);
            await guest.RunAsync(new StartDomain(Name, Paused: false), cancellation);
            if (await guest.PiecesAsync(cancellation) is null && place is not MemoryPlace.None)
            {
                throw new InvalidOperationException("the guest's RAM is no file that can be cloned: there is no room on the volume?");
            }

            await guest.PrepareAsync(size, cancellation);
            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    public async Task<OperationResult> RunAsync(Request request, CancellationToken cancellation)
    {
        var result = await Home.RunAsync(request, new RunOptions(), cancellation);
        foreach (var warning in result.Warnings)
        {
            Progress.Say($"{request.Operation} warns: {warning}");
        }

        return result;
    }

    public Task<OperationResult> CheckpointAsync(string snapshot, CancellationToken cancellation, bool isLive = false) =>
        RunAsync(new CreateSnapshot(Name) { Name = snapshot, Live = isLive }, cancellation);

    public Task<OperationResult> RevertAsync(string snapshot, CancellationToken cancellation) =>
        RunAsync(new RevertSnapshot(Name, snapshot, RevertState.AsTaken, DiscardCurrent: true, Force: false), cancellation);

    /// <summary>
    /// Deletes the oldest snapshots until the next checkpoint fits: on a slow machine a guest under load dirties more between two of them
    /// than was reckoned with.
    /// </summary>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="most">How many snapshots stay at most.</param>
    public async Task KeepRoomAsync(CancellationToken cancellation, int most = int.MaxValue)
    {
        while (true)
        {
            var snapshots = (await Home.ShowAsync(Name, cancellation)).Catalog.Snapshots.Values;
            var volume = await Home.ShowVolumeAsync(cancellation);
            var isTight = volume is not null && volume.Free.Bytes < _size.RamBytes + _size.RoundBytes + (volume.Capacity.Bytes / 20);
            if (snapshots.MinBy(s => s.CreatedAt) is not { } oldest || (!isTight && snapshots.Count() <= most))
            {
                return;
            }

            await RunAsync(new DeleteSnapshot(Name, [oldest.Name]) { Wait = true }, cancellation);
        }
    }

    /// <summary>In how many pieces its RAM lies; null if it is no file that can be cloned.</summary>
    public async Task<int?> PiecesAsync(CancellationToken cancellation) =>
        (await Home.ShowMemoryAsync(Name, cancellation)).Ram?.Extents;

    public override Task SuspendAsync(CancellationToken cancellation) => RunAsync(new PauseDomain(Name), cancellation);

    public override Task ResumeAsync(CancellationToken cancellation) => RunAsync(new ResumeDomain(Name), cancellation);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _place.DisposeAsync();
    }

    protected override Task<string> FindWitnessAsync(CancellationToken cancellation) => FindWitnessAsync(Name, cancellation);

    /// <summary>The socket of the witness of another domain in its home.</summary>
    public async Task<string> FindWitnessAsync(string domain, CancellationToken cancellation)
    {
        // The link may be longer than the 107 bytes that the address of a socket has; what it points at is short.
        var endpoint = $"{(await Home.ShowAsync(domain, cancellation)).Folder.Endpoints}/{WitnessGuest.PortName}";
        return new FileInfo(endpoint).LinkTarget ?? endpoint;
    }
}
