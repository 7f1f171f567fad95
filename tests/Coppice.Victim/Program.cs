using Coppice.Core;
using Coppice.Engine;
using Coppice.Qemu;
using Coppice.Storage;
using Coppice.Victim;

// coppice-victim HOME MOMENT DOMAIN OPERATION [SNAPSHOT]
// Runs one operation and kills itself, with SIGKILL, at the moment; exits 0 if the moment never came.
using var moment = Moment.Parse(args[1], args[0]);
var home = Home.Open(new HomeOptions
{
    Path = args[0],
    Hypervisor = new QemuHypervisor(new QemuOptions { CacheFile = $"{args[0]}/cache/qemu.json" }, TimeProvider.System),
    Storage = new FileStorage(TimeProvider.System),
});
Request request = args[3] switch
{
    "create" => new CreateSnapshot(args[2]) { Name = args[4] },
    "create inside" => new CreateSnapshot(args[2])
    {
        Name = args[4],
        Memory = new MemoryRequest(MemoryMode.Internal),
        Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", DiskMode.Internal)],
    },
    "revert" => new RevertSnapshot(args[2], args[4], RevertState.AsTaken, DiscardCurrent: false, Force: false),
    "undo" => new UndoRevert(args[2]),
    "start" => new StartDomain(args[2], Paused: false),
    _ => throw new ArgumentException($"unknown operation '{args[3]}'"),
};
await home.RunAsync(request, new RunOptions { OnEvent = moment.Observe }, CancellationToken.None);
