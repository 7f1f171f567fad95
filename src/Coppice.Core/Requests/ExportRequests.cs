using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Copy a domain with its snapshots into a folder that can be imported elsewhere. It may run: then what it is now is left out, and
/// what its snapshots froze is copied.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Folder">The absolute path of the folder, which must not exist.</param>
public sealed record ExportDomain(string Domain, string Folder) : DomainRequest("snapshot export", Domain)
{
    /// <summary>The only snapshots to copy, by name or uuid, without head and tips; none for the whole tree.</summary>
    public ImmutableArray<string> Snapshots { get; init; } = [];
}

/// <summary>Make a new domain of an exported one.</summary>
/// <param name="Folder">The absolute path of the folder. Nothing in it is trusted, or changed.</param>
public sealed record ImportDomain(string Folder) : Request("import")
{
    /// <summary>What it is called here; null for the name that it had.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// It keeps its uuid, its snapshots' uuids, its generation id and the addresses of its network cards: it moves here, and what it was
    /// exported from does not run any more.
    /// </summary>
    public bool KeepsIdentity { get; init; }

    /// <summary>It may boot with files of this host that its definition names: kernel, initrd, firmware that is not installed.</summary>
    public bool HostFiles { get; init; }

    /// <summary>What becomes of its network cards, if it does not keep its identity.</summary>
    public ForkNetwork Network { get; init; }
}
