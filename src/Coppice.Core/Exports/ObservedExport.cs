using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Everything an import is planned from. Nothing of it is to be believed but that it was read once.</summary>
public sealed record ObservedExport
{
    /// <summary>The folder.</summary>
    public required ExportFolder Folder { get; init; }

    /// <summary>What it says is in it.</summary>
    public required ExportManifest Manifest { get; init; }

    /// <summary>The definitions that it names.</summary>
    public required ImmutableDictionary<ShortId, DomainDefinition> Definitions { get; init; }

    /// <summary>The checksums of its files, by name.</summary>
    public required ImmutableDictionary<string, string> Sums { get; init; }

    /// <summary>The files that are there, by absolute path.</summary>
    public required ImmutableDictionary<string, FileObservation> Files { get; init; }

    /// <summary>The new domain.</summary>
    public required DomainId Id { get; init; }

    /// <summary>Where it goes; there is nothing yet.</summary>
    public required DomainFolder Home { get; init; }

    /// <summary>What there is at that place.</summary>
    public required PlaceObservation Place { get; init; }

    /// <summary>The files of this host's firmware, which any domain may boot with.</summary>
    public required ImmutableArray<string> Firmware { get; init; }

    /// <summary>New ids for whatever the plan makes.</summary>
    public required IdSource Ids { get; init; }

    /// <summary>Refuses what no export has written, before any of its images is looked at.</summary>
    /// <exception cref="CoppiceException">The manifest is hostile or damaged.</exception>
    public void Require() => ManifestRules.Require(Manifest, $"manifest {Folder[ExportFolder.Manifest]}", Definitions);
}
