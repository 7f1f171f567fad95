using Coppice.Core;
using Coppice.Engine;
using Coppice.Qemu;
using Coppice.Storage;
using Coppice.Victim;

// coppice-victim HOME MOMENT DOMAIN OPERATION [SNAPSHOT]
// Runs one operation and kills itself, with SIGKILL, at the moment; exits 0 if the moment never came, 1 if it was refused.
using var moment = Moment.Parse(args[1], args[0]);
var home = Home.Open(new HomeOptions
{
    Path = args[0],
    Hypervisor = new QemuHypervisor(new QemuOptions { CacheFile = $"{args[0]}/cache/qemu.json" }, TimeProvider.System),
    Storage = new FileStorage(TimeProvider.System),
});
var request = Operations.Of(args[3], args[2], args.ElementAtOrDefault(4));
try
{
    await home.RunAsync(request, new RunOptions { OnEvent = moment.Observe }, CancellationToken.None);
    return 0;
}
catch (CoppiceException e)
{
    Console.Error.WriteLine(e);
    return 1;
}
