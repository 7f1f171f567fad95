using Coppice.Core;

namespace Coppice.Engine;

/// <summary>The first line of a journal: all that recovery needs, since every step carries its arguments.</summary>
internal sealed record JournalHeader(int Version, Plan Plan);

/// <summary>What a line of a journal after the first one says.</summary>
internal enum JournalMark
{
    /// <summary>The step is about to begin.</summary>
    Intended,

    /// <summary>The step took effect.</summary>
    Applied,

    /// <summary>The step is known to have taken no effect, although it was about to begin.</summary>
    NotApplied,

    /// <summary>The step was taken back.</summary>
    Undone,

    /// <summary>The operation stands, whatever the catalog says by now.</summary>
    Committed,
}

/// <summary>A line of a journal after the first one.</summary>
/// <param name="Mark">What happened.</param>
/// <param name="Step">The step's place in the plan; null for <see cref="JournalMark.Committed"/>.</param>
internal sealed record JournalEntry(JournalMark Mark, int? Step);
