using System.Diagnostics;
using Coppice.Live.Witness;

namespace Coppice.Live.Peers;

/// <summary>
/// A libvirtd that nobody else sees (<c>lab/libvirtd</c>). It lives as long as its standard input: it ends with the test, however
/// that ends, and takes its guests with it.
/// </summary>
public sealed class PrivateLibvirtd : VirshPeer
{
    private readonly Process _holder;

    private readonly string _place;

    private PrivateLibvirtd(Process holder, string place)
    {
        _holder = holder;
        _place = place;
    }

    public override string Folder => Path.Combine(_place, "f");

    public override string Socket => Path.Combine(_place, "libvirt-sock");

    /// <summary>Skips the test, with the reason, where libvirtd cannot be run.</summary>
    public static void Require()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "a libvirtd of one's own takes namespaces and mounts: root only");
        foreach (var client in VirshClient.All)
        {
            Assert.SkipUnless(File.Exists(client.Program), $"{client.Program} is not there: run build/libvirt-peers, which also says why it cannot be");
        }
    }

    /// <summary>Starts one, in a folder that is not there yet.</summary>
    public static async Task<PrivateLibvirtd> StartAsync(string place)
    {
        Directory.CreateDirectory(place);
        var start = new ProcessStartInfo(Path.Combine(WitnessGuest.RepositoryRoot(), "lab/libvirtd"), [place])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = place,
        };
        var peer = new PrivateLibvirtd(Process.Start(start)!, place);
        if (await peer._holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) == "ready")
        {
            return peer;
        }

        var errors = await peer._holder.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await peer.DisposeAsync();
        Assert.Skip($"no libvirtd can be run here: {errors.Trim()}");
        throw new UnreachableException();
    }

    public override async ValueTask DisposeAsync()
    {
        _holder.StandardInput.Close();
        await _holder.WaitForExitAsync();
        _holder.Dispose();
        Directory.Delete(_place, recursive: true);
    }
}
