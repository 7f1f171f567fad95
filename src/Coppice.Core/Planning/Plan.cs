using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Coppice.Core;

/// <summary>
/// What an operation will do, complete before anything is touched.
/// <list type="number">
/// <item><see cref="Prepare"/>: makes new things that nobody uses yet; all of it can be undone.</item>
/// <item><see cref="Switch"/>: the one step in which the guest stands still, or the one that cannot be undone.</item>
/// <item><see cref="Commit"/>: the root of the catalog is replaced. Before it the operation can be undone, after it only finished.</item>
/// <item><see cref="CleanUp"/>: can be repeated; whatever destroys comes only here.</item>
/// </list>
/// </summary>
public sealed record Plan
{
    /// <summary>The operation.</summary>
    public required ShortId Id { get; init; }

    /// <summary>What is done, in the words of the command line: <c>snapshot create</c>.</summary>
    public required string Operation { get; init; }

    /// <summary>The domain.</summary>
    public required DomainId Domain { get; init; }

    /// <summary>The way it is done, e.g. <c>external memory (stream) + external disks, R133</c>.</summary>
    public required string Mechanism { get; init; }

    /// <summary>
    /// What the catalog says before the first step, and goes on saying if the rest fails: a guest that may be let run is no
    /// longer what a snapshot has (R168). For commands that commit nothing themselves.
    /// </summary>
    [JsonIgnore]
    public CatalogChange? Mark { get; init; }

    /// <summary>Makes what will be needed.</summary>
    public ImmutableArray<Step> Prepare { get; init; } = [];

    /// <summary>Moves the guest.</summary>
    public Step? Switch { get; init; }

    /// <summary>What the catalog becomes; null if the operation leaves it alone.</summary>
    public CatalogChange? Commit { get; init; }

    /// <summary>
    /// What the catalog becomes if the operation fails after the guest had moved to new layers: the head follows the guest,
    /// the reference is not made. Null if the switch can be taken back.
    /// </summary>
    public CatalogChange? RollForward { get; init; }

    /// <summary>Finishes and destroys, after the commit.</summary>
    public ImmutableArray<Step> CleanUp { get; init; } = [];

    /// <summary>There is no domain and no catalog before the commit: whoever undoes the plan leaves no folder either.</summary>
    public bool MakesDomain { get; init; }

    /// <summary>What the user should know before agreeing.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>All steps in order.</summary>
    [JsonIgnore]
    public ImmutableArray<Step> Steps => Switch is null ? [.. Prepare, .. CleanUp] : [.. Prepare, Switch, .. CleanUp];

    /// <summary>How many of <see cref="Steps"/> come before the commit; what follows is clean-up.</summary>
    [JsonIgnore]
    public int StepsBeforeCommit => Prepare.Length + (Switch is null ? 0 : 1);

    /// <summary>How long the guest is expected to stand still in all.</summary>
    [JsonIgnore]
    public TimeSpan ExpectedPause => Steps.Aggregate(TimeSpan.Zero, (sum, step) => sum + step.ExpectedPause);
}
