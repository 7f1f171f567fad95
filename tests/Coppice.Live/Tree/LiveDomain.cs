using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Qemu;
using Coppice.Live.Witness;
using Coppice.Qemu;
using Coppice.Storage;

namespace Coppice.Live.Tree;

/// <summary>A home of its own with one witness guest in it, driven through the API as any caller would.</summary>
public sealed class LiveDomain : IAsyncDisposable
{
    public const string Name = "witness";
    private const string External = " snapshot='external'";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);
    private string? _volume;

    private LiveDomain(string folder, string qemu)
    {
        Folder = folder;
        Home = Open(HomePath, qemu);
    }

    public string Folder { get; }

    public string HomePath => Path.Combine(Folder, "h");

    public Home Home { get; private set; }

    /// <summary>The processes of this home, found by where they run, so that none is missed.</summary>
    public ImmutableArray<int> QemuProcesses => Processes(HomePath);

    /// <summary>Skips the test, with the reason, where a guest cannot be started.</summary>
    public static void Require()
    {
        Assert.SkipWhen(WitnessGuest.Missing is not null, WitnessGuest.Missing ?? "");
        QemuPrograms.Require(QemuPrograms.Usual);
    }

    public static Home Open(string path, string qemu = QemuPrograms.Usual) => Home.Open(new HomeOptions
    {
        Path = path,
        Hypervisor = new QemuHypervisor(
            new QemuOptions { Binary = qemu, CacheFile = $"{path}/cache/qemu.json" }, TimeProvider.System),
        Storage = new FileStorage(TimeProvider.System),
    });

    /// <summary>Defines a domain with empty qcow2 disks; nothing is started.</summary>
    public static Task<LiveDomain> DefineAsync(params string[] disks) => DefineOnAsync(QemuPrograms.Usual, External, disks);

    private static async Task<LiveDomain> DefineOnAsync(
        string qemu, string manner, string[] disks, Func<string, string, string>? edit = null)
    {
        var domain = new LiveDomain(NewFolder(), qemu);
        foreach (var disk in disks)
        {
            await RunAsync("qemu-img", "create", "-q", "-f", "qcow2", domain.ImagePath(disk), "64M");
        }

        var xml = domain.Xml(disks, manner);
        var definition = DomainXml.Parse(edit?.Invoke(xml, domain.Folder) ?? xml, new IdSource(RandomNumberGenerator.Fill));
        await domain.RunAsync(new DefineDomain(definition));
        return domain;
    }

    /// <summary>A domain with two disks and a guest that has booted, in a home of its own.</summary>
    public static async Task<LiveDomain> BootAsync(params string[] disks) =>
        await StartAsync(new LiveDomain(await Cradle.CopyAsync(WithDefault(disks)), QemuPrograms.Usual));

    /// <summary>The same, in a home with a memory volume; see <see cref="LiveVolume.Require"/>.</summary>
    public static async Task<LiveDomain> BootMappedAsync(params string[] disks) =>
        await StartAsync(await MapAsync(new LiveDomain(await Cradle.CopyAsync(WithDefault(disks)), QemuPrograms.Usual)));

    /// <summary>
    /// Boots one with a memory volume on a QEMU program, with two disks and a definition that is edited first; the edit is given the
    /// XML and its folder.
    /// </summary>
    public static async Task<LiveDomain> BootMappedAsync(string qemu, Func<string, string, string> edit) =>
        await StartAsync(await MapAsync(await DefineOnAsync(qemu, External, WithDefault([]), edit)));

    /// <summary>Defines one and boots it there and then.</summary>
    public static async Task<LiveDomain> ColdBootAsync(params string[] disks) =>
        await StartAsync(await DefineOnAsync(QemuPrograms.Usual, External, WithDefault(disks)));

    /// <summary>The same, on a QEMU program.</summary>
    public static async Task<LiveDomain> BootOnAsync(string qemu) =>
        await StartAsync(await DefineOnAsync(qemu, External, WithDefault([])));

    /// <summary>Boots one whose definition does not say how its disks are snapshotted, as libvirt's XML usually does not.</summary>
    public static async Task<LiveDomain> BootOpenAsync(string qemu) =>
        await StartAsync(await DefineOnAsync(qemu, "", WithDefault([])));

    /// <summary>Boots one with one disk, whose definition is edited first; the edit is given the XML and its folder.</summary>
    public static async Task<LiveDomain> BootEditedAsync(Func<string, string, string> edit) =>
        await StartAsync(await DefineOnAsync(QemuPrograms.Usual, "", ["vda"], edit));

    private static string[] WithDefault(string[] disks) => disks is [] ? ["vda", "vdb"] : disks;

    private static async Task<LiveDomain> MapAsync(LiveDomain domain)
    {
        domain._volume = await LiveVolume.NewFolderAsync();
        await domain.Home.MakeVolumeAsync(new NewMemoryVolume(null, Folder: domain._volume), Cancellation);
        return domain;
    }

    private static async Task<LiveDomain> StartAsync(LiveDomain domain)
    {
        try
        {
            await domain.RunAsync(new StartDomain(Name, Paused: false));
            await using var witness = await domain.ConnectAsync();
            return domain;
        }
        catch
        {
            await domain.DisposeAsync();
            throw;
        }
    }

    public string ImagePath(string disk) => Path.Combine(Folder, $"{disk}.qcow2");

    public Task<OperationResult> RunAsync(Request request) => Home.RunAsync(request, new RunOptions(), Cancellation);

    public Task<DomainView> ShowAsync() => Home.ShowAsync(Name, Cancellation);

    /// <summary>Defines it with one more empty disk.</summary>
    public async Task AddDiskAsync(string disk)
    {
        await RunAsync("qemu-img", "create", "-q", "-f", "qcow2", ImagePath(disk), "64M");
        var definition = (await ShowAsync()).Definition;
        var added = definition.Disks[0] with { Target = disk, Source = ImagePath(disk), Address = null };
        await RunAsync(new DefineDomain(definition with { Devices = [.. definition.Devices, added] }));
    }

    /// <summary>Gives it one more empty disk, while it runs or is off.</summary>
    public async Task<OperationResult> AttachAsync(string disk)
    {
        await RunAsync("qemu-img", "create", "-q", "-f", "qcow2", ImagePath(disk), "64M");
        return await RunAsync(new AttachDisk(Name, new NewDisk(ImagePath(disk), ImageFormat.Qcow2)) { Target = disk });
    }

    /// <summary>Forgets the manager and opens the home anew, as the next command would.</summary>
    public void Reopen(string qemu = QemuPrograms.Usual) => Home = Open(HomePath, qemu);

    public Task<OperationResult> CreateAsync(string name) => RunAsync(new CreateSnapshot(Name) { Name = name });

    public Task<OperationResult> RevertAsync(string name, bool discard = false) =>
        RunAsync(new RevertSnapshot(Name, name, RevertState.AsTaken, discard, Force: false));

    /// <summary>Talks to the guest through the endpoint that follows it from process to process.</summary>
    public async Task<WitnessClient> ConnectAsync(string name = Name)
    {
        var view = await Home.ShowAsync(name, Cancellation);
        var endpoint = $"{view.Folder.Endpoints}/{WitnessGuest.PortName}";

        // The link may be longer than the 107 bytes that the address of a socket has; what it points at is short.
        return await WitnessClient.ConnectAsync(
            new FileInfo(endpoint).LinkTarget ?? endpoint, s_patience, TimeProvider.System, Cancellation);
    }

    /// <summary>Talks to the guest that runs, on the socket of whichever process answers. Coppice is not asked.</summary>
    public async Task<WitnessClient> FindRunningAsync()
    {
        using var found = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var tries = QemuProcesses
            .SelectMany(id => WorkingFolder($"/proc/{id}") is { } folder ? Directory.GetFiles(folder, "channel*.sock") : [])
            .Select(socket => WitnessClient.ConnectAsync(socket, s_patience, TimeProvider.System, found.Token)).ToList();
        WitnessClient? first = null;
        while (tries.Count > 0)
        {
            var ended = await Task.WhenAny(tries);
            tries.Remove(ended);
            if (ended.IsCompletedSuccessfully && first is null)
            {
                first = await ended;
                await found.CancelAsync();
            }
            else if (ended.IsCompletedSuccessfully)
            {
                await (await ended).DisposeAsync();
            }
        }

        return first ?? throw new TimeoutException($"no guest of {HomePath} runs");
    }

    public async ValueTask DisposeAsync()
    {
        await KillQemuAsync();
        Directory.Delete(Folder, recursive: true);
        if (_volume is not null)
        {
            Directory.Delete(_volume, recursive: true);
        }
    }

    public Task KillQemuAsync() => EndAllAsync(HomePath);

    /// <summary>Ends the QEMU processes of a home, by id, as a loss of power would.</summary>
    public static async Task EndAllAsync(string home)
    {
        foreach (var id in Processes(home))
        {
            await EndAsync(id);
        }
    }

    /// <summary>QEMU runs in its run folder, below the home.</summary>
    public static ImmutableArray<int> Processes(string home) =>
    [
        .. from folder in Directory.EnumerateDirectories("/proc")
           let id = int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0
           where id > 0 && WorkingFolder(folder)?.StartsWith(home + "/", StringComparison.Ordinal) == true && !IsTimer(folder)
           select id,
    ];

    /// <summary>What ends a process that nobody takes is a shell, and no guest.</summary>
    private static bool IsTimer(string process)
    {
        try
        {
            return File.ReadAllText($"{process}/comm") is "bash\n";
        }
        catch (IOException)
        {
            return false;
        }
    }

    internal static string NewFolder() => Directory.CreateTempSubdirectory("cl-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string? WorkingFolder(string process)
    {
        try
        {
            return Directory.ResolveLinkTarget($"{process}/cwd", returnFinalTarget: false)?.FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static async Task EndAsync(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
            while (WorkingFolder($"/proc/{id}") is not null)
            {
                await Task.Delay(10);
            }
        }
        catch (ArgumentException)
        {
            // It has ended meanwhile.
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync(Cancellation);
        Assert.Equal(0, process.ExitCode);
    }

    private string Xml(string[] disks, string manner) => $"""
        <domain type='qemu'>
          <name>{Name}</name>
          <memory unit='MiB'>144</memory>
          <vcpu>1</vcpu>
          <os>
            <type arch='x86_64' machine='pc'>hvm</type>
            <kernel>{WitnessGuest.KernelPath}</kernel>
            <initrd>{WitnessGuest.InitrdPath}</initrd>
            <cmdline>{WitnessGuest.KernelCommandLine}</cmdline>
          </os>
          <features><acpi/></features>
          <devices>
            {string.Concat(disks.Select(d => $"""
                <disk type='file' device='disk'{manner}>
                  <driver name='qemu' type='qcow2'/>
                  <source file='{ImagePath(d)}'/>
                  <target dev='{d}' bus='virtio'/>
                </disk>
                """))}
            <serial type='pty'><target port='0'/></serial>
            <console type='pty'><target type='serial' port='0'/></console>
            <channel type='unix'><target type='virtio' name='{WitnessGuest.PortName}'/></channel>
            <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
          </devices>
        </domain>
        """;
}
