using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Return to any tip, as an undo does to the newest; what is left becomes a tip in turn.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Tip">The tip, by id.</param>
/// <param name="Force">Also if memory and disk may not fit each other, or an image was written since it was frozen
/// (R180).</param>
public sealed record RevertToTip(string Domain, string Tip, bool Force) : DomainRequest("tips revert", Domain)
{
    /// <summary>Set the guest's clock if it goes on from the tip's memory.</summary>
    public bool SyncTime { get; init; }
}

/// <summary>Give up tips, with what only they reach.</summary>
/// <param name="Domain">Its name or uuid.</param>
public sealed record DropTips(string Domain) : DomainRequest("tips drop", Domain)
{
    /// <summary>Some, by id.</summary>
    public ImmutableArray<string> Tips { get; init; } = [];

    /// <summary>All that this does not keep; null for no others.</summary>
    public TipRetention? AllBut { get; init; }
}

/// <summary>State which tips a domain keeps. That is heeded whenever another one is made.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Retention">Which.</param>
public sealed record KeepTips(string Domain, TipRetention Retention) : DomainRequest("tips keep", Domain);
