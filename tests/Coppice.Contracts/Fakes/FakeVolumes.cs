using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>The memory volume of a <see cref="FakeHost"/>, which serves all homes on it.</summary>
internal sealed class FakeVolumes(FakeHost host)
{
    public MemoryVolume? Observe(HomeFolder home) => host.Volume is { } made
        ? new MemoryVolume
        {
            Folder = home.Volume,
            IsVolatile = made.IsVolatile,
            Capacity = made.Size!.Value,
            Free = made.Size.Value,
            Rams = host.State.Processes.Values.Select(p => p.Ram).OfType<RamPlace>().Where(r => r.IsClonable).Select(r => r.Path)
                .Union(host.LeftRams).ToImmutableDictionary(r => r, _ => new RamFile(FakeHost.FileSize, default, 1)),
        }
        : null;

    public void Make(HomeFolder home, NewMemoryVolume volume)
    {
        Directory.CreateDirectory(home.Path);
        host.Volume = host.Volume is null
            ? volume with { Size = volume.Size ?? new ByteCount(1L << 40) }
            : throw new CoppiceException(ErrorKind.AlreadyExists, $"memory volume of {home.Path}", "is there already", "remove it first");
    }

    public void Remove(HomeFolder home)
    {
        if (host.Volume is null)
        {
            return;
        }

        if (host.State.Processes.Values.Any(p => p.Ram is { IsClonable: true }))
        {
            throw new CoppiceException(ErrorKind.Busy, $"memory volume of {home.Path}", "is in use", "stop the domains on it");
        }

        host.Volume = null;
        host.State = host.State with
        {
            Memories = host.State.Memories.RemoveRange(host.State.Memories.Keys.Where(k => k.StartsWith($"{home.Volume}/", StringComparison.Ordinal))),
        };
    }
}
