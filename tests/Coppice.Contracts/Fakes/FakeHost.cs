using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// A machine that outlives whoever manages it: images, memory images and virtual machines. Its guests count: every number
/// goes to RAM and to each writable disk, in lock-step, and before a guest writes the next one it checks that its disks
/// still hold the last one. A disk that went back without the RAM, or the other way round, makes it count a bad block.
/// </summary>
public sealed class FakeHost
{
    internal const int Blocks = 3;

    /// <summary>What every file takes on disk.</summary>
    public static readonly ByteCount FileSize = new(4096);

    private readonly Lock _acting = new();

    /// <summary>All there is.</summary>
    public FakeHostState State
    {
        get;
        set
        {
            var before = field;
            field = value;
            Events.Compare(before, value);
        }
    } = FakeHostState.New;

    /// <summary>Who watches its guests.</summary>
    public FakeEvents Events { get; } = new();

    /// <summary>Its memory volume; null if it has none.</summary>
    public NewMemoryVolume? Volume { get; set; }

    /// <summary>Folders on a file system of their own: no link leads there or away.</summary>
    public HashSet<string> Mounts { get; } = new(StringComparer.Ordinal);

    /// <summary>The run folders of processes that have ended by themselves, with the domains of these.</summary>
    public Dictionary<ShortId, DomainId> Deserted { get; } = [];

    /// <summary>The files on its memory volume that were the RAM of processes that have ended by themselves.</summary>
    public HashSet<string> LeftRams { get; } = new(StringComparer.Ordinal);

    /// <summary>The bridges and tap devices that there are.</summary>
    public HashSet<string> Networks { get; } = new(StringComparer.Ordinal);

    /// <summary>When images were written by somebody who is no guest of this machine.</summary>
    public Dictionary<string, DateTimeOffset> Modified { get; } = new(StringComparer.Ordinal);

    /// <summary>Told of everything that a driver is about to do to the machine. May throw, to let it fail.</summary>
    public Action<string>? Acting { get; set; }

    /// <summary>Whether guests obey their power button.</summary>
    public bool GuestsObey { get; set; } = true;

    /// <summary>Whether its driver can merge layers.</summary>
    public bool CanMerge { get; init; } = true;

    /// <summary>Whether an agent runs in each guest.</summary>
    public bool GuestsHaveAgents { get; set; } = true;

    /// <summary>Whether guests that are tried come up.</summary>
    public bool GuestsComeUp { get; set; } = true;

    /// <summary>The host's clock: how often time has passed.</summary>
    public long Now { get; private set; }

    /// <summary>Whether merges go on whenever somebody asks how far they have come, and not only as time passes.</summary>
    public bool MergesGoOnWhenAsked { get; set; }

    /// <summary>Whether merges end with an error.</summary>
    public bool MergesFail { get; set; }

    /// <summary>Whether processes answer when they are asked what they do.</summary>
    public bool ProcessesAnswer { get; set; } = true;

    /// <summary>Told whenever a process is asked what it does.</summary>
    public Action? Asked { get; set; }

    /// <summary>Called before images are read, which takes a while.</summary>
    public Func<Task>? Reading { get; set; }

    /// <summary>How much room is left for layers.</summary>
    public ByteCount Free { get; set; } = new(1L << 40);

    /// <summary>Whether whoever looks can see processes, as one in another PID namespace cannot.</summary>
    public bool ProcessesAreVisible { get; set; } = true;

    /// <summary>Gives an image another name.</summary>
    public void Link(string path, string name) => State = State.Linked(path, name);

    internal void Grow(ResizeArguments resize)
    {
        if (!IsGrown(resize))
        {
            if (State.Images[resize.Layer.Path].Type is StorageType.Block)
            {
                throw new CoppiceException(ErrorKind.Storage, resize.Layer.Path, "is a device, and only the host makes it larger");
            }

            Act($"grow {resize.Layer.Path}", s => s.With(resize.Layer.Path, i => i with { VirtualSize = resize.Size }));
        }
    }

    internal bool IsGrown(ResizeArguments resize) =>
        State.Images.TryGetValue(resize.Layer.Path, out var image) && image.VirtualSize.Bytes >= resize.Size.Bytes;

    /// <summary>Refuses an image that is missing, or that another process writes.</summary>
    internal void RequireFree(FakeDrive drive)
    {
        var chain = State.Chain(drive.Path).ToArray();
        if (chain.FirstOrDefault(p => !State.Images.ContainsKey(p)) is { } missing)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"image {missing}", "could not be opened: no such file");
        }

        var locked = State.Processes.Values.SelectMany(p => p.Drives).Any(d =>
            (d.IsWritable && chain.Contains(d.Path)) || (drive.IsWritable && State.Chain(d.Path).Contains(drive.Path)));
        var merged = State.Merges.Values.Where(m => m.IsGuestless)
            .Any(m => chain.Contains(m.Written) || (drive.IsWritable && m.Holds(drive.Path)));
        var mirrored = State.Mirrors.Values.Any(m => chain.Contains(m.Request.Target.Path));
        if (locked || merged || mirrored)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"image {drive.Path}", "failed to get a lock: another process uses it");
        }
    }

    internal FakeProcess? Find(ShortId process) => State.Processes.GetValueOrDefault(process);

    internal FakeProcess Require(ShortId process) => Find(process)
        ?? throw new CoppiceException(ErrorKind.Hypervisor, $"process {process}", "is gone");

    /// <summary>A process ends, and leaves nothing.</summary>
    internal void End(ShortId process, string how)
    {
        Act(how, s => s.Without(process));
        Deserted.Remove(process);
        LeftRams.RemoveWhere(r => Path.GetFileNameWithoutExtension(r) == $"{process}");
    }

    /// <summary>Images are about to be read.</summary>
    public Task ReadAsync() => Reading?.Invoke() ?? Task.CompletedTask;

    /// <summary>A driver changes something. Several may at a time.</summary>
    public void Act(string what, Func<FakeHostState, FakeHostState> change)
    {
        lock (_acting)
        {
            Acting?.Invoke(what);
            State = change(State);
        }
    }

    /// <summary>Time passes: every guest that runs writes its next number, and it is acknowledged.</summary>
    public void Tick()
    {
        Now++;
        foreach (var (id, process) in State.Processes.Where(p => p.Value is { State: DomainState.Running, IsFrozen: false }))
        {
            State = Write(State, id, process);
        }

        foreach (var job in State.Merges.Keys.OrderBy(k => k.Value).ToArray())
        {
            State = State.Merges[job].Advance(State);
        }

        foreach (var job in State.Mirrors.Keys.OrderBy(k => k.Value).ToArray())
        {
            State = State.Mirrors[job].Advance(State);
        }
    }

    /// <summary>The manager is killed; the guards that it had armed do their work.</summary>
    /// <returns>The folders that they have flushed.</returns>
    public ImmutableArray<string> ManagerDies()
    {
        var flushed = ImmutableArray.CreateBuilder<string>();
        foreach (var (_, guard) in Guards(_ => true).Where(g => HasActedOnCommitted(g.Process, g.Guard)))
        {
            flushed.Add(Path.GetDirectoryName(guard.Root)!);
        }

        return flushed.ToImmutable();
    }

    /// <summary>The manager lives on, but does nothing more for an operation: the guards that it had armed for it do their work.</summary>
    public void LetGo(ShortId operation)
    {
        foreach (var (id, guard) in Guards(g => g.Operation == operation))
        {
            HasActedOnCommitted(id, guard);
        }
    }

    private (ShortId Process, FakeGuard Guard)[] Guards(Func<FakeGuard, bool> which) =>
        [.. State.Processes.Where(p => p.Value.Guard is { } guard && which(guard)).Select(p => (p.Key, p.Value.Guard!))];

    /// <summary>A guard does its work.</summary>
    /// <returns>Whether it has found its operation committed.</returns>
    private bool HasActedOnCommitted(ShortId id, FakeGuard guard)
    {
        var committed = File.Exists(guard.Root)
            && File.ReadAllLines(guard.Root).Any(l => l.Contains($"\"last\": \"committed {guard.Operation}\"", StringComparison.Ordinal));
        State = committed ? Continue(State, guard.Successor, guard.SuccessorRuns) : Set(State, id, p => p with { State = guard.Then, IsLeft = false });
        State = Set(State, id, p => p with { Guard = null, IsFrozen = false });
        return committed;
    }

    /// <summary>The power fails: what runs is gone, what was acknowledged is on disk.</summary>
    public void LosePower() => State = State with { Processes = State.Processes.Clear(), Merges = State.Merges.Clear(), Mirrors = State.Mirrors.Clear() };

    /// <summary>Changes a process, if it lives.</summary>
    public static FakeHostState Set(FakeHostState state, ShortId id, Func<FakeProcess, FakeProcess> change) =>
        state.Processes.TryGetValue(id, out var process)
            ? state with { Processes = state.Processes.SetItem(id, change(process)) }
            : state;

    private static FakeHostState Continue(FakeHostState state, ShortId? process, bool runs) =>
        process is { } id ? Set(state, id, p => p with { State = runs ? DomainState.Running : DomainState.Paused }) : state;

    private static FakeHostState Write(FakeHostState state, ShortId id, FakeProcess process)
    {
        var next = process.Counter + 1;
        foreach (var drive in process.Drives.Where(d => d is { IsWritable: true, IsPlugged: true }))
        {
            var bad = state.Last(drive.Path) == process.Counter ? 0 : 1;
            var image = state.Images[drive.Path];
            state = state.With(drive.Path, i => i with { Blocks = image.Blocks.SetItem((int)(next % Blocks), next) }) with
            {
                Bad = state.Bad + bad,
            };
        }

        return Set(state, id, p => p with { Counter = next });
    }
}
