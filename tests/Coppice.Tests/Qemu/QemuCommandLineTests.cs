using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Steps;
using Coppice.Tests.Domains;

namespace Coppice.Tests.Qemu;

public sealed class QemuCommandLineTests
{
    private static readonly Layer s_base = new()
    {
        Id = new ShortId("00000001"), Disk = "vda", Path = "/images/a,b.qcow2", Format = ImageFormat.Qcow2,
        VirtualSize = new ByteCount(1), Origin = LayerOrigin.User,
    };

    private static readonly Layer s_top = s_base with { Id = new ShortId("00000002"), Path = "/images/top.qcow2", Parent = new ShortId("00000001") };

    private static readonly DomainDefinition s_web = new()
    {
        Type = "qemu",
        Id = DomainId.Parse("c7a5fdbd-cdaf-9455-926a-d65c16db1809"),
        Name = "web, the second",
        Memory = new ByteCount(256 << 20),
        VirtualCpus = 2,
        Cpu = new CpuSettings { Model = "qemu64", Features = [new CpuFeature("svm", CpuFeaturePolicy.Disable)] },
        Os = new OsSettings { Machine = "pc-i440fx-7.2" },
        Features = MachineFeatures.Acpi,
        GenerationId = Guid.Parse("d6f5d6a5-5c0e-4a55-8c5c-1b2f3f1a0001"),
        Devices =
        [
            new ControllerDevice { Kind = ControllerKind.VirtioSerial, Address = new PciAddress(0, 5, 0) },
            new DiskDevice { Target = "vda", Source = s_top.Path, Format = ImageFormat.Qcow2, Address = new PciAddress(0, 4, 0), Serial = "S1" },
            new DiskDevice { Target = "hdc", Kind = DiskKind.Cdrom, Bus = DiskBus.Ide, Address = new DriveAddress(0, 1, 0, 0), ReadOnly = true },
            new NetworkDevice
            {
                Mac = "52:54:00:00:00:01", Address = new PciAddress(0, 3, 0),
                Forwards = [new PortForward { Address = "127.0.0.1", Ranges = [new PortRange(2222, 2223, 22)] }],
            },
            new CharacterDevice { Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Port = 0 },
            new CharacterDevice { Role = CharacterRole.Console, Target = CharacterTarget.Serial, Port = 0 },
            new CharacterDevice
            {
                Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Backend = CharacterBackend.Unix,
                Path = "/run/agent.sock", Name = "org.qemu.guest_agent.0", Address = new VirtioSerialAddress(0, 0, 1),
            },
            new GraphicsDevice { Port = 5901 },
            new BalloonDevice { Present = true, Address = new PciAddress(0, 6, 0) },
        ],
    };

    [Fact]
    public void Nothing_is_left_to_qemu()
    {
        var line = QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [new DiskChain("vda", [s_top, s_base])], MemoryImage.None));
        const string File = """{"driver":"file","node-name":"f-00000002","filename":"/images/top.qcow2","read-only":false,"auto-read-only":true,"aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false}}""";
        const string Below = """{"driver":"qcow2","node-name":"l-00000001","read-only":true,"discard":"unmap","cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"f-00000001","filename":"/images/a,b.qcow2","read-only":true,"auto-read-only":false,"aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false}},"backing":null}""";
        string[] expected =
        [
            "-name debug-threads=on,guest=web,, the second",
            "-uuid c7a5fdbd-cdaf-9455-926a-d65c16db1809",
            "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-nodefaults", "-no-user-config", "-display none",
            "-chardev socket,id=commands,path=qmp.sock,server=on,wait=off", "-mon chardev=commands,mode=control",
            "-chardev socket,id=readers,path=readers.sock,server=on,wait=off", "-mon chardev=readers,mode=control",
            "-chardev socket,id=events,path=events.sock,server=on,wait=off", "-mon chardev=events,mode=control",
            "-chardev pipe,id=guard,path=guard", "-mon chardev=guard,mode=readline",
            "-S",
            "-machine pc-i440fx-7.2,memory-backend=ram0,acpi=on", "-accel tcg,thread=multi", "-cpu qemu64,svm=off", "-smp 2", "-m size=262144k",
            "-object memory-backend-ram,id=ram0,size=268435456",
            "-rtc base=utc", "-boot strict=on",
            "-device vmgenid,id=generation,guid=d6f5d6a5-5c0e-4a55-8c5c-1b2f3f1a0001",
            "-device virtio-serial-pci,id=virtio-serial0,bus=pci.0,addr=0x5",
            """-blockdev {"driver":"qcow2","node-name":"l-00000002","read-only":false,"discard":"unmap","cache":{"direct":false,"no-flush":false},"file":""" + File + ""","backing":""" + Below + "}",
            "-device virtio-blk-pci,id=disk-vda,bus=pci.0,addr=0x4,drive=l-00000002,serial=S1,bootindex=1,write-cache=on",
            "-device ide-cd,id=disk-hdc,bus=ide.1,unit=0",
            "-chardev socket,id=serial0,path=serial0.sock,server=on,wait=off", "-device isa-serial,index=0,chardev=serial0,id=serial0-port",
            "-chardev socket,id=channel0,path=channel0.sock,server=on,wait=off",
            "-device virtserialport,bus=virtio-serial0.0,nr=1,name=org.qemu.guest_agent.0,chardev=channel0,id=channel0-port",
            "-netdev user,id=net0", "-device virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:00:00:01,bus=pci.0,addr=0x3",
            "-device virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x6",
            "-vnc unix:vnc.sock",
        ];
        Assert.Equal(string.Join('\n', expected), Lines(line));
    }

    [Fact]
    public void A_block_device_has_a_driver_of_its_own_and_below_a_layer_it_is_only_read_up_to_the_end_that_it_had()
    {
        var device = s_base with { Path = "/dev/vg/lv", Type = StorageType.Block, Format = ImageFormat.Raw, VirtualSize = new ByteCount(1 << 20) };
        var line = QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [new DiskChain("vda", [s_top, device])], MemoryImage.None));
        const string Below = """backing":{"driver":"raw","node-name":"l-00000001","read-only":true,"discard":"unmap","cache":{"direct":false,"no-flush":false},"file":{"driver":"host_device","node-name":"f-00000001","filename":"/dev/vg/lv","read-only":true,"auto-read-only":false,"aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false}},"size":1048576}""";
        Assert.Contains(Below, Lines(line), StringComparison.Ordinal);
        Assert.Contains("""{"driver":"file","node-name":"f-00000002","filename":"/images/top.qcow2","read-only":false""", Lines(line), StringComparison.Ordinal);

        var alone = Lines(QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [new DiskChain("vda", [device])], MemoryImage.None)));
        Assert.DoesNotContain("\"size\"", alone, StringComparison.Ordinal);
        Assert.Contains(
            """{"driver":"host_device","node-name":"f-00000001","filename":"/dev/vg/lv","read-only":false,"auto-read-only":true""", alone,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_pc_of_virt_install_gets_its_topology_sleep_states_and_USB_companions()
    {
        string[] expected =
        [
            "-machine pc,memory-backend=ram0,acpi=on,hpet=off", "-smp 2,sockets=1,dies=1,cores=1,threads=2", "-rtc base=utc,driftfix=slew",
            "-global PIIX4_PM.disable_s3=1", "-global PIIX4_PM.disable_s4=1",
            "-device ich9-usb-ehci1,id=usb0,bus=pci.0,addr=0x3.0x7",
            "-device ich9-usb-uhci1,masterbus=usb0.0,firstport=0,bus=pci.0,multifunction=on,addr=0x3",
            "-device ich9-usb-uhci2,masterbus=usb0.0,firstport=2,bus=pci.0,addr=0x3.0x1",
            "-device ich9-usb-uhci3,masterbus=usb0.0,firstport=4,bus=pci.0,addr=0x3.0x2",
            "-device ide-hd,id=disk-hda,bus=ide.0,unit=0,drive=d-hda,bootindex=1,write-cache=on",
            "-device isa-serial,index=0,chardev=serial0,id=serial0-port",
            "-device e1000,id=nic0,netdev=net0,mac=52:54:00:6b:3c:58,bus=pci.0,addr=0x4",
            "-device VGA,id=video0,bus=pci.0,addr=0x2",
            "-device usb-tablet,id=input0,bus=usb0.0,port=1",
        ];
        Assert.Equal(expected, Interesting(DomainXml.Parse(VirtInstall.Pc()), "-machine", "-smp", "-rtc", "-global", "-device"));
    }

    [Fact]
    public void A_q35_of_virt_install_gets_its_ports_sound_and_watchdogs()
    {
        var ports = Enumerable.Range(1, 14).Select(i => $"-device pcie-root-port,id=pci.{i},chassis={i},port={(i + 2) << 3},bus=pcie.0,addr=0x{i + 2:x}");
        string[] expected =
        [
            "-machine q35,memory-backend=ram0,acpi=on,vmport=off,hpet=off", "-smp 2",
            "-action watchdog=pause",
            "-global ICH9-LPC.disable_s3=1", "-global ICH9-LPC.disable_s4=1", "-global ICH9-LPC.noreboot=off",
            .. ports,
            "-device qemu-xhci,id=usb0,p2=15,p3=15,bus=pci.3,addr=0x0",
            "-device virtio-serial-pci,id=virtio-serial0,bus=pci.6,addr=0x0",
            "-device virtio-blk-pci,id=disk-vda,bus=pci.2,addr=0x0,drive=d-vda,bootindex=1,write-cache=on",
            "-device virtserialport,bus=virtio-serial0.0,nr=1,name=org.qemu.guest_agent.0,chardev=channel0,id=channel0-port",
            "-device isa-serial,index=0,chardev=serial0,id=serial0-port",
            "-device virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:6b:3c:59,bus=pci.1,addr=0x0",
            "-device virtio-vga,id=video0,bus=pcie.0,addr=0x2",
            "-audiodev none,id=audio0", "-device ich9-intel-hda,id=sound0,bus=pcie.0,addr=0x11",
            "-device hda-duplex,id=sound0-codec,bus=sound0.0,cad=0,audiodev=audio0",
            "-device usb-tablet,id=input0,bus=usb0.0,port=1",
            "-device virtio-rng-pci,rng=rng0,id=rng0-port,bus=pci.5,addr=0x0",
            "-device virtio-balloon-pci,id=balloon0,bus=pci.4,addr=0x0",
            "-device i6300esb,id=watchdog0,bus=pcie.0,addr=0x12",
        ];
        var definition = DomainXml.Parse(VirtInstall.Desktop()
            .Replace("action=\"reset\"/>", "action=\"pause\"/><watchdog model=\"itco\" action=\"pause\"/>", StringComparison.Ordinal));
        Assert.Equal(expected, Interesting(definition, "-machine", "-smp", "-action", "-global", "-device", "-audiodev"));
    }

    [Theory]
    [InlineData(TpmModel.Crb, "tpm-crb")]
    [InlineData(TpmModel.Tis, "tpm-tis")]
    public void A_TPM_is_reached_over_the_socket_of_its_emulator(TpmModel model, string device)
    {
        var definition = s_web with { GenerationId = null, Devices = [new TpmDevice { Model = model }] };
        Assert.Equal(
            ["-tpmdev emulator,id=tpm0,chardev=tpm", $"-device {device},id=tpm0-port,tpmdev=tpm0"],
            Interesting(definition, "-tpmdev", "-device"));
        Assert.Contains("-chardev socket,id=tpm,path=tpm.sock", Interesting(definition, "-chardev"));
    }

    [Fact]
    public void Sleep_states_that_are_wanted_and_a_CPU_that_can_migrate_are_asked_for()
    {
        var definition = s_web with
        {
            Type = "kvm",
            Cpu = new CpuSettings { Mode = CpuMode.HostPassthrough, Migratable = true },
            Sleep = new SleepStates(ToMemory: true, ToDisk: null),
            VmwarePort = true,
        };
        Assert.Equal(
            ["-machine pc-i440fx-7.2,memory-backend=ram0,acpi=on,vmport=on", "-cpu host,migratable=on", "-global PIIX4_PM.disable_s3=0"],
            Interesting(definition, "-machine", "-cpu", "-global"));
    }

    [Fact]
    public void UEFI_firmware_is_two_flash_chips_of_which_only_the_second_can_be_written()
    {
        var secure = new FirmwareSettings { Code = "/fw/code.fd", Secure = true, Variables = "/var/web.fd" };
        var uefi = s_web with { Os = new OsSettings { Machine = "pc-q35-7.2", Firmware = secure }, ManagementMode = true, Devices = [] };
        var variables = s_top with { Disk = DiskDevice.FlashTarget, Path = "/var/web.fd", Format = ImageFormat.Raw, Parent = null };
        var request = new LaunchRequest(new ShortId("0badcafe"), uefi, [new DiskChain(DiskDevice.FlashTarget, [variables])], MemoryImage.None);
        string[] options = ["-machine", "-blockdev", "-global", "-device"];
        Assert.Equal(
            [
                "-machine pc-q35-7.2,memory-backend=ram0,acpi=on,smm=on,pflash0=firmware,pflash1=l-00000002",
                """-blockdev {"driver":"raw","node-name":"firmware","read-only":true,"discard":"unmap","cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"firmware-file","filename":"/fw/code.fd","read-only":true,"auto-read-only":false,"aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false}}}""",
                """-blockdev {"driver":"raw","node-name":"l-00000002","read-only":false,"discard":"unmap","cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"f-00000002","filename":"/var/web.fd","read-only":false,"auto-read-only":true,"aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false}}}""",
                "-global driver=cfi.pflash01,property=secure,value=on",
                "-device vmgenid,id=generation,guid=d6f5d6a5-5c0e-4a55-8c5c-1b2f3f1a0001",
            ],
            Lines(QemuCommandLine.Of(request)).Split('\n').Where(line => options.Contains(line.Split(' ')[0])));
    }

    [Fact]
    public void A_process_that_loads_memory_waits_and_has_a_new_generation()
    {
        var memory = new MemoryImage { Mode = MemoryMode.External, File = "/m" };
        var line = QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [], memory));
        Assert.Equal(["-incoming", "defer"], line[^2..]);
        Assert.Contains("vmgenid,id=generation,guid=auto", line);
        var first = QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [], memory) { KeepsGeneration = true });
        Assert.Contains($"vmgenid,id=generation,guid={s_web.GenerationId}", first);
    }

    [Fact]
    public void Sockets_are_found_by_role_and_name()
    {
        var links = Endpoints.Links(s_web).OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key} {l.Value}");
        Assert.Equal(
            ["/run/agent.sock channel0.sock", "channel0 channel0.sock", "console serial0.sock", "org.qemu.guest_agent.0 channel0.sock",
             "serial0 serial0.sock", "vnc.sock vnc.sock"],
            links);
    }

    [Fact]
    public void Ports_are_forwarded_one_by_one() => Assert.Equal(
        [new HostForward("net0", "tcp:127.0.0.1:2222", 22), new HostForward("net0", "tcp:127.0.0.1:2223", 23)],
        HostForward.Of(s_web));

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData(".hidden")]
    [InlineData("a b")]
    public void A_name_that_a_guest_sees_never_becomes_a_path(string name)
    {
        var channel = new CharacterDevice { Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Name = name };
        Assert.Equal(["channel0"], Endpoints.Links(s_web with { Devices = [channel] }).Keys.ToImmutableArray());
    }

    [Fact]
    public void On_a_microvm_each_virtio_device_is_at_a_transport_of_its_own()
    {
        var devices = new Device[]
        {
            new DiskDevice { Target = "vda" }, new RandomDevice(), new RandomDevice(), new BalloonDevice { Present = true }, new NetworkDevice { Mac = "m" },
            new CharacterDevice { Role = CharacterRole.Channel, Target = CharacterTarget.Virtio, Name = "a" },
        };
        var microvm = s_web with
        {
            Os = new OsSettings { Machine = "microvm", Kernel = "/k" }, GenerationId = null, VmwarePort = false, Devices = [.. devices],
        };
        Assert.Equal(
            [
                "-machine microvm,memory-backend=ram0,acpi=on,ioapic2=off",
                "-global virtio-mmio.force-legacy=off",
                "-device virtio-serial-device,id=virtio-serial0,bus=virtio-mmio-bus.5",
                "-device virtio-blk-device,id=disk-vda,bus=virtio-mmio-bus.0,bootindex=1",
                "-device virtserialport,bus=virtio-serial0.0,nr=1,name=a,chardev=channel0,id=channel0-port",
                "-device virtio-net-device,id=nic0,netdev=net0,mac=m,bus=virtio-mmio-bus.4",
                "-device virtio-rng-device,rng=rng0,id=rng0-port,bus=virtio-mmio-bus.1",
                "-device virtio-rng-device,rng=rng1,id=rng1-port,bus=virtio-mmio-bus.2",
                "-device virtio-balloon-device,id=balloon0,bus=virtio-mmio-bus.3",
            ],
            Interesting(microvm, "-machine", "-global", "-device"));
    }

    [Theory]
    [InlineData("microvm", "7.2.22")]
    [InlineData("q35", null)]
    public void Only_a_machine_without_versions_binds_its_memory_to_who_wrote_it(string machine, string? bound)
    {
        var memory = new MemoryImage { Mode = MemoryMode.External, File = "/m", WrittenBy = "7.2.22" };
        var definition = s_web with { Os = new OsSettings { Machine = machine }, Devices = [] };
        var step = new QemuHypervisor(new QemuOptions(), TimeProvider.System).Launch(new LaunchRequest(new ShortId("0badcafe"), definition, [], memory));
        Assert.Equal(bound, step.Read(StepJson.Default.LaunchArguments).OnlyOn);
    }

    /// <summary>The options of these kinds, of a definition whose addresses are assigned.</summary>
    private static IEnumerable<string> Interesting(DomainDefinition definition, params string[] options)
    {
        var request = new LaunchRequest(new ShortId("0badcafe"), DomainSeal.AssignAddresses(definition), [], MemoryImage.None);
        return Lines(QemuCommandLine.Of(request)).Split('\n').Where(line => options.Contains(line.Split(' ')[0]));
    }

    /// <summary>One option a line.</summary>
    private static string Lines(ImmutableArray<string> arguments)
    {
        var lines = new List<string>();
        foreach (var argument in arguments)
        {
            if (argument.StartsWith('-'))
            {
                lines.Add(argument);
            }
            else
            {
                lines[^1] += $" {argument}";
            }
        }

        return string.Join('\n', lines);
    }
}
