using System.Collections.Immutable;
using System.Globalization;

namespace Coppice.Core;

/// <summary>An image for a new domain.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Format">Its format, as the caller found or was told.</param>
/// <param name="Type">What it is kept in.</param>
public sealed record NewDisk(string Path, ImageFormat Format, StorageType Type = StorageType.File);

/// <summary>A TCP port of the host's loopback address that leads to the guest, as <c>2222:22</c>.</summary>
/// <param name="HostPort">The port of the host.</param>
/// <param name="GuestPort">The port of the guest.</param>
public sealed record NewForward(int HostPort, int GuestPort)
{
    /// <summary>Reads <c>HOST:GUEST</c>.</summary>
    /// <exception cref="CoppiceException">It is not two port numbers (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static NewForward Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split(':') is [var first, var second] && Port(first) is { } host && Port(second) is { } guest
            ? new NewForward(host, guest)
            : throw new CoppiceException(
                ErrorKind.InvalidInput, $"port forward '{text}'", "it is not two port numbers", "write HOST:GUEST, like 2222:22");
    }

    private static int? Port(string text) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0 ? port : null;
}

/// <summary>What a network card of a new domain is connected to.</summary>
/// <param name="Tap">The tap device; null for user networking.</param>
public sealed record NewNetwork(TapDevice? Tap)
{
    /// <summary>Reads <c>user</c>, <c>bridge=NAME</c> or <c>tap=NAME</c>, of a tap device that exists.</summary>
    /// <exception cref="CoppiceException">It is none of these (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static NewNetwork Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split('=', 2) switch
        {
            ["user"] => new NewNetwork(Tap: null),
            ["bridge", var bridge] when TapDevice.IsName(bridge) => new NewNetwork(new TapDevice { Bridge = bridge }),
            ["tap", var tap] when TapDevice.IsName(tap) => new NewNetwork(new TapDevice { Name = tap, Exists = true }),
            _ => throw new CoppiceException(
                ErrorKind.InvalidInput, $"network '{text}'", "is not known",
                "write user, none, bridge=NAME or tap=NAME, with the name of a network device of this host"),
        };
    }
}

/// <summary>What <c>coppice create</c> is told; it makes an ordinary Linux guest of it.</summary>
public sealed record NewDomain
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its hard disks, on virtio.</summary>
    public required ImmutableArray<NewDisk> Disks { get; init; }

    /// <summary>Its RAM.</summary>
    public required ByteCount Memory { get; init; }

    /// <summary>How many virtual CPUs it gets.</summary>
    public int VirtualCpus { get; init; } = 1;

    /// <summary>The machine type.</summary>
    public string Machine { get; init; } = "pc";

    /// <summary>The absolute path of a cloud-init seed image.</summary>
    public string? Seed { get; init; }

    /// <summary>The absolute path of a CD-ROM image; it is booted from when no disk boots.</summary>
    public string? Cdrom { get; init; }

    /// <summary>Its network cards, on virtio.</summary>
    public ImmutableArray<NewNetwork> Networks { get; init; } = [new(Tap: null)];

    /// <summary>Ways in from the host, to the first card on user networking.</summary>
    public ImmutableArray<NewForward> Forwards { get; init; } = [];

    /// <summary>Whether it gets a graphics card, shown by VNC on the loopback address.</summary>
    public bool Screen { get; init; }

    /// <summary>It boots by the host's UEFI firmware rather than by BIOS.</summary>
    public bool Uefi { get; init; }

    /// <summary>Whether it gets a TPM 2.0.</summary>
    public bool Tpm { get; init; }

    /// <summary>The definition, not sealed yet.</summary>
    /// <param name="ids">Where uuid, generation id and MAC address come from.</param>
    /// <exception cref="CoppiceException">A value is not sound (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public DomainDefinition ToDefinition(IdSource ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (Forwards.Length > 0 && Networks.All(n => n.Tap is not null))
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"port forward '{Forwards[0].HostPort}:{Forwards[0].GuestPort}'",
                "needs a card on user networking, and there is none", "add the network user, or leave the forward out");
        }

        var definition = new DomainDefinition
        {
            Id = new DomainId(ids.NextGuid()),
            Name = Name,
            GenerationId = ids.NextGuid(),
            Memory = Memory,
            VirtualCpus = VirtualCpus,
            Cpu = new CpuSettings { Mode = CpuMode.HostModel },
            Os = new OsSettings
            {
                Architecture = "x86_64",
                Machine = Machine,
                Firmware = Uefi ? new FirmwareSettings { IsChosen = true } : null,
                BootOrder = Cdrom is null ? [BootDevice.HardDisk] : [BootDevice.HardDisk, BootDevice.Cdrom],
            },
            Features = MachineFeatures.Acpi | MachineFeatures.Apic,
            Devices = [.. Drives(), .. Ports(), .. Screens(), .. Cards(ids), .. Extras()],
        };

        // One set of rules for what is sound, whether it came as XML or as options.
        return DomainXml.Parse(DomainXml.Format(definition));
    }

    // External: a snapshot of which nothing more is said is then taken and reverted the fast way (R117, R144).
    private IEnumerable<Device> Drives()
    {
        var letter = 'a';
        foreach (var disk in Disks)
        {
            yield return new DiskDevice
            {
                Target = $"vd{letter++}",
                Source = disk.Path,
                Type = disk.Type,
                Format = disk.Format,
                Snapshot = DiskMode.External,
            };
        }

        // On virtio, because the kernels of cloud images often have no driver for IDE and SATA.
        if (Seed is not null)
        {
            yield return new DiskDevice { Target = $"vd{letter}", Source = Seed, ReadOnly = true };
        }

        if (Cdrom is not null)
        {
            var (target, bus) = Machine.Contains("q35", StringComparison.Ordinal) ? ("sda", DiskBus.Sata) : ("hda", DiskBus.Ide);
            yield return new DiskDevice { Target = target, Kind = DiskKind.Cdrom, Bus = bus, Source = Cdrom, ReadOnly = true };
        }
    }

    private static IEnumerable<Device> Ports() =>
    [
        new ControllerDevice { Kind = ControllerKind.Usb, Model = ControllerModel.None },
        new CharacterDevice { Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Port = 0 },
        new CharacterDevice
        {
            Role = CharacterRole.Channel,
            Target = CharacterTarget.Virtio,
            Backend = CharacterBackend.Unix,
            Name = GuestAgentChannel.Name,
        },
    ];

    private IEnumerable<Device> Screens() =>
        Screen ? [new GraphicsDevice { Listen = "127.0.0.1" }, new VideoDevice { Model = VideoModel.Vga }] : [];

    private IEnumerable<NetworkDevice> Cards(IdSource ids)
    {
        var first = Networks.FirstOrDefault(n => n.Tap is null);
        return Networks.Select(n => new NetworkDevice
        {
            Mac = ids.NextMac(), Tap = n.Tap, Forwards = ReferenceEquals(n, first) ? [.. Forwards.Select(Forwarded)] : [],
        });
    }

    private static PortForward Forwarded(NewForward forward) => new()
    {
        Address = "127.0.0.1", Ranges = [new PortRange(forward.HostPort, forward.HostPort, forward.GuestPort)],
    };

    private IEnumerable<Device> Extras() =>
    [
        new RandomDevice { Source = "/dev/urandom" }, new BalloonDevice { Present = true },
        .. Tpm ? [new TpmDevice { Model = TpmModel.Crb }] : Array.Empty<Device>(),
    ];
}
