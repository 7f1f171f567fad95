namespace Coppice.Core;

/// <summary>
/// Find out whether a guest comes up from a snapshot: a fork is made of it without a cable to any network, let run, watched, and
/// thrown away again. The domain may run, and goes on as it does.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
/// <param name="Patience">How long the guest is watched, unless its agent answers before.</param>
public sealed record TrySnapshot(string Domain, string Snapshot, TimeSpan Patience)
    : DomainRequest("snapshot verify --boot", Domain);
