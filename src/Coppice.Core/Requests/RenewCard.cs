namespace Coppice.Core;

/// <summary>
/// Replace a network card by a new one with an address of its own, while the guest runs: it sees one go and another come. That of
/// a domain that is off is there at its next start.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Card">The card, by MAC address, or as <c>net0</c> by its place in the definition.</param>
/// <param name="IsUp">Whether the cable of the new one is plugged in.</param>
public sealed record RenewCard(string Domain, string Card, bool IsUp) : DomainRequest("link", Domain);
