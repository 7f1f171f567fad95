namespace Coppice.Core;

/// <summary>
/// Mend what a check finds and can be mended without losing anything: what interrupted commands left goes, unused clusters are
/// given back.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Orphans">Also remove files that no catalog names, although a forgotten snapshot may have kept them.</param>
public sealed record RepairDomain(string Domain, bool Orphans) : DomainRequest("check --repair", Domain);
