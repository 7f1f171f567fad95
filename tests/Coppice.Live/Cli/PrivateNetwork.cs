using System.Diagnostics;
using System.Globalization;
using Coppice.Live.Qemu;

namespace Coppice.Live.Cli;

/// <summary>
/// A network namespace of its own, with no way out. It lives as long as the process that holds it, and that one as long as its
/// standard input: it ends with the test, however that ends, and takes its devices with it.
/// </summary>
internal sealed class PrivateNetwork : IAsyncDisposable
{
    private readonly Process _holder;

    private PrivateNetwork(Process holder)
    {
        _holder = holder;
        Enter = ["nsenter", "-t", holder.Id.ToString(CultureInfo.InvariantCulture), "-n"];
    }

    /// <summary>What a command begins with that is to run in it.</summary>
    public string[] Enter { get; }

    /// <summary>Makes one and runs commands of <c>ip</c> in it.</summary>
    public static async Task<PrivateNetwork> MakeAsync(params string[] devices)
    {
        HostNetworks.Require();
        var holder = Process.Start(new ProcessStartInfo("unshare", ["-n", "sh", "-c", "echo ready; exec cat >/dev/null"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var network = new PrivateNetwork(holder);
        try
        {
            var ready = await holder.StandardOutput.ReadLineAsync(Cancellation);
            Assert.SkipWhen(ready is null, "this user or kernel makes no network namespaces");
            foreach (var command in devices.Prepend("link set lo up"))
            {
                await network.IpAsync(command);
            }

            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public async Task<string> IpAsync(string command)
    {
        var (exit, output) = await RunAsync(["ip", .. command.Split(' ')]);
        Assert.True(exit == 0, $"ip {command}: {output}");
        return output;
    }

    /// <summary>The tap devices on a bridge.</summary>
    public async Task<string[]> PortsAsync(string bridge) =>
        [.. (await IpAsync($"-o link show master {bridge}")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(':')[1].Trim())];

    /// <summary>Whether an address answers one of some echo requests; how many says how patient the test is.</summary>
    public async Task<bool> AnswersAsync(string address, int attempts)
    {
        for (var attempt = 0; attempt < attempts; attempt++)
        {
            if ((await RunAsync(["busybox", "ping", "-c", "1", "-W", "1", address])).Exit == 0)
            {
                return true;
            }
        }

        return false;
    }

    public async ValueTask DisposeAsync()
    {
        _holder.StandardInput.Close();
        await _holder.WaitForExitAsync();
        _holder.Dispose();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private async Task<(int Exit, string Output)> RunAsync(string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(Enter[0], [.. Enter[1..], .. command])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return (process.ExitCode, output + await errors);
    }
}
