using System.Globalization;
using Coppice.Bench.Host;
using Coppice.Bench.Results;
using Coppice.Bench.Wire;
using Coppice.Live.Peers;

namespace Coppice.Bench.Parts;

/// <summary>
/// How long virsh takes against libvirtd, against Coppice, and against a server that answers at once what Coppice answered.
/// </summary>
internal sealed class VirshPart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "virsh", Total = "total";
    public const string Libvirtd = "libvirtd", Coppice = "coppice serve", Floor = "floor";
    public const int Snapshots = 1_000;

    private const int WarmUp = 3;

    /// <summary>What virsh is asked, by the name that tables have for it.</summary>
    public static IReadOnlyList<(string Name, string[] Arguments)> Commands { get; } =
    [
        ("snapshot-list", ["snapshot-list", LargeCatalog.Name]),
        ("snapshot-list --tree", ["snapshot-list", LargeCatalog.Name, "--tree"]),
        ("snapshot-dumpxml", ["snapshot-dumpxml", LargeCatalog.Name, "branch-500"]),
        ("list --all", ["list", "--all"]),
    ];

    public async Task RunAsync()
    {
        var (home, libvirtd) = ($"{settings.Work}/v", Environment.GetEnvironmentVariable("LIBVIRT_DEFAULT_URI")!);
        Progress.Say($"virsh, making {Snapshots} snapshots");
        await using var catalog = await LargeCatalog.MakeAsync(home, Snapshots, cancellation);
        await using var ours = await CoppiceServe.StartAsync($"{settings.Work}/s", settings.Command, home);
        await using var domains = new VirshDomains(Directory.CreateDirectory($"{settings.Work}/x").FullName, cancellation);
        await domains.AddSmallAsync(ours.Uri);
        await domains.AddSmallAsync(libvirtd);
        try
        {
            await domains.CopyLargeAsync(ours.Uri, libvirtd);
            await CompareAsync(domains, ours, libvirtd);
        }
        finally
        {
            await HostCommand.TryReadAsync("virsh", "-c", libvirtd, "undefine", LargeCatalog.Name, "--snapshots-metadata");
        }
    }

    private async Task CompareAsync(VirshDomains domains, CoppiceServe ours, string libvirtd)
    {
        var recording = new CallRecording();
        await RecordAsync(domains, ours, libvirtd, recording);
        var socket = $"{settings.Work}/floor";
        await using var floor = new FloorServer(socket, recording);
        (string Subject, string Uri)[] servers = [(Libvirtd, libvirtd), (Coppice, ours.Uri), (Floor, Uri(socket))];

        Progress.Say("virsh");
        var load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        for (var round = -WarmUp; round < settings.Rounds(15, 3); round++)
        {
            foreach (var (command, arguments) in Commands)
            {
                // Who comes first finds other caches than who comes last.
                for (var i = 0; i < servers.Length; i++)
                {
                    var (subject, uri) = servers[(i + round + WarmUp) % servers.Length];
                    var (elapsed, _) = await domains.RunAsync(uri, arguments);
                    if (round >= 0)
                    {
                        recorder.Add(subject, command, "", Total, elapsed);
                    }
                }
            }

            Progress.Dot();
        }

        recorder.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"The load of the machine, this part included, was {load} before and {File.ReadAllText("/proc/loadavg").Split(' ')[0]} after; it has {Environment.ProcessorCount} processors."));
        if (floor.Unknown is { } unknown)
        {
            throw new InvalidOperationException($"the floor was asked what Coppice was not: {unknown}");
        }
    }

    /// <summary>Every command once, also to see that both servers say the same.</summary>
    private async Task RecordAsync(VirshDomains domains, CoppiceServe ours, string libvirtd, CallRecording recording)
    {
        var socket = $"{settings.Work}/relay";
        await using var relay = new RecordingRelay(socket, ours.Socket, recording);
        foreach (var (command, arguments) in Commands)
        {
            var (said, theirs) = ((await domains.RunAsync(Uri(socket), arguments)).Output, (await domains.RunAsync(libvirtd, arguments)).Output);
            if (command.StartsWith("snapshot-list", StringComparison.Ordinal) ? said != theirs : said.Split('\n').Length != theirs.Split('\n').Length && command == "list --all")
            {
                throw new InvalidOperationException($"virsh {command}: Coppice and libvirtd do not say the same:\n{said}\n{theirs}");
            }
        }
    }

    private static string Uri(string socket) => $"qemu+unix:///system?socket={socket}";
}
