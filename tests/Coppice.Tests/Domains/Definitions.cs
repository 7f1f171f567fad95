using Coppice.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Domains;

/// <summary>Sound definitions, made by chance.</summary>
internal static class Definitions
{
    private static readonly Gen<string> s_text = Gen.Elements(
        "plain", "two words", "<&>'\"]]>", "ünï \U0001F333", "tab\there", "line\nbreak", "car\r\nriage", "  spaces  ", "a--b", "&amp;");

    private static readonly Gen<string> s_path = Gen.Elements("a", "b c", "<&'\"", "ü", "a,b=c", "\u2028").Select(n => $"/images/{n}");

    private static readonly Gen<DiskDevice> s_disk =
        from bus in Gen.Elements(DiskBus.Virtio, DiskBus.Scsi, DiskBus.Sata)
        from kind in Gen.Frequency((4, Gen.Constant(DiskKind.Disk)), (1, Gen.Constant(DiskKind.Cdrom)))
        from number in Gen.Choose(0, 10_000)
        from path in s_path
        from isEmpty in Gen.Elements(true, false)
        from type in Gen.Elements(Enum.GetValues<StorageType>())
        from format in Gen.Elements(Enum.GetValues<ImageFormat>())
        from backing in Gen.Elements<ValueList<DeclaredLayer>?>(
            null, [], [new("/images/base", ImageFormat.Raw)], [new("/images/mid", ImageFormat.Qcow2), new("/images/base", ImageFormat.Raw)])
        from readOnly in Gen.Elements(true, false)
        from snapshot in OrNull(Enum.GetValues<DiskMode>())
        from cache in OrNull(Enum.GetValues<DiskCache>())
        from io in OrNull(Enum.GetValues<DiskIo>())
        from discard in OrNull(Enum.GetValues<DiskDiscard>())
        from serial in Gen.Elements(null, "WEB 1", "a.b_c+d-e")
        from remainder in Gen.Elements(null, "<disk><driver queues=\"4\" /><alias name=\"ua-x\" /></disk>", "<disk><wwn>5000c50015ea71aa</wwn></disk>")
        select new DiskDevice
        {
            Bus = bus,
            Kind = kind,
            Target = $"{(bus == DiskBus.Virtio ? "vd" : "sd")}{(char)('a' + (number % 26))}{number}",
            Source = kind == DiskKind.Cdrom && isEmpty ? null : $"{path}{number}",
            Type = type,
            Format = format,
            Backing = backing,
            ReadOnly = readOnly || kind == DiskKind.Cdrom,
            Snapshot = snapshot,
            Cache = cache,
            Io = io,
            Discard = discard,
            Serial = serial,
            Remainder = remainder,
        };

    private static readonly Gen<NetworkDevice> s_network =
        from mac in Gen.Choose(0, 0xFFFFFF)
        from hasMac in Gen.Elements(true, false)
        from model in Gen.Elements(Enum.GetValues<NetworkModel>())
        from protocol in Gen.Elements(Enum.GetValues<ForwardProtocol>())
        from address in Gen.Elements(null, "127.0.0.1", "::1")
        from forwards in (
            from start in Gen.Choose(1, 60_000)
            from length in Gen.Choose(0, 100)
            from to in Gen.Choose(1, 60_000)
            select new PortForward { Protocol = protocol, Address = address, Ranges = [new(start, start + length, to), new(1, 1, 1)] }).ListOf().Resize(3)
        from tap in Gen.Elements(
            null, null, new TapDevice { Bridge = "br0" }, new TapDevice { Bridge = "br-1.20", Name = $"web{mac % 10_000}" }, new TapDevice(),
            new TapDevice { Name = $"tap{mac % 10_000}" }, new TapDevice { Name = $"own{mac % 10_000}", Exists = true })
        from link in OrNull(true, false)
        select new NetworkDevice
        {
            Tap = tap,
            LinkIsUp = link,
            Mac = hasMac ? $"52:54:00:{mac >> 16:x2}:{(mac >> 8) & 0xFF:x2}:{mac & 0xFF:x2}" : null, Model = model,
            Forwards = tap is null ? [.. forwards] : [],
        };

    private static readonly Gen<CharacterDevice> s_character =
        from role in Gen.Elements(Enum.GetValues<CharacterRole>())
        from isVirtio in Gen.Elements(true, false)
        from backend in Gen.Elements(Enum.GetValues<CharacterBackend>())
        from path in s_path
        from isNamed in Gen.Elements(true, false)
        from number in Gen.Choose(0, 10_000)
        select new CharacterDevice
        {
            Role = role,
            Target = role switch
            {
                CharacterRole.Serial => CharacterTarget.IsaSerial,
                CharacterRole.Console when !isVirtio => CharacterTarget.Serial,
                _ => CharacterTarget.Virtio,
            },
            Backend = backend,
            Path = backend == CharacterBackend.File || (backend == CharacterBackend.Unix && isNamed) ? path : null,
            Name = role == CharacterRole.Channel ? $"org.example.{number}" : null,
        };

    private static readonly Gen<Device> s_small = Gen.OneOf(
        Gen.Elements<Device>(
            new GraphicsDevice(), new GraphicsDevice { Port = 5901, Listen = "0.0.0.0" }, new GraphicsDevice { Socket = "/run/vnc" },
            new RandomDevice(), new RandomDevice { Source = "/dev/urandom" },
            new InputDevice { Kind = InputKind.Tablet, Bus = InputBus.Usb }, new InputDevice { Kind = InputKind.Mouse, Bus = InputBus.Ps2 },
            new VideoDevice { Model = VideoModel.Virtio }, new VideoDevice { Model = VideoModel.None },
            new VideoDevice { Model = VideoModel.Vga, Memory = new ByteCount(16 << 20) },
            new SoundDevice { Model = SoundModel.Ich9 }, new WatchdogDevice { Model = WatchdogModel.I6300Esb, Action = WatchdogAction.Pause },
            new TpmDevice { Model = TpmModel.Crb }, new TpmDevice { Model = TpmModel.Tis },
            new OtherDevice("sound") { Remainder = "<sound model=\"ac97\" />" },
            new OtherDevice("interface") { Remainder = "<interface type=\"network\"><source network=\"default\" /></interface>" }));

    private static readonly Gen<CpuSettings> s_cpu =
        from mode in Gen.Elements(Enum.GetValues<CpuMode>())
        from model in Gen.Elements("qemu64", "Skylake-Client-noTSX-IBRS")
        from fallback in OrNull(true, false)
        from migratable in OrNull(true)
        from policy in Gen.Elements(Enum.GetValues<CpuFeaturePolicy>())
        from names in Gen.SubListOf("x2apic", "sse4.1", "svm")
        select new CpuSettings
        {
            Mode = mode, Model = mode == CpuMode.Custom ? model : null, Fallback = fallback, Migratable = migratable,
            Features = [.. names.Select(n => new CpuFeature(n, policy))],
        };

    private static readonly Gen<OsSettings> s_os =
        from machine in Gen.Elements(null, "pc", "q35", "pc-i440fx-7.2", "pc-q35-10.0")
        from architecture in Gen.Elements(null, "x86_64")
        from boot in Gen.SubListOf(Enum.GetValues<BootDevice>())
        from hasKernel in Gen.Elements(true, false)
        from kernel in s_path
        from commandLine in s_text.OrNull()
        select new OsSettings
        {
            Machine = machine,
            Architecture = architecture,
            BootOrder = [.. boot],
            Kernel = hasKernel ? kernel : null,
            Initrd = hasKernel ? kernel : null,
            CommandLine = hasKernel ? commandLine : null,
        };

    private static readonly Gen<ClockSettings> s_clock =
        from offset in Gen.Elements(Enum.GetValues<ClockOffset>())
        from present in OrNull(true, false)
        from policy in OrNull(Enum.GetValues<TickPolicy>())
        from track in Gen.Elements(null, "guest")
        select new ClockSettings
        {
            Offset = offset, Timers = [new() { Name = "rtc", Track = track, TickPolicy = policy }, new() { Name = "hpet", Present = present }],
        };

    private static readonly Gen<Device> s_device = Gen.OneOf(
        s_disk.Select(d => (Device)d), s_network.Select(d => (Device)d), s_character.Select(d => (Device)d), s_small);

    /// <summary>A device for a domain that exists.</summary>
    public static Gen<Device> AddedDevice { get; } =
        from disk in s_disk
        from network in s_network
        from device in Gen.Elements<Device>(disk with { Target = "vdzzz", Bus = DiskBus.Virtio }, network with { Mac = null })
        select device;

    /// <summary>Any sound definition.</summary>
    public static Gen<DomainDefinition> Any { get; } =
        from id in ArbMap.Default.GeneratorFor<Guid>()
        from name in Gen.Elements("web", "two words", "<&>'\"", "ünï \U0001F333", "a.b-c")
        from title in Gen.Elements(null, "A title", "<&>")
        from description in s_text.OrNull()
        from metadata in Gen.Elements(
            null,
            "<metadata />",
            "<metadata> <a:b xmlns:a=\"urn:a\" a:c=\"1\">d<e> </e></a:b>\n</metadata>",
            "<metadata><a><b /></a><!-- c --></metadata>")
        from isGenerated in Gen.Elements(true, false)
        from memory in Gen.Choose(1, int.MaxValue)
        from unit in Gen.Elements(1L, 1024, 1 << 20)
        from topology in (
            from counts in Gen.Choose(1, 3).ListOf().Resize(4).Where(c => c.Count == 4)
            select new CpuTopology(counts[0], counts[1], counts[2], counts[3])).OrNull()
        from cpus in Gen.Choose(1, 64)
        from cpu in s_cpu.OrNull()
        from os in s_os
        from features in Gen.Choose(0, 7)
        from clock in s_clock
        from vmwarePort in OrNull(true, false)
        from toMemory in OrNull(true, false)
        from toDisk in OrNull(true, false)
        from action in Gen.Elements(LifecycleAction.Destroy, LifecycleAction.Restart, LifecycleAction.Preserve, LifecycleAction.RenameRestart)
        from crash in Gen.Elements(Enum.GetValues<LifecycleAction>())
        from devices in s_device.ListOf().Resize(12)
        from balloon in Gen.Elements<Device[]>([], [new BalloonDevice { Present = true }], [new BalloonDevice { Present = false }])
        from remainder in Gen.Elements(
            null,
            "<domain><cpu><numa><cell id=\"0\" cpus=\"0\" memory=\"1\" /></numa></cpu><sysinfo type=\"smbios\" /></domain>")
        select new DomainDefinition
        {
            Id = new DomainId(id),
            Name = name,
            Title = title,
            Description = description,
            Metadata = metadata,
            GenerationId = isGenerated ? id : null,
            Memory = new ByteCount(memory * unit),
            CurrentMemory = isGenerated ? new ByteCount(memory) : null,
            VirtualCpus = topology is null ? cpus : (int)topology.Cpus,
            Topology = topology,
            VmwarePort = vmwarePort,
            Sleep = new SleepStates(toMemory, toDisk),
            Cpu = cpu,
            Os = os,
            Features = (MachineFeatures)features,
            Clock = clock,
            OnPowerOff = action,
            OnReboot = action,
            OnCrash = crash,
            Devices = [.. Sound(devices), .. balloon],
            Remainder = remainder,
        };

    // As many as a machine has room for, and no two that contradict each other.
    private static IEnumerable<Device> Sound(IEnumerable<Device> devices) => devices
        .DistinctBy(d => d is DiskDevice disk ? disk.Target : (object)d)
        .DistinctBy(d => d is NetworkDevice { Mac: { } mac } ? mac : (object)d)
        .DistinctBy(d => d is NetworkDevice { Tap.Name: { } tap } ? tap : (object)d)
        .DistinctBy(d => d is CharacterDevice { Name: { } name } ? name : (object)d)
        .DistinctBy(d => d is InputDevice { Bus: InputBus.Usb } ? "usb" : (object)d)
        .DistinctBy(d => d is WatchdogDevice ? "watchdog" : (object)d)
        .DistinctBy(d => d is TpmDevice ? "tpm" : (object)d)
        .Where((d, i) => d is not CharacterDevice { Role: CharacterRole.Serial } || i < 4);

    private static Gen<T?> OrNull<T>(params T[] values)
        where T : struct => Gen.Elements([null, .. values.Select(v => (T?)v)]);
}
