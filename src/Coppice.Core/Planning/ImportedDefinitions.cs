using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// The definitions of an imported domain, as those of a fork: what must not be in the world twice is made new or left out, the same in
/// all of them. Besides, none leads to a program or to images of this host.
/// </summary>
/// <param name="All">The definitions.</param>
/// <param name="Changes">What was left out, and what of this host they need, for the user.</param>
internal sealed record ImportedDefinitions(ImmutableDictionary<ShortId, DomainDefinition> All, ImmutableArray<string> Changes)
{
    // What the host gives random numbers by; another file would be read by a guest, byte by byte.
    private static readonly string[] s_randomSources = ["/dev/random", "/dev/urandom", "/dev/hwrng"];

    /// <exception cref="CoppiceException">
    /// A tap device that exists can be had by one domain only (<see cref="ErrorKind.WrongState"/>), or it boots with files of this host
    /// without being allowed to (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static ImportedDefinitions Of(ImportDomain request, ObservedExport observed, Catalog catalog, LayerGraph graph, Head head)
    {
        var macs = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var generation = observed.Ids.NextGuid();
        var hasMemory = catalog.Memories.Append(head.Saved?.Image ?? MemoryImage.None).Any(m => m.Mode is not MemoryMode.None);
        var fork = new ForkSnapshot(observed.Manifest.Name, "", request.Name!)
        {
            Network = request.KeepsIdentity ? ForkNetwork.Keep : request.Network,
        };
        var changes = new List<string>();
        var all = observed.Definitions.ToImmutableDictionary(d => d.Key, d =>
        {
            var begins = d.Value.DisksAndFlash.Where(disk => disk.Source is not null).ToImmutableDictionary(
                disk => disk.Target, disk => Lowest(disk, d.Key, catalog, graph, head, observed.Home), StringComparer.Ordinal);
            var forked = ForkedDefinition.Of(d.Value, fork, observed.Ids, observed.Id, begins, hasMemory);
            changes.AddRange([.. forked.Changes, .. Host(d.Value, request, observed)]);
            return forked.Definition with
            {
                Emulator = null,
                GenerationId = request.KeepsIdentity || d.Value.GenerationId is null ? d.Value.GenerationId : generation,
                Devices =
                [
                    .. forked.Definition.Devices.Zip(d.Value.Devices, (ours, theirs) => Readdressed(ours, theirs, macs))
                        .Select(device => Harmless(device, changes)),
                ],
            };
        });
        return new ImportedDefinitions(all, [.. changes.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>One card has one new address in all definitions.</summary>
    private static Device Readdressed(Device ours, Device theirs, Dictionary<string, string> macs)
    {
        if (ours is not NetworkDevice { Mac: { } fresh } card || theirs is not NetworkDevice { Mac: { } known } || fresh == known)
        {
            return ours;
        }

        macs.TryAdd(known, fresh);
        return card with { Mac = macs[known] };
    }

    private static Device Harmless(Device device, List<string> changes)
    {
        if (device is not RandomDevice { Source: { } source } random || s_randomSources.Contains(source, StringComparer.Ordinal))
        {
            return device;
        }

        changes.Add($"its random numbers come from /dev/urandom, not from {source}");
        return random with { Source = "/dev/urandom" };
    }

    /// <summary>
    /// The image that a definition names for a drive: the lowest one, as it names that which the user brought. One that is not carried is
    /// nowhere, so that no path of another host leads to a file of this one.
    /// </summary>
    private static Layer Lowest(DiskDevice disk, ShortId definition, Catalog catalog, LayerGraph graph, Head head, DomainFolder home)
    {
        var heads = catalog.Tips.Select(t => t.Head).Prepend(head).ToArray();
        var named = heads.Where(h => h.Definition == definition).SelectMany(h => h.Disks).Select(d => (d.Target, d.Layer))
            .Concat(catalog.Snapshots.Values.Where(s => s.Definition == definition).SelectMany(s => s.Disks).Select(d => (d.Target, d.Layer)))
            .Concat(heads.SelectMany(h => h.Disks).Select(d => (d.Target, d.Layer)));
        foreach (var id in named.Where(d => d.Target == disk.Target).Select(d => d.Layer).Where(graph.Has))
        {
            return graph.Chain(id)[^1];
        }

        return new Layer
        {
            Id = definition, Disk = disk.Target,
            Path = $"{home.Images(disk.Target)}/{LayerFileName.Carried(disk.Target, definition, disk.Format)}",
            Format = disk.Format, VirtualSize = default, Origin = LayerOrigin.Coppice,
        };
    }

    private static IEnumerable<string> Host(DomainDefinition definition, ImportDomain request, ObservedExport observed)
    {
        if (definition.Emulator is { } emulator)
        {
            yield return $"its hypervisor is the one of this host, not {emulator}";
        }

        string?[] firmware = [definition.Os.Firmware?.Code, definition.Os.Firmware?.Template];
        string?[] files = [definition.Os.Kernel, definition.Os.Initrd, .. firmware.Where(f => f is null || !observed.Firmware.Contains(f))];
        if (files.OfType<string>().Distinct(StringComparer.Ordinal).ToArray() is { Length: > 0 } used)
        {
            var named = string.Join(", ", used);
            yield return request.HostFiles ? $"it boots with files of this host that are not in the folder: {named}" : throw new CoppiceException(
                ErrorKind.Forbidden, observed.Folder.Path, $"boots with files of this host that are not in the folder: {named}",
                "if you know who exported it and what these files are, allow it: --host-files");
        }
    }
}
