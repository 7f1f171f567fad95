using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.CommandLine;

/// <summary>The devices other than drives.</summary>
internal static class DeviceArguments
{
    /// <summary>What QEMU calls the backend of the n-th network card.</summary>
    public static string NetworkBackend(int index) => $"net{index}";

    /// <summary>What QEMU calls the n-th network card.</summary>
    public static string NetworkCard(int index) => $"nic{index}";

    /// <summary>What QEMU calls the n-th graphics card.</summary>
    public static string VideoCard(int index) => $"video{index}";

    /// <summary>The network cards of which the definition says whether their cables are plugged in.</summary>
    public static ImmutableSortedDictionary<string, bool> Cables(DomainDefinition definition) => definition.Devices
        .OfType<NetworkDevice>()
        .Select((n, i) => (Card: NetworkCard(i), n.LinkIsUp)).Where(c => c.LinkIsUp is not null)
        .ToImmutableSortedDictionary(c => c.Card, c => c.LinkIsUp!.Value, StringComparer.Ordinal);

    /// <summary>Controllers come before what is plugged into them, and before their companions.</summary>
    public static IEnumerable<string> Controllers(DomainDefinition definition, Wiring wiring) => definition.Devices
        .OfType<ControllerDevice>()
        .Where(c => !wiring.IsOnBoard(c))
        .OrderBy(c => c.Kind is ControllerKind.Pci ? 0 : c.FirstPort is null ? 1 : 2)
        .SelectMany(c => Device(wiring.Plug(Controller(c, wiring), c)));

    public static IEnumerable<string> Of(DomainDefinition definition, Wiring wiring, IReadOnlyDictionary<Device, int> turns) =>
    [
        .. Endpoints.Of(definition).SelectMany(Character),
        .. definition.Devices.OfType<NetworkDevice>().SelectMany(
            (n, i) => Network(n, i, wiring, turns.TryGetValue(n, out var turn) ? turn : null)),
        .. definition.Devices.OfType<VideoDevice>()
            .Where(v => v.Model is not VideoModel.None)
            .SelectMany((v, i) => Video(v, i, wiring)),
        .. definition.Devices.OfType<SoundDevice>().SelectMany((s, i) => Sound(s, i, wiring)),
        .. definition.Devices.OfType<InputDevice>().Where(i => i.Bus is InputBus.Usb).SelectMany(Input),
        .. definition.Devices.OfType<RandomDevice>().SelectMany((r, i) => Random(r, i, wiring)),
        .. definition.Devices.OfType<BalloonDevice>().Where(b => b.Present).SelectMany((b, i) =>
            Device(wiring.Plug(new QemuOption(wiring.Virtio("balloon")).With("id", $"balloon{i}"), b))),
        .. definition.Tpm is { } tpm ? Tpm(tpm) : [],
        .. definition.Devices.OfType<WatchdogDevice>().Where(w => w.Model is WatchdogModel.I6300Esb).SelectMany((w, i) =>
            Device(wiring.Plug(new QemuOption("i6300esb").With("id", $"watchdog{i}"), w))),
    ];

    private static string[] Device(QemuOption device) => ["-device", device.ToString()];

    private static QemuOption Controller(ControllerDevice controller, Wiring wiring) => controller.Kind switch
    {
        ControllerKind.Pci => new QemuOption("pcie-root-port").With("id", $"pci.{controller.Index}")
            .With("chassis", controller.Chassis ?? controller.Index).With("port", controller.Port),
        ControllerKind.Usb when controller.FirstPort is { } port => new QemuOption(UsbModel(controller.Model))
            .With("masterbus", $"usb{controller.Index}.0").With("firstport", port),
        ControllerKind.Usb => new QemuOption(UsbModel(controller.Model)).With("id", $"usb{controller.Index}")
            .With("p2", controller.Ports).With("p3", controller.Ports),
        ControllerKind.Sata => new QemuOption("ahci").With("id", $"sata{controller.Index}"),
        ControllerKind.Scsi => new QemuOption(wiring.Virtio("scsi")).With("id", $"scsi{controller.Index}"),
        _ => new QemuOption(wiring.Virtio("serial")).With("id", $"virtio-serial{controller.Index}")
            .With("max_ports", controller.Ports),
    };

    private static string UsbModel(ControllerModel model) => model switch
    {
        ControllerModel.Piix3Uhci => "piix3-usb-uhci",
        ControllerModel.Ich9Ehci1 => "ich9-usb-ehci1",
        ControllerModel.Ich9Uhci1 => "ich9-usb-uhci1",
        ControllerModel.Ich9Uhci2 => "ich9-usb-uhci2",
        ControllerModel.Ich9Uhci3 => "ich9-usb-uhci3",
        _ => "qemu-xhci",
    };

    private static string[] Character(Endpoint end)
    {
        var backend = end.Device.Backend switch
        {
            CharacterBackend.Null => new QemuOption("null").With("id", end.Id),
            CharacterBackend.File => new QemuOption("file").With("id", end.Id).With("path", end.Device.Path).With("append", true),
            _ => new QemuOption("socket").With("id", end.Id).With("path", end.Socket).With("server", true).With("wait", false),
        };
        var device = end.Device switch
        {
            { Target: CharacterTarget.IsaSerial } => new QemuOption("isa-serial").With("index", end.Device.Port),
            { Role: CharacterRole.Console } => Wiring.VirtioSerial(new QemuOption("virtconsole"), end.Device.Address),
            _ => Wiring.VirtioSerial(new QemuOption("virtserialport"), end.Device.Address).With("name", end.Device.Name),
        };
        return ["-chardev", backend.ToString(), .. Device(device.With("chardev", end.Id).With("id", $"{end.Id}-port"))];
    }

    // Ports are forwarded when the process takes over: until then they belong to the one it follows. So may the tap device, and
    // the hub is where it is plugged in later. What a guest sends until then goes down the drain: a hub without one keeps it, and
    // the card waits for ever.
    private static string[] Network(NetworkDevice network, int index, Wiring wiring, int? turn)
    {
        var backend = NetworkBackend(index);
        return
        [
            .. network.Tap is null
                ? Backend(new QemuOption("user").With("id", backend))
                : [.. Backend(HubPort(backend, index)), .. Backend(HubPort($"drain{index}", index))],
            .. Device(Card(network, index, wiring, turn)),
        ];
    }

    /// <summary>The n-th network card, on its backend.</summary>
    public static QemuOption Card(NetworkDevice network, int index, Wiring wiring, int? turn)
    {
        var model = network.Model switch
        {
            NetworkModel.E1000 => "e1000",
            NetworkModel.E1000e => "e1000e",
            _ => wiring.Virtio("net"),
        };
        var card = new QemuOption(model).With("id", NetworkCard(index)).With("netdev", NetworkBackend(index))
            .With("mac", network.Mac).With("bootindex", turn);
        return wiring.Plug(card, network);
    }

    private static string[] Backend(QemuOption backend) => ["-netdev", backend.ToString()];

    private static QemuOption HubPort(string id, int hub) => new QemuOption("hubport").With("id", id).With("hubid", hub);

    private static string[] Video(VideoDevice video, int index, Wiring wiring)
    {
        var (model, memory) = video.Model switch
        {
            VideoModel.Virtio => ("virtio-vga", null),
            VideoModel.Cirrus => ("cirrus-vga", "vgamem_mb"),
            VideoModel.Bochs => ("bochs-display", null),
            _ => ("VGA", "vgamem_mb"),
        };
        var card = wiring.Plug(new QemuOption(model).With("id", VideoCard(index)), video);
        return Device(memory is null ? card : card.With(memory, video.Memory?.Bytes / (1 << 20)));
    }

    private static string[] Sound(SoundDevice sound, int index, Wiring wiring)
    {
        var card = new QemuOption(sound.Model is SoundModel.Ich6 ? "intel-hda" : "ich9-intel-hda").With("id", $"sound{index}");
        var codec = new QemuOption("hda-duplex").With("id", $"sound{index}-codec").With("bus", $"sound{index}.0").With("cad", 0)
            .With("audiodev", $"audio{index}");
        return
        [
            "-audiodev", new QemuOption("none").With("id", $"audio{index}").ToString(),
            .. Device(wiring.Plug(card, sound)), .. Device(codec),
        ];
    }

    private static string[] Tpm(TpmDevice tpm) =>
    [
        "-chardev", new QemuOption("socket").With("id", "tpm").With("path", RunFolder.TpmControlName).ToString(),
        "-tpmdev", new QemuOption("emulator").With("id", "tpm0").With("chardev", "tpm").ToString(),
        .. Device(new QemuOption(tpm.Model is TpmModel.Crb ? "tpm-crb" : "tpm-tis").With("id", "tpm0-port").With("tpmdev", "tpm0")),
    ];

    private static string[] Input(InputDevice input, int index)
    {
        var model = input.Kind switch { InputKind.Tablet => "usb-tablet", InputKind.Mouse => "usb-mouse", _ => "usb-kbd" };
        return Device(Wiring.Usb(new QemuOption(model).With("id", $"input{index}"), input.Address));
    }

    private static string[] Random(RandomDevice random, int index, Wiring wiring)
    {
        var source = random.Source is null
            ? new QemuOption("rng-builtin").With("id", $"rng{index}")
            : new QemuOption("rng-random").With("id", $"rng{index}").With("filename", random.Source);
        var device = new QemuOption(wiring.Virtio("rng")).With("rng", $"rng{index}").With("id", $"rng{index}-port");
        return ["-object", source.ToString(), .. Device(wiring.Plug(device, random))];
    }
}
