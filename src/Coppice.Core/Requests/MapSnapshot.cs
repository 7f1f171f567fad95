namespace Coppice.Core;

/// <summary>
/// Make the memory of a snapshot, kept as a stream, an image that reverts and forks map, so that they do not wait for RAM. Nothing happens if
/// it is one. The guest runs on meanwhile.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
public sealed record MapSnapshot(string Domain, string Snapshot) : DomainRequest("snapshot map", Domain);
