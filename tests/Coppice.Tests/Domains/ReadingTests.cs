using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class ReadingTests
{
    private static readonly DomainDefinition Web = DomainXml.Parse(Documents.Ordinary);

    [Fact]
    public void The_guest_is_read()
    {
        Assert.Equal("web", Web.Name);
        Assert.Equal(Documents.Uuid, Web.Id.ToString());
        Assert.Equal("The web server", Web.Title);
        Assert.Equal("Serves pages & little else.\nAsk before you touch it.", Web.Description);
        Assert.Equal(new ByteCount(2L << 30), Web.Memory);
        Assert.Equal(new ByteCount(1L << 30), Web.CurrentMemory);
        Assert.Equal(2, Web.VirtualCpus);
        Assert.Equal(Guid.Parse("c2a2f0de-0b0c-4a42-9f58-0f2b8b9f3a77"), Web.GenerationId);
        Assert.Equal(
            new CpuSettings
            {
                Mode = CpuMode.Custom,
                Model = "qemu64",
                Fallback = false,
                Features = [new("x2apic", CpuFeaturePolicy.Require), new("svm", CpuFeaturePolicy.Disable)],
            },
            Web.Cpu);
        Assert.Equal(
            new OsSettings
            {
                Architecture = "x86_64",
                Machine = "pc-i440fx-7.2",
                BootOrder = [BootDevice.HardDisk, BootDevice.Cdrom],
                Kernel = "/boot/vmlinuz",
                Initrd = "/boot/initrd.img",
                CommandLine = "console=ttyS0 root=/dev/vda1 quiet=\"no\"",
            },
            Web.Os);
        Assert.Equal(MachineFeatures.Acpi | MachineFeatures.Apic | MachineFeatures.Pae, Web.Features);
        Assert.Equal(LifecycleAction.Preserve, Web.OnCrash);
        Assert.Equal("/usr/bin/qemu-system-x86_64", Web.Emulator);
    }

    [Fact]
    public void The_clock_is_read() => Assert.Equal(
        new ClockSettings
        {
            Timers =
            [
                new() { Name = "rtc", TickPolicy = TickPolicy.CatchUp, Track = "guest" },
                new() { Name = "hpet", Present = false },
            ],
        },
        Web.Clock);

    [Fact]
    public void The_disks_are_read()
    {
        Assert.Equal(
            new DiskDevice
            {
                Target = "vda",
                Source = "/var/images/web.qcow2",
                Format = ImageFormat.Qcow2,
                Backing = [new("/var/images/base.qcow2", ImageFormat.Qcow2), new("/var/images/golden.raw", ImageFormat.Raw)],
                Snapshot = DiskMode.External,
                Cache = DiskCache.None,
                Io = DiskIo.Native,
                Discard = DiskDiscard.Unmap,
                Serial = "WEB-0001",
                Address = new PciAddress(0, 4, 0),
                Remainder = "<disk><driver error_policy=\"stop\" /><alias name=\"virtio-disk0\" /></disk>",
            },
            Web.Disks[0] with { Remainder = Web.Disks[0].Remainder!.Replace(" xmlns:app=\"http://example.org/app/1\"", "", StringComparison.Ordinal) });
        Assert.Equal(
            new DiskDevice
            {
                Target = "hda", Kind = DiskKind.Cdrom, Bus = DiskBus.Ide, ReadOnly = true, Address = new DriveAddress(0, 0, 0, 0),
            },
            Web.Disks[1]);
    }

    [Fact]
    public void The_other_devices_are_read_in_their_order() => Assert.Equal<Device>(
        [
            new NetworkDevice
            {
                Mac = "52:54:00:ab:cd:ef",
                Forwards = [new() { Address = "127.0.0.1", Ranges = [new(2222, 2222, 22), new(8000, 8010, 8000)] }],
            },
            new CharacterDevice { Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Port = 0 },
            new CharacterDevice { Role = CharacterRole.Console, Target = CharacterTarget.Serial, Port = 0 },
            new CharacterDevice
            {
                Role = CharacterRole.Channel,
                Target = CharacterTarget.Virtio,
                Backend = CharacterBackend.Unix,
                Name = "org.qemu.guest_agent.0",
                Address = new VirtioSerialAddress(0, 0, 1),
            },
            new GraphicsDevice { Listen = "127.0.0.1" },
            new VideoDevice { Model = VideoModel.Vga, Memory = new ByteCount(16 << 20) },
            new RandomDevice { Source = "/dev/urandom" },
            new BalloonDevice { Present = true },
            new TpmDevice { Model = TpmModel.Crb },
            new ControllerDevice { Kind = ControllerKind.Usb, Model = ControllerModel.None },
            new ControllerDevice { Kind = ControllerKind.VirtioSerial },
            new InputDevice { Kind = InputKind.Keyboard, Bus = InputBus.Ps2 },
        ],
        Web.Devices.Where(d => d is not DiskDevice).Select(d => d with { Remainder = null }));

    [Fact]
    public void Nothing_in_an_ordinary_domain_prevents_a_start() => Assert.Empty(Web.Obstacles);

    [Fact]
    public void Reading_what_was_written_gives_an_equal_domain()
    {
        var written = DomainXml.Format(Web);

        Assert.Equal(Web, DomainXml.Parse(written));
        Assert.Equal(written, DomainXml.Format(DomainXml.Parse(written)));
    }

    [Fact]
    public Task What_is_written_satisfies_libvirts_schema() => LibvirtSchema.AssertValidAsync("domain.rng", [DomainXml.Format(Web)]);

    [Fact]
    public void Metadata_keeps_every_character()
    {
        const string Metadata = "<metadata>\n    <app:owner since=\"2024\">   Ada   <app:team/> </app:owner>\n    <!-- of the application -->\n  </metadata>";

        Assert.Contains(Metadata.Replace("<app:team/>", "<app:team />", StringComparison.Ordinal), DomainXml.Format(Web), StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_stay_in_the_order_of_the_document()
    {
        var written = DomainXml.Format(Web);
        string[] marks = ["\"vda\"", "<interface", "\"hda\"", "<serial type", "<input"];
        int[] places = [.. marks.Select(mark => written.IndexOf(mark, StringComparison.Ordinal))];

        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
    }
}
