namespace Coppice.Core;

/// <summary>Who has which address.</summary>
/// <param name="domain">The domain, for messages.</param>
/// <param name="comparer">When two addresses are the same; null if they are equal.</param>
internal sealed class AddressBook<TAddress>(string domain, IEqualityComparer<TAddress>? comparer = null)
    where TAddress : notnull
{
    private readonly Dictionary<TAddress, string> _owners = new(comparer);

    /// <summary>Enters an owner.</summary>
    /// <exception cref="CoppiceException">Another has the address.</exception>
    public void Take(TAddress address, string owner)
    {
        if (!_owners.TryAdd(address, owner))
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{domain}'", $"{_owners[address]} and {owner} have the same address {address}",
                "change one, or remove it to have one chosen");
        }
    }

    /// <summary>Enters an owner at the first address that is free.</summary>
    /// <exception cref="CoppiceException">None is.</exception>
    public TAddress First(IEnumerable<TAddress> candidates, string owner, string kind)
    {
        foreach (var candidate in candidates)
        {
            if (_owners.TryAdd(candidate, owner))
            {
                return candidate;
            }
        }

        throw new CoppiceException(
            ErrorKind.InvalidInput, $"domain '{domain}', {owner}", $"there is no room for it: it needs {kind}", "remove a device");
    }
}
