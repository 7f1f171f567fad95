using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Steps;

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
    public void A_process_that_loads_memory_waits_and_has_a_new_generation()
    {
        var memory = new MemoryImage { Mode = MemoryMode.External, File = "/m" };
        var line = QemuCommandLine.Of(new LaunchRequest(new ShortId("0badcafe"), s_web, [], memory));
        Assert.Equal(["-incoming", "defer"], line[^2..]);
        Assert.Contains("vmgenid,id=generation,guid=auto", line);
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
