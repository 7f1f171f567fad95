using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>The network devices of a <see cref="FakeHost"/>: a tap device of a name is had by one process at a time.</summary>
internal sealed class FakeTaps(FakeHost host)
{
    public static ImmutableArray<TapDevice> Of(DomainDefinition definition) =>
        [.. definition.Devices.OfType<NetworkDevice>().Select(n => n.Tap).OfType<TapDevice>()];

    /// <summary>The names of what a process can have at once; what the one beside it has comes later.</summary>
    public ImmutableArray<string> Take(ImmutableArray<TapDevice> taps, ShortId? beside)
    {
        foreach (var missing in taps.Select(t => t.Bridge ?? (t.Exists ? t.Name : null)).OfType<string>().Where(n => !host.Networks.Contains(n)))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"network device {missing}", "does not exist");
        }

        var names = taps.Select(t => t.Name).OfType<string>().Where(n => HolderOf(n) is not { } holder || holder != beside).ToImmutableArray();
        return names.FirstOrDefault(n => HolderOf(n) is not null) is { } taken
            ? throw new CoppiceException(ErrorKind.WrongState, $"tap device {taken}", "is in use by another process")
            : names;
    }

    /// <summary>Gives a process what is free by now.</summary>
    public FakeHostState Plug(FakeHostState state, ShortId process, ImmutableArray<TapDevice> taps) => FakeHost.Set(
        state, process, p => p with
        {
            Taps = [.. p.Taps, .. taps.Select(t => t.Name).OfType<string>().Where(n => HolderOf(n) is null)],
        });

    /// <summary>A process that takes over is to have them all, and goes on before anybody complains.</summary>
    public static void RequireAll(FakeProcess process, ImmutableArray<TapDevice> taps)
    {
        if (taps.Select(t => t.Name).OfType<string>().FirstOrDefault(n => !process.Taps.Contains(n)) is { } missing)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"tap device {missing}", "is in use by another process");
        }
    }

    private ShortId? HolderOf(string name) =>
        host.State.Processes.Where(p => p.Value.Taps.Contains(name)).Select(p => (ShortId?)p.Key).FirstOrDefault();
}
