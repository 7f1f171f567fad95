using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Coppice.Live.Cli;
using Coppice.Live.Witness;

namespace Coppice.Live.Peers;

/// <summary>One of the virsh programs that <c>build/libvirt-peers</c> fetched.</summary>
/// <param name="Version">Which.</param>
/// <param name="Program">Where it is.</param>
public sealed record VirshClient(string Version, string Program)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    public static ImmutableArray<VirshClient> All { get; } = [At("9.0", "libvirt-9.0"), At("11.3", "virsh-11.3")];

    /// <summary>Runs one command against a peer. One that takes too long ends with 124, as <c>timeout</c> has it.</summary>
    public async Task<CommandRun> RunAsync(VirshPeer peer, VirshLine line)
    {
        using var process = Begin(peer, line);
        return await EndAsync(process);
    }

    /// <summary>Starts a command that runs on.</summary>
    public Process Begin(VirshPeer peer, VirshLine line)
    {
        var arguments = line.Arguments.Select(a => a.Replace("@", peer.Folder, StringComparison.Ordinal));
        var start = line.Kind is VirshLineKind.Shell
            ? new ProcessStartInfo("sh", ["-c", .. arguments])
            : new ProcessStartInfo(Program, ["-c", peer.Uri, .. arguments]);
        (start.RedirectStandardInput, start.RedirectStandardOutput, start.RedirectStandardError) = (true, true, true);
        start.WorkingDirectory = peer.Folder;
        foreach (var (name, value) in new[] { ("LC_ALL", "C"), ("TZ", "UTC"), ("HOME", peer.Folder), ("VISUAL", line.Editor ?? "false"), ("VIRSH", $"{Program} -q -c {peer.Uri}") })
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    /// <summary>Waits for the end of a command.</summary>
    public static async Task<CommandRun> EndAsync(Process process)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(s_limit);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            return new CommandRun(124, await output, await errors);
        }

        return new CommandRun(process.ExitCode, await output, await errors);
    }

    /// <summary>Ends a command as Ctrl-C does.</summary>
    public static async Task<CommandRun> InterruptAsync(Process process)
    {
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync();
        }

        return await EndAsync(process);
    }

    private static VirshClient At(string version, string folder) =>
        new(version, Path.Combine(WitnessGuest.RepositoryRoot(), "artifacts", folder, "bin/virsh"));
}
