using System.Globalization;
using Coppice.Contracts;
using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Contracts;

public sealed class FakeHypervisorTests : HypervisorContract
{
    protected override IHypervisorBed Open() => new FakeBed();
}

public sealed class FakeStorageTests : StorageContract
{
    protected override IStorageBed Open() => new FakeBed();
}

/// <summary>A fake machine whose time passes whenever somebody looks at a counter.</summary>
internal sealed class FakeBed : IHypervisorBed, IStorageBed
{
    // Behind the blocks that guests write; below the numbers that they count.
    private const int FirstMark = 100;

    private readonly string _root = Directory.CreateTempSubdirectory("coppice-fake-").FullName;
    private readonly FakeHost _host = new() { MergesGoOnWhenAsked = true };
    private int _ids;

    public FakeBed()
    {
        Base = NewLayer(null, LayerOrigin.User);
        Folder = new HomeFolder(_root).Domain(new DomainId(Guid.Empty));
        Hypervisor = new FakeHypervisor(_host);
        Storage = new FakeStorage(_host);
        Definition = new DomainDefinition
        {
            Id = new DomainId(Guid.Empty),
            Name = "fake",
            Memory = new ByteCount(1 << 20),
            Disks = [new DiskDevice { Target = "vda", Source = Base.Path }],
        };
    }

    public IHypervisor Hypervisor { get; }

    public IStorage Storage { get; }

    public DomainFolder Folder { get; }

    public DomainDefinition Definition { get; }

    public Layer Base { get; }

    public ShortId NewProcess() => new((++_ids).ToString("x8", CultureInfo.InvariantCulture));

    public MemoryImage NewMemory() => new() { Mode = MemoryMode.External, File = $"/memory/{++_ids}" };

    public Task RequireVolumeAsync() => Storage.MakeVolumeAsync(Folder.Home, new NewMemoryVolume(new ByteCount(1 << 30)), default);

    public Layer NewOverlay(Layer below) => NewLayer(below, LayerOrigin.Coppice);

    public Layer NewImage() => NewLayer(null, LayerOrigin.User) with { Disk = "sdb" };

    public DiskDevice NewDisk() => Definition.Disks[0] with { Source = NewLayer(null, LayerOrigin.User).Path };

    public DiskDevice NewDevice()
    {
        var device = NewLayer(null, LayerOrigin.User).Path;
        Set(device, i => i with { Type = StorageType.Block });
        return Definition.Disks[0] with { Source = device, Type = StorageType.Block };
    }

    public Layer NewDeviceLayer() => Base with { Id = NewProcess(), Path = NewDevice().Source!, Type = StorageType.Block };

    public void SetSize(DiskDevice device, ByteCount size) => Set(device.Source!, i => i with { VirtualSize = size });

    public IDisposable Claim(DiskDevice device)
    {
        Set(device.Source!, i => i with { IsMounted = true });
        return new Unmounting(() => Set(device.Source!, i => i with { IsMounted = false }));
    }

    public string NewPath() => $"/images/{++_ids}";

    public string NewNameOf(string path)
    {
        var name = NewPath();
        _host.Link(path, name);
        return name;
    }

    public void WriteInto(Layer layer, params int[] blocks) => Set(
        layer.Path, i => i with { Blocks = i.Blocks.SetItems(blocks.Select(b => KeyValuePair.Create(FirstMark + b, MarkOf(layer)))) });

    public IReadOnlyList<string> Read(params Layer[] chain)
    {
        var images = chain.Select(l => _host.State.Images[l.Path].Blocks);
        return [.. Enumerable.Range(FirstMark + 1, 15).Select(b => $"{images.FirstOrDefault(i => i.ContainsKey(b))?[b]}")];
    }

    public string? BackingOf(Layer layer) => _host.State.Images[layer.Path].Backing;

    public bool Exists(MemoryImage memory) => _host.State.Memories.ContainsKey(memory.File!);

    public void RequireTpm()
    {
    }

    public string? ReadTpm(ShortId state) =>
        _host.State.Images.TryGetValue(Folder.Tpm(state), out var found) ? string.Join(' ', found.Blocks) : null;

    public Task<string> NewTapAsync()
    {
        _host.Networks.Add("tap7");
        return Task.FromResult("tap7");
    }

    public bool HasTap(ShortId process, string tap) => _host.State.Processes[process].Taps.Contains(tap);

    public bool Exists(string path) => _host.State.Images.ContainsKey(path);

    public void WriteInto(Layer layer, Layer backing)
    {
        var image = _host.State.Images[layer.Path];
        _host.State = _host.State with { Images = _host.State.Images.SetItem(layer.Path, image with { Blocks = image.Blocks.Add(1, 1) }) };
        _host.Modified[layer.Path] = TimeProvider.System.GetUtcNow();
    }

    public bool IsWritten(Layer layer) => _host.State.Read(layer.Path).ContainsKey(1);

    public void Damage(Layer layer, ImageHealth health) => Set(layer.Path, i => i with { Health = health });

    public IAsyncDisposable Use(Layer layer)
    {
        var process = NewProcess();
        var user = new FakeProcess(new DomainId(Guid.Empty), [new FakeDrive("vda", layer.Path, true)], DomainState.Running, 0);
        _host.State = _host.State with { Processes = _host.State.Processes.Add(process, user) };
        return new Ending(() => KillAsync(process));
    }

    public Task LetGoAsync(ShortId process, int slot) => Task.CompletedTask;

    public Task<long> CounterAsync(ShortId process)
    {
        _host.Tick();
        return Task.FromResult(_host.State.Processes[process].Counter);
    }

    public Task WaitAsync()
    {
        _host.Tick();
        return Task.CompletedTask;
    }

    public Task KillAsync(ShortId process)
    {
        // One that only merges runs no domain.
        if (_host.State.Processes.TryGetValue(process, out var user))
        {
            _host.Deserted[process] = user.Domain;
        }

        _host.State = _host.State.Without(process);
        return Task.CompletedTask;
    }

    private static long MarkOf(Layer layer) => -long.Parse(layer.Id.ToString(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_root, recursive: true);
        return ValueTask.CompletedTask;
    }

    private sealed class Unmounting(Action unmount) : IDisposable
    {
        public void Dispose() => unmount();
    }

    private sealed class Ending(Func<Task> end) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await end();
    }

    private void Set(string path, Func<FakeImage, FakeImage> change) => _host.State = _host.State.With(path, change);

    private Layer NewLayer(Layer? below, LayerOrigin origin)
    {
        var path = NewPath();
        var size = new ByteCount(1 << 20);
        var format = below is null ? ImageFormat.Raw : ImageFormat.Qcow2;
        _host.State = _host.State with { Images = _host.State.Images.Add(path, FakeImage.Empty(format, below?.Path, size)) };
        return new Layer { Id = NewProcess(), Disk = "vda", Path = path, Format = format, VirtualSize = size, Parent = below?.Id, Origin = origin };
    }
}
