using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>The memory volume of a <see cref="FakeHost"/>, which serves all homes on it.</summary>
internal sealed class FakeVolumes(FakeHost host)
{
    private const string ClaimKind = "store.claim-room";

    public static Step Claim(RoomClaim claim) =>
        Step.Of(ClaimKind, $"claim room for {claim.Ram}", StepUndo.Exact, claim, FakeJson.Default.RoomClaim);

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step, StepContext context)
    {
        if (step.Kind != ClaimKind)
        {
            return false;
        }

        var claim = step.Read(FakeJson.Default.RoomClaim);
        var volume = Observe(context.Folder.Home) ?? throw new CoppiceException(ErrorKind.Storage, "the memory volume", "is gone");
        if ((claim.Replaces is { } replaced ? volume.Without(replaced) : volume).MissingFor(claim.Bytes, claim.IsClone ? claim.Ram : null) is { Bytes: > 0 })
        {
            throw new CoppiceException(ErrorKind.Storage, "the memory volume", "another command was first");
        }

        host.Act("claim room", s => s with { Claims = s.Claims.Add(FileOf(claim), claim) });
        return true;
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        if (step.Kind == ClaimKind)
        {
            host.Act("give room back", s => s with { Claims = s.Claims.Remove(FileOf(step.Read(FakeJson.Default.RoomClaim))) });
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) =>
        step.Kind == ClaimKind ? host.State.Claims.ContainsKey(FileOf(step.Read(FakeJson.Default.RoomClaim))) : null;

    private static string FileOf(RoomClaim claim) => claim.IsClone ? claim.Mark : claim.Ram;

    public MemoryVolume? Observe(HomeFolder home) => host.Volume is { } made
        ? new MemoryVolume
        {
            Folder = home.Volume,
            IsVolatile = made.IsVolatile,
            Capacity = made.Size!.Value,
            Free = made.Size.Value,
            Rams = host.State.Processes.Values.Select(p => p.Ram).OfType<RamPlace>().Where(r => r.IsClonable).Select(r => r.Path)
                .Union(host.LeftRams).ToImmutableDictionary(r => r, _ => new RamFile(FakeHost.FileSize, default, 1))
                .SetItems(host.State.Claims.Values.Where(c => !c.IsClone)
                    .Select(c => KeyValuePair.Create(c.Ram, new RamFile(c.Bytes, default, 1)))),
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
