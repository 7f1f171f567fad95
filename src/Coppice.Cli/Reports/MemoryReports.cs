using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Reports;

/// <summary>A memory volume.</summary>
/// <param name="Folder">Where it is mounted.</param>
/// <param name="IsVolatile">Whether what is on it goes with a loss of power.</param>
/// <param name="CapacityBytes">How large it is.</param>
/// <param name="FreeBytes">What is free.</param>
/// <param name="PromisedBytes">What of that the guests on it may still write.</param>
/// <param name="Guests">How many have their RAM there.</param>
internal sealed record VolumeReport(string Folder, bool IsVolatile, long CapacityBytes, long FreeBytes, long PromisedBytes, int Guests)
{
    public static VolumeReport Of(MemoryVolume volume) => new(
        volume.Folder, volume.IsVolatile, volume.Capacity.Bytes, volume.Free.Bytes, volume.Promised().Bytes, volume.Rams.Count);
}

/// <summary>How the memory of a domain is kept.</summary>
/// <param name="Domain">Its name.</param>
/// <param name="RamBytes">Its RAM.</param>
/// <param name="Now"><c>mapped</c> or <c>stream</c>; null if the domain is off.</param>
/// <param name="Extents">In how many pieces its RAM lies; null if it is not mapped.</param>
/// <param name="MissingBytes">How much room a checkpoint would miss on the memory volume now, so that it is refused; 0 if it would be taken.</param>
/// <param name="IsVolatile">Whether checkpoints go with a loss of power.</param>
/// <param name="AfterStart"><c>mapped</c> or <c>stream</c>, once it has been started anew.</param>
/// <param name="Reason">Why it is no faster one; empty if there is none.</param>
/// <param name="NextStep">What would make it faster; may be empty.</param>
internal sealed record MemoryStatusReport(
    string Domain, long RamBytes, string? Now, int? Extents, long MissingBytes, bool IsVolatile, string AfterStart, string Reason, string NextStep)
{
    public static MemoryStatusReport Of(MemoryView view) => new(
        view.Domain.Catalog.Name,
        view.Domain.Definition.Memory.Bytes,
        view.Domain.Hypervisor.IsAlive ? Word.Of(view.Ram is null ? MemoryFormat.Stream : MemoryFormat.Mapped) : null,
        view.Ram?.Extents,
        view.MissingForCheckpoint.Bytes,
        view.Volume is { IsVolatile: true },
        Word.Of(view.AfterStart.Format),
        view.AfterStart.Reason,
        view.AfterStart.NextStep);
}
