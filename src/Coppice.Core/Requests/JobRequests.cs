namespace Coppice.Core;

/// <summary>Wait for merges, beginning those that wait, and finish them.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Job">The job; null for all.</param>
public sealed record WaitForJobs(string Domain, string? Job) : DomainRequest("job wait", Domain);

/// <summary>Give merges up: what was to be merged stays in two layers.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Job">The job; null for all.</param>
public sealed record CancelJobs(string Domain, string? Job) : DomainRequest("job cancel", Domain);

/// <summary>
/// Begin merges that wait, and new ones of layers without a name; try again to remove what could not be removed, and remove
/// definitions that nothing names.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
public sealed record CollectGarbage(string Domain) : DomainRequest("gc", Domain)
{
    /// <summary>Wait until the merges are done.</summary>
    public bool Wait { get; init; }

    /// <summary>Which images are written by new merges; null for what writes less (R199, R200).</summary>
    public MergeDirection? Direction { get; init; }
}

/// <summary>Finish a merge that is ready. Whoever comes next does so.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Job">The job.</param>
public sealed record FinishJob(string Domain, ShortId Job) : DomainRequest("merge", Domain);

/// <summary>
/// Give the file of a merged layer the name that was chosen. Whoever comes next does so, once nothing has it open.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Layer">The layer.</param>
public sealed record RenameLayer(string Domain, ShortId Layer) : DomainRequest("rename of a layer", Domain);
