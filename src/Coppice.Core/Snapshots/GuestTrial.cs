namespace Coppice.Core;

/// <summary>How the trial of a guest ended.</summary>
public enum TrialEnd
{
    /// <summary>The agent in it answered.</summary>
    Answers,

    /// <summary>
    /// Nothing spoke against it: it ran all the time, did not reset itself for good, panic or end, and one that boots from its
    /// disks has read more of them than firmware does. What it shows on its screen nobody has seen.
    /// </summary>
    Runs,

    /// <summary>It did not come up.</summary>
    Failed,
}

/// <summary>What became of a guest that was let run to see whether it comes up.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Problem">What was seen; empty if there is nothing to add.</param>
public sealed record GuestTrial(TrialEnd End, string Problem = "");
