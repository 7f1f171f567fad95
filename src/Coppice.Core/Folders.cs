namespace Coppice.Core;

/// <summary>Where a home keeps its things. Paths only; nothing is touched.</summary>
/// <param name="Path">The absolute path of the home.</param>
public sealed record HomeFolder(string Path)
{
    /// <summary>Held while a domain is defined, undefined or renamed, so that names and images stay unique.</summary>
    public string Lock => $"{Path}/lock";

    /// <summary>One folder a domain, by uuid.</summary>
    public string Domains => $"{Path}/domains";

    /// <summary>The folder of a domain.</summary>
    public DomainFolder Domain(DomainId id) => new(this, $"{Domains}/{id}");

    /// <summary>Where the memory volume is mounted, if the home has one.</summary>
    public string Volume => $"{Path}/volume";

    /// <summary>What the memory volume is, for whoever mounts it again.</summary>
    public string VolumeRecord => $"{Path}/volume.json";

    /// <summary>Held while the memory volume is made, mounted or removed.</summary>
    public string VolumeLock => $"{Path}/volume.lock";

    /// <summary>The file that the memory volume lies in.</summary>
    public string VolumeFile => $"{Path}/volume.xfs";

    /// <summary>The sockets and pid file of a process.</summary>
    public string Process(ShortId process) => $"{Path}/run/{process}";
}

/// <summary>Where a domain keeps its things. Paths only; nothing is touched.</summary>
/// <param name="Home">The home it belongs to.</param>
/// <param name="Path">The absolute path of the folder.</param>
public sealed record DomainFolder(HomeFolder Home, string Path)
{
    /// <summary>The root of the catalog: replacing it is the commit point of every operation.</summary>
    public string CatalogRoot => $"{Path}/catalog/root.json";

    /// <summary>What the root becomes when the domain is undefined, until all that it names is removed.</summary>
    public string ForgottenRoot => $"{Path}/catalog/undefined.json";

    /// <summary>What the folder is called once the domain was undefined and all that it has was kept.</summary>
    /// <param name="operation">The operation that did so.</param>
    public string Undefined(ShortId operation) => $"{Path}.undefined-{operation}";

    /// <summary>The records that roots name, one a snapshot.</summary>
    public string CatalogRecords => $"{Path}/catalog/snapshots";

    /// <summary>The journals of unfinished operations.</summary>
    public string Journals => $"{Path}/journal";

    /// <summary>Held by the one command that changes the domain.</summary>
    public string Lock => $"{Path}/lock";

    /// <summary>Held by whoever tries the domain out, if that is what it is for.</summary>
    public string Trial => $"{Path}/trial";

    /// <summary>Links to the sockets of whichever process runs the domain: consoles, channels, VNC.</summary>
    public string Endpoints => $"{Path}/endpoints";

    /// <summary>Memory images that are streams, and RAM that is of no use to anybody but the process that has it.</summary>
    public string MemoryFolder => $"{Path}/memory";

    /// <summary>RAM of guests that run, and memory images cloned from it, on the memory volume of the home.</summary>
    public string VolumeFolder => $"{Home.Volume}/{System.IO.Path.GetFileName(Path)}";

    /// <summary>A stored definition, in libvirt's format; written once, never replaced.</summary>
    public string Definition(ShortId id) => $"{Path}/definitions/{id}.xml";

    /// <summary>A memory image made by an operation.</summary>
    public string Memory(ShortId id) => $"{MemoryFolder}/{id}.mem";

    /// <summary>Where memory images go that were laid out in some way, in a home with or without a memory volume.</summary>
    public string MemoryFolderFor(MemoryFormat format, bool hasVolume) =>
        format is MemoryFormat.Mapped && hasVolume ? VolumeFolder : MemoryFolder;

    /// <summary>The RAM of a process on the memory volume, where it can be cloned.</summary>
    public string Ram(ShortId process) => $"{VolumeFolder}/{process}{RamSuffix}";

    /// <summary>The RAM of a process that began as a copy and is nobody else's.</summary>
    public string PrivateRam(ShortId process) => $"{MemoryFolder}/{process}{RamSuffix}";

    /// <summary>What the names of files end with that are the RAM of a process.</summary>
    public const string RamSuffix = ".ram";

    /// <summary>Checksums of what does not change any more.</summary>
    public string Checksums => $"{Path}/checksums";

    /// <summary>Held by whoever takes checksums.</summary>
    public string ChecksumsLock => $"{Path}/checksums.lock";

    /// <summary>What TPMs keep.</summary>
    public string TpmFolder => $"{Path}/tpm";

    /// <summary>What one TPM keeps, that of the head or as a snapshot took it: a folder in which its emulator writes.</summary>
    public string Tpm(ShortId id) => $"{TpmFolder}/{id}";

    /// <summary>What a folder beside an image is called, in which layers of this domain go.</summary>
    public string BesideImages => $"coppice-{System.IO.Path.GetFileName(Path)}";

    /// <summary>
    /// Whether a file lies where nobody but Coppice puts layers: in the folder for them, or in one beside an image.
    /// </summary>
    public bool IsOwnLayer(string file) => file.StartsWith($"{Path}/images/", StringComparison.Ordinal)
        || file.Contains($"/{BesideImages}/", StringComparison.Ordinal);

    /// <summary>Whether a file lies where nobody but Coppice puts memory images.</summary>
    public bool IsOwnMemory(string file) => System.IO.Path.GetDirectoryName(file) is { } place && (place == MemoryFolder || place == VolumeFolder);

    /// <summary>The folder for the layers of a disk.</summary>
    public string Images(string disk) => $"{Path}/images/{disk}";
}
