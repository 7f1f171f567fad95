namespace Coppice.Core;

/// <summary>What a snapshot document says of the domain (R25, R138): the values of <c>&lt;state&gt;</c>.</summary>
public enum SnapshotState
{
    /// <summary><c>running</c>.</summary>
    Running,

    /// <summary><c>blocked</c>: running, waiting for a resource.</summary>
    Blocked,

    /// <summary><c>paused</c>.</summary>
    Paused,

    /// <summary><c>shutdown</c>: running, about to be off.</summary>
    Shutdown,

    /// <summary><c>shutoff</c>.</summary>
    Shutoff,

    /// <summary><c>crashed</c>.</summary>
    Crashed,

    /// <summary><c>disk-snapshot</c>: active, but its memory was not kept.</summary>
    DiskSnapshot,
}

/// <summary>The words for <see cref="SnapshotState"/>.</summary>
internal static class SnapshotStates
{
    private static readonly (SnapshotState State, string Word)[] s_words =
    [
        (SnapshotState.Running, "running"),
        (SnapshotState.Blocked, "blocked"),
        (SnapshotState.Paused, "paused"),
        (SnapshotState.Shutdown, "shutdown"),
        (SnapshotState.Shutoff, "shutoff"),
        (SnapshotState.Crashed, "crashed"),
        (SnapshotState.DiskSnapshot, "disk-snapshot"),
    ];

    /// <summary>All words, for an error.</summary>
    public static string Known => string.Join(", ", s_words.Select(w => w.Word));

    /// <summary>The word for a state.</summary>
    public static string Word(SnapshotState state) => s_words.First(w => w.State == state).Word;

    /// <summary>The state of a word; null if there is none.</summary>
    public static SnapshotState? Parse(string word) =>
        s_words.Where(w => w.Word == word).Select(w => (SnapshotState?)w.State).FirstOrDefault();

    /// <summary>Whether a snapshot in this state has no memory (R96, R136).</summary>
    public static bool HasNoMemory(SnapshotState state) => state is SnapshotState.Shutoff or SnapshotState.DiskSnapshot;

    /// <summary>What the domain was doing, as far as a document says.</summary>
    public static DomainState DomainOf(SnapshotState? state) => state switch
    {
        SnapshotState.Shutoff => DomainState.Off,
        SnapshotState.Paused => DomainState.Paused,
        SnapshotState.Crashed => DomainState.Crashed,
        _ => DomainState.Running,
    };

    /// <summary>
    /// The word for one of our snapshots. The schema has none for a guest that sleeps, for an I/O error or for a managed
    /// save: such a domain stands still, so with its memory it is paused.
    /// </summary>
    public static SnapshotState Of(Snapshot snapshot) => Of(snapshot.State, snapshot.Memory.Mode);

    /// <summary>The same, of what the domain was doing and where its memory is.</summary>
    public static SnapshotState Of(DomainState state, MemoryMode memory) => (state, memory) switch
    {
        (DomainState.Off, _) => SnapshotState.Shutoff,
        (_, MemoryMode.None) => SnapshotState.DiskSnapshot,
        (DomainState.Running, _) => SnapshotState.Running,
        (DomainState.Crashed, _) => SnapshotState.Crashed,
        _ => SnapshotState.Paused,
    };
}
