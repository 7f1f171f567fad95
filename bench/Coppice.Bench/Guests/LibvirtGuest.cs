using Coppice.Bench.Host;

namespace Coppice.Bench.Guests;

/// <summary>The guest under libvirt, driven by virsh.</summary>
internal sealed class LibvirtGuest : Guest
{
    private readonly string _name;
    private readonly string _folder;

    private LibvirtGuest(string name, string folder)
    {
        _name = name;
        _folder = folder;
    }

    /// <summary>Boots one.</summary>
    /// <param name="settings">Where.</param>
    /// <param name="name">What it is called.</param>
    /// <param name="size">Its size.</param>
    /// <param name="isInternal">Its snapshots are inside its images: libvirt 9 reverts to no others.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<LibvirtGuest> BootAsync(
        Settings settings, string name, GuestSize size, bool isInternal, CancellationToken cancellation)
    {
        var guest = new LibvirtGuest(name, $"{settings.Work}/{name}");
        try
        {
            var disks = await NewDisksAsync(guest._folder, cancellation);
            await File.WriteAllTextAsync($"{guest._folder}.xml", GuestXml.Write(name, size, disks, guest.Socket, isInternal), cancellation);
            await VirshAsync(cancellation, "define", $"{guest._folder}.xml");
            await VirshAsync(cancellation, "start", name);
            await guest.PrepareAsync(size, cancellation);
            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    private string Socket => $"{_folder}/witness";

    private string MemoryFile(string snapshot) => $"{_folder}/{snapshot}.mem";

    public override Task SuspendAsync(CancellationToken cancellation) => VirshAsync(cancellation, "suspend", _name);

    public override Task ResumeAsync(CancellationToken cancellation) => VirshAsync(cancellation, "resume", _name);

    /// <summary>An external checkpoint: memory and overlays in files.</summary>
    /// <returns>How long the command took.</returns>
    public Task<TimeSpan> CheckpointAsync(string snapshot, bool isLive, CancellationToken cancellation) => VirshAsync(
        cancellation,
        [
            "snapshot-create-as", _name, snapshot, "--memspec", $"file={MemoryFile(snapshot)}",
            "--diskspec", $"vda,file={_folder}/vda.{snapshot}", "--diskspec", $"vdb,file={_folder}/vdb.{snapshot}",
            .. isLive ? ["--live"] : Array.Empty<string>(),
        ]);

    /// <summary>The room that the memory of a checkpoint takes, in bytes.</summary>
    public long MemoryBytes(string snapshot) => new FileInfo(MemoryFile(snapshot)).Length;

    /// <summary>Forgets a checkpoint, and removes its memory. The overlays stay, because the guest writes to them.</summary>
    public async Task ForgetAsync(string snapshot, CancellationToken cancellation)
    {
        await VirshAsync(cancellation, "snapshot-delete", _name, snapshot, "--metadata");
        File.Delete(MemoryFile(snapshot));
    }

    /// <summary>A snapshot inside the images.</summary>
    public Task<TimeSpan> SaveInsideAsync(string snapshot, CancellationToken cancellation) =>
        VirshAsync(cancellation, "snapshot-create-as", _name, snapshot);

    public Task<TimeSpan> RevertAsync(string snapshot, CancellationToken cancellation) =>
        VirshAsync(cancellation, "snapshot-revert", _name, snapshot);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        foreach (var command in (string[][])[["destroy", _name], ["undefine", _name, "--snapshots-metadata"]])
        {
            await HostCommand.TryReadAsync("virsh", command);
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        File.Delete($"{_folder}.xml");
    }

    protected override Task<string> FindWitnessAsync(CancellationToken cancellation) => Task.FromResult(Socket);

    private static async Task<TimeSpan> VirshAsync(CancellationToken cancellation, params string[] arguments) =>
        (await HostCommand.RunAsync("virsh", ["-q", .. arguments], cancellation)).Elapsed;
}
