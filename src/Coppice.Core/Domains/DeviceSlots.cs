namespace Coppice.Core;

/// <summary>The devices of a definition while they are given addresses.</summary>
/// <param name="domain">The name of the domain, for messages.</param>
/// <param name="devices">The devices.</param>
internal sealed class DeviceSlots(string domain, IEnumerable<Device> devices)
{
    private readonly List<Device> _devices = [.. devices];

    public string Domain => domain;

    public IEnumerable<T> OfType<T>() => _devices.OfType<T>();

    public void Add(Device device) => _devices.Add(device);

    public ValueList<Device> ToList() => [.. _devices];

    /// <summary>An error about a device.</summary>
    public CoppiceException Refuse(Device device, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, $"domain '{domain}', {device.Label}", problem, nextStep);

    /// <summary>Replaces each device of a kind.</summary>
    public void Replace<T>(Func<T, Device> change)
        where T : Device
    {
        for (var i = 0; i < _devices.Count; i++)
        {
            _devices[i] = _devices[i] is T device ? change(device) : _devices[i];
        }
    }

    /// <summary>Enters the addresses that are given, then gives the first free one to each device that has none.</summary>
    /// <param name="kind">What they are, for messages, e.g. <c>a PCI slot</c>.</param>
    /// <param name="needs">Which devices need one.</param>
    /// <param name="candidates">The addresses a device can be given, best first.</param>
    /// <param name="exists">Whether an address that was given exists.</param>
    /// <param name="book">Addresses that are taken from the start.</param>
    public void Assign<TAddress>(
        string kind,
        Func<Device, bool> needs,
        Func<Device, IEnumerable<TAddress>> candidates,
        Func<Device, TAddress, bool> exists,
        AddressBook<TAddress>? book = null)
        where TAddress : DeviceAddress
    {
        book ??= new AddressBook<TAddress>(domain);
        foreach (var device in _devices.Where(d => needs(d) && d.Address is not null))
        {
            var address = device.Address is TAddress given && exists(device, given)
                ? given
                : throw Refuse(
                    device, $"the address {device.Address} is not {kind} of this machine",
                    "correct it, or remove it to have one chosen");
            book.Take(address, device.Label);
        }

        Replace<Device>(device => needs(device) && device.Address is null
            ? device with { Address = book.First(candidates(device), device.Label, kind) }
            : device);
    }
}
