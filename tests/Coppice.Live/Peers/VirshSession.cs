using System.Collections.Immutable;
using System.Diagnostics;
using Coppice.Live.Cli;

namespace Coppice.Live.Peers;

/// <summary>What a peer answered to a line.</summary>
/// <param name="Chapter">The chapter of the line.</param>
/// <param name="Line">The line.</param>
/// <param name="ExitCode">How virsh ended.</param>
/// <param name="Text">What it said, normalised.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record VirshAnswer(VirshChapter Chapter, VirshLine Line, int ExitCode, ImmutableArray<string> Text, TimeSpan Elapsed);

/// <summary>The script, run by one virsh against one peer.</summary>
public sealed class VirshSession
{
    // Time for an event to arrive, or for a client to ask for events.
    private static readonly TimeSpan s_settling = TimeSpan.FromMilliseconds(400);

    private static readonly VirshLine s_names = Command("list", "--all", "--name");

    private readonly List<VirshAnswer> _answers = [];
    private readonly VirshClient _client;
    private readonly VirshPeer _peer;

    private VirshSession(VirshClient client, VirshPeer peer)
    {
        _client = client;
        _peer = peer;
    }

    /// <summary>Runs all chapters.</summary>
    /// <param name="client">The virsh.</param>
    /// <param name="start">Starts the peer; again after a chapter that left a domain that virsh cannot remove.</param>
    public static async Task<ImmutableArray<VirshAnswer>> RunAsync(VirshClient client, Func<Task<VirshPeer>> start)
    {
        var answers = new List<VirshAnswer>();
        var peer = await start();
        try
        {
            foreach (var chapter in VirshScript.Read())
            {
                var session = new VirshSession(client, peer);
                await session.PrepareAsync();
                await session.RunAsync(chapter);
                answers.AddRange(session._answers);
                if (!await session.ForgetAsync())
                {
                    await peer.DisposeAsync();
                    peer = await start();
                }
            }
        }
        finally
        {
            await peer.DisposeAsync();
        }

        return [.. answers];
    }

    private async Task RunAsync(VirshChapter chapter)
    {
        (VirshLine Line, Process Process)? beside = null;
        foreach (var line in chapter.Lines)
        {
            var start = Stopwatch.GetTimestamp();
            switch (line.Kind)
            {
                case VirshLineKind.Beside:
                    beside = (line, _client.Begin(_peer, line));
                    await Task.Delay(s_settling);
                    break;
                case VirshLineKind.Interrupt:
                    await Task.Delay(s_settling);
                    Note(chapter, beside!.Value.Line, await VirshClient.InterruptAsync(beside.Value.Process), start);
                    beside.Value.Process.Dispose();
                    break;
                default:
                    Note(chapter, line, await _client.RunAsync(_peer, line), start);
                    break;
            }
        }
    }

    private void Note(VirshChapter chapter, VirshLine line, CommandRun run, long start)
    {
        var text = VirshText.Normalise(run.Output, run.Errors, _peer, line.Arguments[0] is "list" or "domid");
        var told = line.Arguments[0] is "event" ? VirshText.OnceInARow(text) : text;
        _answers.Add(new VirshAnswer(chapter, line, run.ExitCode, [.. told], Stopwatch.GetElapsedTime(start)));
    }

    /// <summary>The folder as each chapter finds it.</summary>
    private async Task PrepareAsync()
    {
        if (Directory.Exists(_peer.Folder))
        {
            Directory.Delete(_peer.Folder, recursive: true);
        }

        Directory.CreateDirectory(_peer.Folder);
        VirshScript.WriteDocuments(_peer.Folder);
        foreach (var disk in (string[])["vda", "vdb", "vdc"])
        {
            await ShellAsync($"qemu-img create -q -f qcow2 @/{disk}.qcow2 64M");
        }
    }

    /// <summary>Ends and removes all domains that a chapter left, if virsh can.</summary>
    private async Task<bool> ForgetAsync()
    {
        foreach (var name in await NamesAsync())
        {
            await _client.RunAsync(_peer, Command("destroy", name));
            await _client.RunAsync(_peer, Command("undefine", name, "--managed-save", "--snapshots-metadata", "--checkpoints-metadata"));
        }

        return (await NamesAsync()).Length == 0;
    }

    private async Task<string[]> NamesAsync() =>
        (await _client.RunAsync(_peer, s_names)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static VirshLine Command(params string[] arguments) =>
        new(VirshLineKind.Command, "", string.Join(' ', arguments), null, [.. arguments]);

    private async Task ShellAsync(string command)
    {
        var run = await _client.RunAsync(_peer, new VirshLine(VirshLineKind.Shell, "", "", null, [command]));
        Assert.True(run.ExitCode == 0, run.Errors);
    }
}
