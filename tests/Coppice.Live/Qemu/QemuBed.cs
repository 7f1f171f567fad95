using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Images;
using Coppice.Live.Storage;
using Coppice.Qemu;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Tpm;
using Coppice.Storage;
using ImageFormat = Coppice.Core.ImageFormat;

namespace Coppice.Live.Qemu;

/// <summary>A home with one domain whose guest is a boot sector that counts in RAM, and the driver to run it.</summary>
internal sealed class QemuBed : IHypervisorBed
{
    public const uint CounterAddress = 0x8000;

    // cli; xor ax,ax; mov ds,ax; mov dword [0x8000],0; again: inc dword [0x8000]; jmp again
    private static readonly byte[] s_bootCode =
        [0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x66, 0xC7, 0x06, 0x00, 0x80, 0, 0, 0, 0, 0x66, 0xFF, 0x06, 0x00, 0x80, 0xEB, 0xF9];

    private const int BlockBytes = 64 << 10;

    private readonly List<ShortId> _processes = [];
    private readonly List<LoopDevice> _devices = [];
    private readonly List<string> _taps = [];
    private readonly FileStorage _storage = new(TimeProvider.System);
    private static int s_taps;
    private bool _hasVolume;
    private int _ids;

    public QemuBed(long memory = 64 << 20, string qemu = QemuPrograms.Usual)
    {
        QemuPrograms.Require(qemu);
        Home = new HomeFolder(Directory.CreateTempSubdirectory("cq-").FullName);
        var id = new DomainId(Guid.NewGuid());
        Folder = Home.Domain(id);
        Directory.CreateDirectory(Path.GetDirectoryName(Folder.CatalogRoot)!);
        Hypervisor = new QemuHypervisor(new QemuOptions { Binary = qemu }, TimeProvider.System);
        Base = NewLayer("vda", ImageFormat.Raw, null);
        var image = new byte[1 << 20];
        s_bootCode.CopyTo(image, 0);
        image[510] = 0x55;
        image[511] = 0xAA;
        File.WriteAllBytes(Base.Path, image);
        Definition = new DomainDefinition
        {
            Id = id,
            Type = "qemu",
            Name = "counter, with a comma",
            Memory = new ByteCount(memory),
            Devices =
            [
                new DiskDevice { Target = "vda", Source = Base.Path, Format = ImageFormat.Raw },
                new ControllerDevice { Kind = ControllerKind.Scsi, Model = ControllerModel.VirtioScsi },
            ],
        };
    }

    public HomeFolder Home { get; }

    public DomainFolder Folder { get; }

    public IHypervisor Hypervisor { get; }

    public DomainDefinition Definition { get; set; }

    public Layer Base { get; }

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public StepContext Context(string operation = "0badcafe") =>
        new(Folder, new ShortId(operation), new Progress<StepProgress>());

    public Layer NewDeviceLayer()
    {
        var copy = NewCopy();
        var device = LoopDevice.Attach(copy.Path);
        _devices.Add(device);
        return copy with { Path = device.Path, Type = StorageType.Block, Origin = LayerOrigin.User };
    }

    public ShortId NewProcess()
    {
        var id = NextId();
        _processes.Add(id);
        return id;
    }

    public MemoryImage NewMemory() => new() { Mode = MemoryMode.External, File = Folder.Memory(NextId()) };

    public async Task RequireVolumeAsync()
    {
        VolumeHost.Require();
        try
        {
            await _storage.MakeVolumeAsync(Home, new NewMemoryVolume(new ByteCount(320 << 20)), Cancellation);
            _hasVolume = true;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Storage)
        {
            Assert.Skip($"no memory volume can be made here: {e.Message}");
        }
    }

    public Layer NewOverlay(Layer below)
    {
        var overlay = NewLayer(below.Disk, ImageFormat.Qcow2, below.Id);
        var format = below.Format is ImageFormat.Raw ? "raw" : "qcow2";
        MakeImage("-f", "qcow2", "-b", below.Path, "-F", format, overlay.Path);
        return overlay;
    }

    public void WriteInto(Layer layer, params int[] blocks) => ImageContent.Write(
        layer, [.. blocks.Select(b => $"write -P 0x{layer.Id.ToString()[^2..]} {b * BlockBytes} {BlockBytes}")]);

    public IReadOnlyList<string> Read(params Layer[] chain) =>
        [.. ImageContent.Read(chain).Chunk(BlockBytes).Skip(1).Select(b => b.Distinct().ToArray()).Select(Convert.ToHexString)];

    public string? BackingOf(Layer layer)
    {
        if (layer.Format is ImageFormat.Raw)
        {
            return null;
        }

        using var image = Qcow2Image.Open(layer.Path);
        return image.Header.BackingName is { } name ? Path.Combine(Path.GetDirectoryName(layer.Path)!, name) : null;
    }

    public Layer NewImage()
    {
        var image = NewLayer("sdb", ImageFormat.Qcow2, null) with { Origin = LayerOrigin.User };
        MakeImage("-f", "qcow2", image.Path, "1M");
        return image;
    }

    /// <summary>Another disk with the same boot sector.</summary>
    public Layer NewCopy()
    {
        var copy = NewLayer("vda", ImageFormat.Raw, null);
        File.Copy(Base.Path, copy.Path);
        return copy;
    }

    public async Task<ShortId> StartAsync(ImmutableArray<Layer> chain, MemoryImage memory, bool run = true)
    {
        var process = NewProcess();
        var launch = Hypervisor.Launch(new LaunchRequest(process, Definition, [new DiskChain("vda", chain)], memory));
        await Hypervisor.ApplyAsync(launch, Context(), Cancellation);
        await Hypervisor.ApplyAsync(Hypervisor.TakeOver(process, Definition, run), Context(), Cancellation);
        return process;
    }

    public Task<HypervisorObservation> ObserveAsync(ShortId process) =>
        Hypervisor.ObserveAsync(Folder, process, Definition, [], Cancellation);

    /// <summary>The guest's counter; it is 0 until the boot sector runs.</summary>
    public async Task<long> CounterAsync(ShortId process)
    {
        await using var machine = await Machine.ConnectAsync(RunFolder.Of(Home, process), TimeProvider.System, Cancellation);
        var answer = await machine!.Qmp.ExecuteAsync(
            "human-monitor-command", new JsonObject { ["command-line"] = $"xp /1wx {CounterAddress}" }, Cancellation);
        return long.Parse(answer.GetString()!.Split("0x")[^1].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until the guest counts.</summary>
    public async Task<long> CountingAsync(ShortId process)
    {
        for (var before = await CounterAsync(process); ; await Task.Delay(20, Cancellation))
        {
            var now = await CounterAsync(process);
            if (now > before && before > 0)
            {
                return now;
            }

            before = now;
        }
    }

    public bool Exists(MemoryImage memory) => File.Exists(memory.File);

    public void RequireTpm() => QemuPrograms.RequireTpm();

    public string? ReadTpm(ShortId state) =>
        Directory.Exists(Folder.Tpm(state)) ? Convert.ToHexString(File.ReadAllBytes($"{Folder.Tpm(state)}/{TpmState.FileName}")) : null;

    public async Task<string> NewTapAsync()
    {
        HostNetworks.Require();
        var name = $"ct{Environment.ProcessId % 1_000_000}x{Interlocked.Increment(ref s_taps)}";
        await HostNetworks.IpAsync("tuntap", "add", "dev", name, "mode", "tap");
        _taps.Add(name);
        return name;
    }

    public bool HasTap(ShortId process, string tap) =>
        new RunProcess(RunFolder.Of(Home, process), ProcessFiles.Qemu, TimeProvider.System).Pid is { } pid && TapHolder.Has(pid, tap);

    /// <summary>What a guest with ACPI does: it finds at a port which slots it is to let go of, and writes at another that it has.</summary>
    public async Task LetGoAsync(ShortId process, int slot)
    {
        const int Asked = 0xae04, LetGo = 0xae08;
        var folder = RunFolder.Of(Home, process);
        await using var qmp = await new RunProcess(folder, ProcessFiles.Qemu, TimeProvider.System)
            .ConnectAsync(folder.Readers, "guest", TimeSpan.FromSeconds(10), Cancellation);
        while ((Convert.ToInt64((await SayAsync($"i /w 0x{Asked:x}")).Split('=')[^1].Trim(), 16) & (1L << slot)) == 0)
        {
            await Task.Delay(20, Cancellation);
        }

        await SayAsync($"o /w 0x{LetGo:x} {1L << slot}");

        async Task<string> SayAsync(string line) => (await qmp.ExecuteAsync(
            "human-monitor-command", new JsonObject { ["command-line"] = line }, Cancellation)).GetString()!;
    }

    public Task WaitAsync() => Task.Delay(20, Cancellation);

    public Task KillAsync(ShortId process) =>
        new RunProcess(RunFolder.Of(Home, process), ProcessFiles.Qemu, TimeProvider.System).KillAsync(Cancellation);

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await Hypervisor.ApplyAsync(Hypervisor.End(process), Context(), CancellationToken.None);
        }

        _devices.ForEach(d => d.Dispose());
        foreach (var tap in _taps)
        {
            await HostNetworks.IpAsync("link", "delete", tap);
        }

        if (_hasVolume)
        {
            Assert.Empty(Directory.GetFiles(Home.Volume, "*.ram", SearchOption.AllDirectories));
            await _storage.RemoveVolumeAsync(Home, CancellationToken.None);
        }

        Assert.Empty(Directory.Exists($"{Home.Path}/run") ? Directory.GetFileSystemEntries($"{Home.Path}/run") : []);
        Directory.Delete(Home.Path, recursive: true);
    }

    private static void MakeImage(params string[] arguments)
    {
        using var image = Process.Start("qemu-img", ["create", "-q", .. arguments]);
        image.WaitForExit();
        Assert.Equal(0, image.ExitCode);
    }

    private ShortId NextId() => new((++_ids).ToString("x8", CultureInfo.InvariantCulture));

    private Layer NewLayer(string disk, ImageFormat format, ShortId? parent)
    {
        var id = NextId();
        return new Layer
        {
            Id = id,
            Disk = disk,
            Path = $"{Home.Path}/{disk}.{id}.img",
            Format = format,
            VirtualSize = new ByteCount(1 << 20),
            Parent = parent,
            Origin = LayerOrigin.Coppice,
        };
    }
}
