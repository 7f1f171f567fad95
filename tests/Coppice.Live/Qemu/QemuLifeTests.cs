using Coppice.Core;
using Coppice.Live.Tree;
using Coppice.Qemu;
using Coppice.Qemu.Probing;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Tpm;

namespace Coppice.Live.Qemu;

public sealed class QemuLifeTests
{
    [Fact]
    public async Task A_launched_guest_stands_until_it_takes_over()
    {
        await using var bed = new QemuBed();
        var process = bed.NewProcess();
        var launch = bed.Hypervisor.Launch(
            new LaunchRequest(process, bed.Definition, [new("vda", [bed.Base])], MemoryImage.None));
        Assert.Equal(StepOutcome.NotDone, await bed.Hypervisor.ProbeAsync(launch, bed.Context(), QemuBed.Cancellation));
        var report = await bed.Hypervisor.ApplyAsync(launch, bed.Context(), QemuBed.Cancellation);
        TestContext.Current.SendDiagnosticMessage("launch {0}", string.Join(", ", report.Timings));
        var standing = await bed.ObserveAsync(process);
        Assert.Equal((DomainState.Paused, true), (standing.State, standing.IsAlive));
        Assert.Equal(bed.Base.Path, standing.ActiveImages["vda"]);
        Assert.Equal(StepOutcome.Done, await bed.Hypervisor.ProbeAsync(launch, bed.Context(), QemuBed.Cancellation));
        await bed.Hypervisor.ApplyAsync(
            bed.Hypervisor.TakeOver(process, bed.Definition, run: true), bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
        await bed.CountingAsync(process);
    }

    [Fact]
    public async Task Readers_do_not_wait_for_the_monitor_of_commands()
    {
        await using var bed = new QemuBed();
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await using var busy = await Machine.ConnectAsync(
            RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        var readers = Enumerable.Range(0, 8).Select(_ => bed.ObserveAsync(process));
        Assert.All(await Task.WhenAll(readers), o => Assert.True(o.IsAlive));
    }

    [Fact]
    public async Task An_image_in_use_is_named()
    {
        await using var bed = new QemuBed();
        await bed.StartAsync([bed.Base], MemoryImage.None);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.StartAsync([bed.Base], MemoryImage.None));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains(bed.Base.Path, error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_image_is_named()
    {
        await using var bed = new QemuBed();
        File.Delete(bed.Base.Path);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.StartAsync([bed.Base], MemoryImage.None));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(bed.Base.Path, error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_probe_guest_runs_where_guests_run()
    {
        await using var bed = new QemuBed();
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var probe = new KvmProbe(QemuPrograms.Usual, TimeProvider.System);
        Assert.True(await probe.RunsAsync("tcg", QemuBed.Cancellation));
        Assert.False(await probe.RunsAsync("no-such-accelerator", QemuBed.Cancellation));
    }

    [Fact]
    public async Task Firmware_is_chosen_once_and_what_suits_none_that_is_installed_is_named()
    {
        Assert.SkipWhen(UefiTests.Missing is not null, UefiTests.Missing ?? "");
        await using var bed = new QemuBed();
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var asked = bed.Definition with { Os = new OsSettings { Machine = "q35", Firmware = new FirmwareSettings { IsChosen = true } } };
        var chosen = await bed.Hypervisor.SealAsync(asked, QemuBed.Cancellation);
        Assert.EndsWith(".fd", chosen.Os.Firmware!.Code, StringComparison.Ordinal);
        Assert.True(File.Exists(chosen.Os.Firmware.Template));
        Assert.Equal(chosen, await bed.Hypervisor.SealAsync(chosen, QemuBed.Cancellation));

        var impossible = new FirmwareSettings { IsChosen = true, Features = [new FirmwareFeature("no-such-feature", true)] };
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.Hypervisor.SealAsync(
            asked with { Os = asked.Os with { Firmware = impossible } }, QemuBed.Cancellation));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("with no-such-feature", error.Problem, StringComparison.Ordinal);
        Assert.Contains("ovmf", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_KVM_a_machine_that_nobody_decided_on_is_emulated_and_one_with_a_version_is_refused_by_name()
    {
        await using var bed = new QemuBed();
        Directory.CreateDirectory($"{bed.Home.Path}/run");
        var sealing = new Sealing(
            new QemuProgram(new QemuOptions(), TimeProvider.System), new KvmProbe("/bin/false", TimeProvider.System), new FirmwareChoice([]),
            new TpmEmulator("swtpm", TimeProvider.System));
        var open = bed.Definition with { Type = "kvm", Os = new OsSettings { Machine = "pc" } };
        var emulated = await sealing.SealAsync(open, QemuBed.Cancellation);
        Assert.Equal("qemu", emulated.Type);
        Assert.Equal("qemu", (await sealing.SealAsync(open with { Os = new OsSettings() }, QemuBed.Cancellation)).Type);
        Assert.Equal(emulated, await sealing.SealAsync(emulated, QemuBed.Cancellation));

        var decided = emulated with { Type = "kvm" };
        var error = await Assert.ThrowsAsync<CoppiceException>(() => sealing.SealAsync(decided, QemuBed.Cancellation));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains(emulated.Os.Machine!, error.Problem, StringComparison.Ordinal);
        Assert.Contains("type='qemu'", error.NextStep, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pc")]
    [InlineData("q35")]
    public async Task A_sealed_machine_with_every_device_starts_and_loads_its_memory(string machine)
    {
        await using var bed = new QemuBed();
        var port = 20000 + Environment.ProcessId % 10000 + (machine == "pc" ? 0 : 10000);
        bed.Definition = await bed.Hypervisor.SealAsync(EveryDevice(bed, machine, port), QemuBed.Cancellation);
        var sealedAgain = await bed.Hypervisor.SealAsync(bed.Definition, QemuBed.Cancellation);
        Assert.Equal(bed.Definition, sealedAgain);
        Assert.Matches("-[0-9]+\\.[0-9]+$", bed.Definition.Os.Machine);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        Assert.Equal($"{bed.Home.Process(process)}/serial0.sock", new FileInfo($"{bed.Folder.Endpoints}/console").LinkTarget);

        var memory = bed.NewMemory();
        var overlay = bed.NewOverlay(bed.Base);
        var request = new CheckpointRequest(process, DomainState.Running, memory, [new("vda", bed.Base, overlay)], default);
        await bed.Hypervisor.ApplyAsync(bed.Hypervisor.Checkpoint(request), bed.Context(), QemuBed.Cancellation);
        await bed.Hypervisor.ApplyAsync(bed.Hypervisor.End(process), bed.Context(), QemuBed.Cancellation);
        var reverted = await bed.StartAsync([bed.NewOverlay(bed.Base), bed.Base], memory);
        await bed.CountingAsync(reverted);
        Assert.Equal($"{bed.Home.Process(reverted)}/serial0.sock", new FileInfo($"{bed.Folder.Endpoints}/console").LinkTarget);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", port, QemuBed.Cancellation);
    }

    [Fact]
    public async Task A_link_in_the_way_keeps_no_guest_from_running_and_goes_with_its_process_only()
    {
        await using var bed = new QemuBed();
        var outside = Directory.CreateTempSubdirectory("co-");
        try
        {
            var (first, second) = ($"{outside.FullName}/first", $"{outside.FullName}/second");
            bed.Definition = bed.Definition with { Devices = [.. bed.Definition.Disks, Serial(0, first), Serial(1, second)] };
            await File.WriteAllTextAsync(first, "precious", QemuBed.Cancellation);
            var process = bed.NewProcess();
            await bed.Hypervisor.ApplyAsync(
                bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [new("vda", [bed.Base])], MemoryImage.None)),
                bed.Context(), QemuBed.Cancellation);
            var takeOver = bed.Hypervisor.TakeOver(process, bed.Definition, run: true);
            var error = await Assert.ThrowsAsync<CoppiceException>(
                () => bed.Hypervisor.ApplyAsync(takeOver, bed.Context(), QemuBed.Cancellation));
            Assert.Equal((ErrorKind.AlreadyExists, $"file {first}"), (error.Kind, error.Subject));
            await bed.CountingAsync(process);
            Assert.Equal($"{bed.Home.Process(process)}/serial1.sock", new FileInfo(second).LinkTarget);

            // The next command tries it again; by then the user has made room, and has paused the guest.
            await bed.Hypervisor.ApplyAsync(bed.Hypervisor.Signal(process, DomainSignal.Pause), bed.Context(), QemuBed.Cancellation);
            File.Delete(first);
            await bed.Hypervisor.ApplyAsync(takeOver, bed.Context(), QemuBed.Cancellation);
            Assert.Equal($"{bed.Home.Process(process)}/serial0.sock", new FileInfo(first).LinkTarget);
            Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(process)).State);

            File.Delete(second);
            File.CreateSymbolicLink(second, "/elsewhere");
            await bed.Hypervisor.ApplyAsync(bed.Hypervisor.End(process), bed.Context(), QemuBed.Cancellation);
            Assert.Equal([second], Directory.GetFileSystemEntries(outside.FullName));
            Assert.Equal("/elsewhere", new FileInfo(second).LinkTarget);
        }
        finally
        {
            outside.Delete(recursive: true);
        }

        static CharacterDevice Serial(int port, string path) => new()
        {
            Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Port = port, Backend = CharacterBackend.Unix, Path = path,
        };
    }

    private static DomainDefinition EveryDevice(QemuBed bed, string machine, int port) => bed.Definition with
    {
        Type = "qemu",
        Os = new OsSettings { Machine = machine },
        Features = MachineFeatures.Acpi,
        VirtualCpus = 2,
        GenerationId = Guid.NewGuid(),
        Devices =
        [
            .. bed.Definition.Disks,
            new DiskDevice
            {
                Target = "sda", Kind = DiskKind.Cdrom, Bus = machine == "pc" ? DiskBus.Ide : DiskBus.Sata, ReadOnly = true,
            },
            new NetworkDevice
            {
                Forwards = [new PortForward { Address = "127.0.0.1", Ranges = [new PortRange(port, port, 22)] }],
            },
            new CharacterDevice { Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial },
            new CharacterDevice { Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Name = "org.coppice.witness" },
            new GraphicsDevice { Port = port + 1000 },
            new VideoDevice { Model = VideoModel.Vga },
            new RandomDevice { Source = "/dev/urandom" },
            new BalloonDevice { Present = true },
            new InputDevice { Kind = InputKind.Tablet, Bus = InputBus.Usb },
        ],
    };
}
