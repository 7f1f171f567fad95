using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class NewDomainTests
{
    private static readonly NewDomain Web = new()
    {
        Name = "web",
        Disks = [new("/images/web.qcow2", ImageFormat.Qcow2)],
        Memory = new ByteCount(2L << 30),
        Seed = "/images/seed.iso",
        Cdrom = "/images/install.iso",
        Forwards = [new(2222, 22)],
    };

    [Fact]
    public void It_is_an_ordinary_Linux_guest()
    {
        const string Expected = """
            <domain type="kvm">
              <name>web</name>
              <uuid>01010101-0101-4101-8101-010101010101</uuid>
              <genid>02020202-0202-4202-8202-020202020202</genid>
              <memory unit="KiB">2097152</memory>
              <vcpu>1</vcpu>
              <os>
                <type arch="x86_64" machine="pc">hvm</type>
                <boot dev="hd" />
                <boot dev="cdrom" />
              </os>
              <features>
                <acpi />
                <apic />
              </features>
              <cpu mode="host-model" />
              <clock offset="utc" />
              <on_poweroff>destroy</on_poweroff>
              <on_reboot>restart</on_reboot>
              <on_crash>destroy</on_crash>
              <devices>
                <disk type="file" device="disk" snapshot="external">
                  <driver name="qemu" type="qcow2" />
                  <source file="/images/web.qcow2" />
                  <target dev="vda" bus="virtio" />
                </disk>
                <disk type="file" device="disk">
                  <driver name="qemu" type="raw" />
                  <source file="/images/seed.iso" />
                  <target dev="vdb" bus="virtio" />
                  <readonly />
                </disk>
                <disk type="file" device="cdrom">
                  <driver name="qemu" type="raw" />
                  <source file="/images/install.iso" />
                  <target dev="hda" bus="ide" />
                  <readonly />
                </disk>
                <controller type="usb" index="0" model="none" />
                <serial type="pty">
                  <target type="isa-serial" port="0" />
                </serial>
                <channel type="unix">
                  <target type="virtio" name="org.qemu.guest_agent.0" />
                </channel>
                <interface type="user">
                  <mac address="52:54:00:03:03:03" />
                  <portForward proto="tcp" address="127.0.0.1">
                    <range start="2222" to="22" />
                  </portForward>
                  <model type="virtio" />
                </interface>
                <rng model="virtio">
                  <backend model="random">/dev/urandom</backend>
                </rng>
                <memballoon model="virtio" />
              </devices>
            </domain>

            """;

        Assert.Equal(Expected, DomainXml.Format(Make(Web)));
    }

    [Theory]
    [InlineData("pc")]
    [InlineData("q35")]
    public async Task It_can_be_started_sealed_and_shown_to_libvirt(string machine)
    {
        var definition = DomainSeal.AssignAddresses(Make(Web with { Machine = machine, Screen = true }));

        Assert.Empty(definition.Obstacles);
        await LibvirtSchema.AssertValidAsync("domain.rng", [DomainXml.Format(definition)]);
    }

    [Fact]
    public void An_unsound_option_is_refused()
    {
        Assert.Throws<CoppiceException>(() => Make(Web with { Name = "../web" }));
        Assert.Throws<CoppiceException>(() => Make(Web with { Seed = "seed.iso" }));
        Assert.Throws<CoppiceException>(() => Make(Web with { Memory = default }));
        Assert.Throws<CoppiceException>(() => Make(Web with { VirtualCpus = 0 }));
    }

    [Fact]
    public void A_forward_is_two_ports() => Assert.Equal(new NewForward(2222, 22), NewForward.Parse("2222:22"));

    [Theory]
    [InlineData("")]
    [InlineData("22")]
    [InlineData("1:2:3")]
    [InlineData("0:22")]
    [InlineData("22:65536")]
    [InlineData("a:b")]
    public void A_forward_that_is_not_two_ports_is_refused(string text) => Assert.Throws<CoppiceException>(() => NewForward.Parse(text));

    [Fact]
    public void A_document_without_them_gets_uuid_generation_id_and_MAC_address()
    {
        var document = Documents.With("<interface type='user'/>", "<genid/>")
            .Replace($"<uuid>{Documents.Uuid}</uuid>", "", StringComparison.Ordinal);

        var definition = DomainXml.Parse(document, Ids());

        Assert.Equal("01010101-0101-4101-8101-010101010101", definition.Id.ToString());
        Assert.Equal(new Guid("02020202-0202-4202-8202-020202020202"), definition.GenerationId);
        Assert.Equal("52:54:00:03:03:03", definition.Devices.OfType<NetworkDevice>().Single().Mac);
    }

    private static DomainDefinition Make(NewDomain options) => options.ToDefinition(Ids());

    private static IdSource Ids()
    {
        byte next = 0;
        return new IdSource(bytes => bytes.Fill(++next));
    }
}
