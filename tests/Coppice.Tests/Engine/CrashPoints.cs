using System.Globalization;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>What a crash at one point would leave.</summary>
/// <param name="Label">The point.</param>
/// <param name="Disk">The files, as the kernel has them: what a killed manager leaves.</param>
/// <param name="Flushed">The files that were flushed: what a loss of power leaves.</param>
/// <param name="Flushing">What is flushed so far, for a crash that follows on this one.</param>
/// <param name="Host">The machine.</param>
/// <param name="Acknowledged">The last number that the guest was told is safe.</param>
/// <param name="TornJournal">The journal whose last line is just being written.</param>
internal sealed record CrashState(
    string Label, DiskImage Disk, DiskImage Flushed, FlushedDisk Flushing, FakeHostState Host, long Acknowledged, string? TornJournal)
{
    public string Key => $"{Disk.Text}\n{Flushed.Text}\n{HostKey(Host)}\n{TornJournal}";

    /// <summary>What recovery finds.</summary>
    public string KeyAfter(bool power) => power
        ? $"{Flushed.Text}\n{HostKey(Host with { Processes = Host.Processes.Clear(), Merges = Host.Merges.Clear() })}\n{Newest}"
        : $"{Disk.Text}\n{HostKey(Host)}";

    /// <summary>The images that the last number is in: whoever leads to others has lost it.</summary>
    private string Newest => string.Join(';', Host.Images.Where(i => i.Value.Blocks.ContainsValue(Acknowledged)).Select(i => i.Key));

    private static string HostKey(FakeHostState host) => string.Join(
        '|',
        string.Join(';', host.Images.Select(ImageKey)),
        string.Join(';', host.Memories),
        string.Join(';', host.Processes.OrderBy(p => p.Key.Value).Select(ProcessKey)),
        string.Join(';', host.Merges.OrderBy(m => m.Key.Value).Select(m => $"{m.Key} {m.Value.Process} {m.Value.IsReady} {m.Value.IsDone}")));

    private static string ImageKey(KeyValuePair<string, FakeImage> image) => string.Create(
        CultureInfo.InvariantCulture,
        $"{image.Key} {image.Value.Backing} {image.Value.VirtualSize.Bytes} {string.Join(',', image.Value.Internals.Keys)}");

    private static string ProcessKey(KeyValuePair<ShortId, FakeProcess> named)
    {
        var process = named.Value;
        return $"{named.Key} {process.State} {process.IsFrozen} {process.Guard} {process.IsLeft} {process.WentOn} "
            + $"{string.Join(',', process.Drives)} {string.Join(',', process.Cards)} {string.Join(',', process.Pulled)} "
            + string.Join(',', process.Taps);
    }
}

/// <summary>
/// Runs something once and keeps what a crash would leave at each point: before every act on a file or folder, before every
/// act on the machine, at every event of the engine. Between any two points the guest goes on writing.
/// </summary>
internal sealed class CrashPoints
{
    private readonly World _world;
    private readonly FlushedDisk _flushed;
    private readonly List<CrashState> _states = [];
    private readonly HashSet<string> _seen = [];
    private readonly Func<bool> _wanted;
    private long _acknowledged;

    private CrashPoints(World world, long acknowledged, FlushedDisk? flushed, Func<bool> wanted)
    {
        _wanted = wanted;
        _world = world;
        _flushed = flushed?.Copy() ?? new FlushedDisk(world.Path1, DiskImage.Read(world.Path1));
        _acknowledged = acknowledged;
    }

    /// <param name="world">Where.</param>
    /// <param name="acknowledged">What the guest has been told is safe.</param>
    /// <param name="run">What to do.</param>
    /// <param name="flushed">What is flushed at first; null if everything is.</param>
    /// <param name="wanted">Asked at each point whether to keep it; null keeps all.</param>
    public static async Task<IReadOnlyList<CrashState>> CollectAsync(
        World world, long acknowledged, Func<Action<OperationEvent>, Task> run, FlushedDisk? flushed = null, Func<bool>? wanted = null)
    {
        var points = new CrashPoints(world, acknowledged, flushed, wanted ?? (() => true));
        FileActs.Observer = points.Before;
        world.Host.Acting = what => points.Pass(what, null);
        try
        {
            await run(e => points.Pass($"{e.Point} {e.Step?.Kind}", null));
            points.Pass("end", null);
        }
        finally
        {
            FileActs.Observer = null;
            world.Host.Acting = null;
        }

        return points._states;
    }

    private void Before(FileAct act, string path)
    {
        // First, what was done before: then the point, which is before this act.
        Pass($"{act} {path}", act is FileAct.Flush && path.EndsWith(".jsonl", StringComparison.Ordinal) ? path : null);
        _flushed.Before(act, path);
    }

    private void Pass(string label, string? journal)
    {
        _world.Host.Tick();
        _acknowledged = Math.Max(_acknowledged, Acknowledged(_world));
        if (!_wanted())
        {
            _flushed.Complete();
            return;
        }

        var state = new CrashState(label, DiskImage.Read(_world.Path1), _flushed.Read(), _flushed.Copy(), _world.Host.State, _acknowledged, journal);
        if (_seen.Add(state.Key))
        {
            _states.Add(state);
        }
    }

    /// <summary>What the process of the old head has written; another of the same domain only repeats numbers.</summary>
    public static long Acknowledged(World world) =>
        world.Host.State.Processes.Values.Where(p => p.Domain == world.Watched).Select(p => p.Counter).DefaultIfEmpty().Max();
}
