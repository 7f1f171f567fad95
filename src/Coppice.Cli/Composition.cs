using Coppice.Core;
using Coppice.Qemu;
using Coppice.Storage;

namespace Coppice.Cli;

/// <summary>The one place that names concrete drivers. Making one probes nothing: it is asked when it is needed.</summary>
internal static class Composition
{
    public static Drivers Drivers(HomeFolder home, TimeProvider time) => new(
        new QemuHypervisor(new QemuOptions { CacheFile = $"{home.Path}/cache/qemu.json" }, time),
        new FileStorage(time));
}
