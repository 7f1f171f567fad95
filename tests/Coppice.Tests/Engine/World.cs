using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A home on a real folder and a machine that is not real, with one domain of two disks.</summary>
internal sealed class World : IDisposable
{
    public const string Name = "web";
    public const string Bridge = "br0", Tap = "tap7";
    public const string VariablesTemplate = "/images/vars-template.fd";

    public const string DevicePath = "/images/device";

    private static int s_worlds;
    private int _ids = 0x1000;

    public World()
    {
        var parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        Path1 = $"{parent}/coppice-{Environment.ProcessId}-{Interlocked.Increment(ref s_worlds)}";
        AddImage(DevicePath);
        Host.State = Host.State.With(DevicePath, i => i with { Format = ImageFormat.Raw, Type = StorageType.Block });
        foreach (var path in Definition().Disks.Select(d => d.Source!).Append(VariablesTemplate).Append("/images/more.qcow2"))
        {
            AddImage(path);
        }

        Host.Networks.UnionWith([Bridge, Tap]);
    }

    /// <summary>What leads to the domain whatever it is called.</summary>
    public static string Id => Definition().Id.ToString();

    public string Path1 { get; }

    public FakeHost Host { get; } = new();

    /// <summary>Where domains are exported to. What is there, once it has that name, is nobody's.</summary>
    public string Export => $"{Path1}/export";

    /// <summary>A document that was kept for later.</summary>
    public SnapshotDocument? Dumped { get; private set; }

    /// <summary>Files, and internal snapshots as image and tag, that were kept although no snapshot refers to them any more.</summary>
    public HashSet<string> Forgotten { get; } = new(StringComparer.Ordinal);

    public HomeFolder Folder => new(Path1);

    /// <summary>The domain that is looked at: its tree, its state, and what its guest has been told is safe.</summary>
    public DomainId Watched { get; set; } = Definition().Id;

    public DomainFolder Domain => Folder.Domain(Watched);

    public Catalog Catalog => new CatalogStore(Domain).Read();

    public bool Exists => new CatalogStore(Domain).Exists;

    /// <summary>From then on guests have their RAM on a memory volume, which is a file system of its own.</summary>
    public void AddVolume(bool isVolatile = false, long mebibytes = 1 << 20)
    {
        Host.Volume = new NewMemoryVolume(new ByteCount(mebibytes << 20), isVolatile);
        Host.Mounts.Add(Folder.Volume);
    }

    /// <summary>The domain and its forks, as far as they exist. Read anew each time.</summary>
    public IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> All => [.. Folders.Select(f => (f, new CatalogStore(f).Read()))];

    private IEnumerable<DomainFolder> Folders => !Directory.Exists(Folder.Domains) ? [] :
        from path in Directory.GetDirectories(Folder.Domains).Order(StringComparer.Ordinal)
        where !path.Contains(".undefined-", StringComparison.Ordinal)
        let folder = Folder.Domain(DomainId.Parse(Path.GetFileName(path)))
        where new CatalogStore(folder).Exists
        select folder;

    /// <summary>A fork, by its name.</summary>
    public (DomainFolder Folder, Catalog Catalog) Fork(string name) => All.Single(d => d.Catalog.Name == name);

    public static DomainDefinition Definition(string name = Name, int number = 1) => new()
    {
        Id = new DomainId(new Guid(number, 0, 0, new byte[8])),
        Name = name,
        Memory = new ByteCount(1 << 20),
        Disks =
        [
            new DiskDevice { Target = "vda", Source = $"/images/{name}-a.qcow2", Format = ImageFormat.Qcow2, Snapshot = DiskMode.External },
            new DiskDevice { Target = "vdb", Source = $"/images/{name}-b.raw", Format = ImageFormat.Raw, Snapshot = DiskMode.External },
        ],
    };

    /// <summary>The same domain with UEFI firmware, whose variables are made where the user wants them, or in its folder.</summary>
    public static DomainDefinition Uefi(string? variables = "/images/web-vars.fd") => Definition() with
    {
        Os = new OsSettings { Firmware = new FirmwareSettings { Code = "/fw/code.fd", Template = VariablesTemplate, Variables = variables } },
    };

    /// <summary>The same domain with a TPM.</summary>
    public static DomainDefinition Tpm() =>
        Definition() with { Devices = [.. Definition().Devices, new TpmDevice { Model = TpmModel.Crb }] };

    /// <summary>The same domain with a channel on which an agent in its guest can be asked.</summary>
    public static DomainDefinition Agent() => Definition() with
    {
        Devices =
        [
            .. Definition().Devices,
            new CharacterDevice
            {
                Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix, Name = GuestAgentChannel.Name,
            },
        ],
    };

    /// <summary>The same domain with a block device for its raw disk.</summary>
    public static DomainDefinition Device() => Definition() with
    {
        Disks = [Definition().Disks[0], Definition().Disks[1] with { Source = DevicePath, Type = StorageType.Block }],
    };

    /// <summary>The same domain on a bridge and on a tap device of its host.</summary>
    public static DomainDefinition OnNetworks() => Definition() with
    {
        Devices =
        [
            .. Definition().Devices, new NetworkDevice { Tap = new TapDevice { Bridge = Bridge } },
            new NetworkDevice { Tap = new TapDevice { Name = Tap, Exists = true } },
        ],
    };

    /// <summary>The same domain with one disk more.</summary>
    public static DomainDefinition More() => Definition() with
    {
        Disks = Definition().Disks.Add(new DiskDevice { Target = "vdc", Source = "/images/more.qcow2", Format = ImageFormat.Qcow2 }),
    };

    /// <summary>A new one each time: nothing is known but what is on disk.</summary>
    public Home Open() => Home.Open(new HomeOptions
    {
        Path = Path1,
        Hypervisor = new FakeHypervisor(Host),
        Storage = new FakeStorage(Host),
        Ids = new IdSource(NextId),
    });

    public Task<OperationResult> RunAsync(Request request) => Open().RunAsync(request, new RunOptions());

    public Task<OperationResult> DefineAsync() => RunAsync(new DefineDomain(Definition()));

    public async Task StartAsync()
    {
        await RunAsync(new StartDomain(Name, Paused: false));
        Host.Tick();
        Host.Tick();
    }

    public Task<OperationResult> SnapshotAsync(string name) => RunAsync(new CreateSnapshot(Name) { Name = name });

    /// <summary>Snapshots one, two and three; the guest has written after each.</summary>
    public async Task ThreeAsync(bool runs)
    {
        await DefineAsync();
        await StartAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await SnapshotAsync(name);
            Host.Tick();
        }

        if (!runs)
        {
            await RunAsync(new KillDomain(Name));
        }
    }

    /// <summary>Keeps the document of a snapshot, edited.</summary>
    public async Task DumpAsync(string name, Func<SnapshotDocument, SnapshotDocument> edit)
    {
        var xml = SnapshotXml.Format(edit(await Open().ReadSnapshotAsync(Name, name)));
        Dumped = SnapshotXml.Parse(xml, SnapshotParseMode.Redefine);
    }

    /// <summary>Forgets a snapshot and keeps its files.</summary>
    public async Task ForgetAsync(string name)
    {
        MayKeep(Catalog.Find(name));
        await RunAsync(new DeleteSnapshot(Name, name, metadataOnly: true));
    }

    /// <summary>The files of a snapshot may be there without it.</summary>
    public void MayKeep(Snapshot snapshot)
    {
        Forgotten.UnionWith(snapshot.Layers.Select(l => l.Inside is { } place ? $"{l.Path} {place.Tag}" : l.Path));
        string?[] others = [snapshot.Memory.File, snapshot.Tpm is { } tpm ? Domain.Tpm(tpm) : null, Domain.Definition(snapshot.Definition)];
        Forgotten.UnionWith(others.OfType<string>());
    }

    /// <summary>One of disks alone, while the domain is off.</summary>
    public Task<OperationResult> SnapshotExternalAsync(string name) =>
        RunAsync(new CreateSnapshot(Name) { Name = name, Disks = [.. Scenario.External("vda", "vdb")] });

    /// <summary>What a command does before it finds that there is nothing to do: whatever was interrupted is settled.</summary>
    public async Task SettleAsync(Action<OperationEvent>? onEvent = null)
    {
        foreach (var folder in Folders)
        {
            var error = await HomeTests.FailAsync(() => Open().RunAsync(
                new EditSnapshot(Path.GetFileName(folder.Path), "no such snapshot", null, ""), new RunOptions { OnEvent = onEvent }));
            if (error.Kind is not ErrorKind.NotFound)
            {
                Assert.Fail($"{error}");
            }

            Assert.False(Directory.Exists(folder.Journals) && Directory.EnumerateFiles(folder.Journals).Any(), "a journal is left");
        }
    }

    /// <summary>Leaves files that no catalog names, and clusters that nothing uses.</summary>
    public void LeaveOrphans()
    {
        var layer = $"{Domain.Images("vda")}/{LayerFileName.For("vda", "gone", new ShortId("0000abcd"))}";
        var memory = Domain.Memory(new ShortId("0000abcd"));
        AddImage(layer);
        AddImage(layer + ".partial");
        var frozen = Catalog.Snapshots.Values.SelectMany(s => s.Layers).First(l => l.Origin is LayerOrigin.Coppice).Path;
        Host.State = Host.State with { Memories = Host.State.Memories.Add(memory, new FakeMemory(1, IsComplete: true)) };
        Host.State = Host.State.With(frozen, i => i with { Health = ImageHealth.Leaking });
        Forgotten.UnionWith([layer, layer + ".partial", memory]);
    }

    /// <summary>What is in the folder of a domain is gone with it.</summary>
    public void ForgetRemoved()
    {
        var gone = Host.State.Images.Keys.Where(p =>
            p.StartsWith(Folder.Domains, StringComparison.Ordinal)
            && !Directory.Exists($"{Folder.Domains}/{p[(Folder.Domains.Length + 1)..].Split('/')[0]}"));
        Host.State = Host.State with { Images = Host.State.Images.RemoveRange(gone) };
    }

    public void AddImage(string path, string? backing = null) => Host.State = Host.State with
    {
        Images = Host.State.Images.Add(path, FakeImage.Empty(ImageFormat.Qcow2, backing, new ByteCount(1 << 20))),
    };

    public void Dispose()
    {
        if (Directory.Exists(Path1))
        {
            Directory.Delete(Path1, recursive: true);
        }
    }

    private void NextId(Span<byte> bytes)
    {
        bytes.Clear();
        BitConverter.GetBytes(++_ids).AsSpan(0, Math.Min(bytes.Length, sizeof(int))).CopyTo(bytes);
    }
}
