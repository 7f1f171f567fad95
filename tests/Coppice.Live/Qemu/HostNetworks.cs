using System.Diagnostics;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Probing;

namespace Coppice.Live.Qemu;

/// <summary>Network devices of the host, which only root makes. Those of tests lead nowhere.</summary>
internal static class HostNetworks
{
    /// <summary>Skips the test, with the reason, where none can be made.</summary>
    public static void Require()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root makes tap devices and bridges");
        Assert.SkipUnless(SearchPath.Find("ip") is not null, "ip is not installed: apt-get install iproute2");
        Assert.SkipUnless(File.Exists(NetworkCalls.Source), $"the kernel has no {NetworkCalls.Source}");
    }

    public static async Task IpAsync(params string[] arguments)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        var errors = await ip.StandardError.ReadToEndAsync(CancellationToken.None);
        await ip.WaitForExitAsync(CancellationToken.None);
        Assert.True(ip.ExitCode == 0, $"ip {string.Join(' ', arguments)}: {errors}");
    }
}
