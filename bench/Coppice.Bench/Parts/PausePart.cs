using Coppice.Bench.Guests;
using Coppice.Bench.Results;

namespace Coppice.Bench.Parts;

/// <summary>How long a checkpoint lets a guest stand still, on every kind of memory volume and under virsh.</summary>
internal sealed class PausePart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "pause";

    // What a guest under load dirties between two checkpoints, and a little more.
    private const long GrowthPerRound = 250L << 20;

    // In memory there is less room; old snapshots go earlier.
    private const long LeastGrowth = 512L << 20;

    public async Task RunAsync()
    {
        foreach (var size in settings.Guests)
        {
            // Those that are compared take turns; what is on its own leaves the host's memory to one guest.
            await BesideVirshAsync(size);
            foreach (var place in (MemoryPlace[])[MemoryPlace.Volatile, MemoryPlace.Btrfs, MemoryPlace.None])
            {
                await AloneAsync(size, place);
            }
        }
    }

    private async Task BesideVirshAsync(GuestSize size)
    {
        var (rounds, virsh) = (settings.Rounds(10), settings.Rounds(size == GuestSize.Large ? 3 : 5));
        Progress.Say($"pause, {size}, XFS and virsh: booting");
        await using var ours = await CoppiceGuest.BootAsync(
            settings, MemoryPlace.Xfs, size, (rounds + virsh + 2) * GrowthPerRound, cancellation);
        await ours.SuspendAsync(cancellation);
        await using var theirs = await LibvirtGuest.BootAsync(settings, "theirs", size, isInternal: false, cancellation);
        await theirs.SuspendAsync(cancellation);
        await EachLoadAsync(size, [
            new(BenchHome.Subject(MemoryPlace.Xfs), ours, rounds, name => Checkpoints.ByLibraryAsync(ours, name, cancellation), KeepRoom),
            new(Checkpoints.Command, ours, virsh, name => Checkpoints.ByCommandAsync(settings, ours, name, cancellation), KeepRoom),
            new(Checkpoints.Virsh, theirs, virsh, name => Checkpoints.ByVirshAsync(theirs, name, isLive: false, cancellation), Forget),
            new(Checkpoints.VirshLive, theirs, virsh, name => Checkpoints.ByVirshAsync(theirs, name, isLive: true, cancellation), Forget),
        ]);

        Task KeepRoom(string name) => ours.KeepRoomAsync(cancellation);

        Task Forget(string name) => theirs.ForgetAsync(name, cancellation);
    }

    private async Task AloneAsync(GuestSize size, MemoryPlace place)
    {
        var rounds = settings.Rounds(place is MemoryPlace.None ? 3 : 10);
        Progress.Say($"pause, {size}, {BenchHome.Subject(place)}: booting");
        await using var guest = await CoppiceGuest.BootAsync(
            settings, place, size, place is MemoryPlace.Volatile ? LeastGrowth : (rounds + 2) * GrowthPerRound, cancellation);
        await guest.SuspendAsync(cancellation);
        var plain = new Contestant(
            BenchHome.Subject(place), guest, rounds, name => Checkpoints.ByLibraryAsync(guest, name, cancellation), KeepRoom);
        var live = new Contestant(
            Checkpoints.Background, guest, rounds, name => Checkpoints.ByLibraryAsync(guest, name, cancellation, isLive: true), KeepRoom);
        await EachLoadAsync(size, place is MemoryPlace.None ? [plain, live] : [plain]);

        Task KeepRoom(string name) => guest.KeepRoomAsync(cancellation);
    }

    private async Task EachLoadAsync(GuestSize size, Contestant[] contestants)
    {
        var rounds = new HeartbeatRounds(recorder, $"{size}", cancellation);
        foreach (var load in (Load[])[Load.Idle, Load.Dirtying])
        {
            Progress.Say($"pause, {size}, {load.Name}");
            await rounds.RunAsync(contestants, load);
        }
    }
}
