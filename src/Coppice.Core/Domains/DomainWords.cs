namespace Coppice.Core;

/// <summary>libvirt's words, where they name values of our enumerations.</summary>
internal static class DomainWords
{
    public static readonly Vocabulary<DiskKind> DiskKinds = new(
        "kind of drive", ("disk", DiskKind.Disk), ("cdrom", DiskKind.Cdrom));

    public static readonly Vocabulary<StorageType> StorageTypes = new(
        "type of disk", ("file", StorageType.File), ("block", StorageType.Block));

    public static readonly Vocabulary<DiskBus> DiskBuses = new(
        "bus", ("virtio", DiskBus.Virtio), ("ide", DiskBus.Ide), ("sata", DiskBus.Sata), ("scsi", DiskBus.Scsi));

    public static readonly Vocabulary<ImageFormat> ImageFormats = new(
        "image format", ("raw", ImageFormat.Raw), ("qcow2", ImageFormat.Qcow2));

    public static readonly Vocabulary<DiskMode> DiskModes = new(
        "way to snapshot a disk", ("no", DiskMode.None), ("internal", DiskMode.Internal), ("external", DiskMode.External),
        ("manual", DiskMode.Manual));

    public static readonly Vocabulary<DiskCache> DiskCaches = new(
        "cache mode", ("none", DiskCache.None), ("writeback", DiskCache.WriteBack), ("writethrough", DiskCache.WriteThrough),
        ("directsync", DiskCache.DirectSync), ("unsafe", DiskCache.Unsafe));

    public static readonly Vocabulary<DiskIo> DiskIos = new(
        "I/O mode", ("threads", DiskIo.Threads), ("native", DiskIo.Native), ("io_uring", DiskIo.IoUring));

    public static readonly Vocabulary<DiskDiscard> DiskDiscards = new(
        "discard mode", ("ignore", DiskDiscard.Ignore), ("unmap", DiskDiscard.Unmap));

    public static readonly Vocabulary<NetworkModel> NetworkModels = new(
        "network card", ("virtio", NetworkModel.Virtio), ("e1000", NetworkModel.E1000), ("e1000e", NetworkModel.E1000e));

    public static readonly Vocabulary<ForwardProtocol> ForwardProtocols = new(
        "protocol", ("tcp", ForwardProtocol.Tcp), ("udp", ForwardProtocol.Udp));

    public static readonly Vocabulary<CharacterRole> CharacterRoles = new(
        "character device",
        ("serial", CharacterRole.Serial), ("console", CharacterRole.Console), ("channel", CharacterRole.Channel));

    public static readonly Vocabulary<CharacterTarget> CharacterTargets = new(
        "target",
        ("isa-serial", CharacterTarget.IsaSerial), ("serial", CharacterTarget.Serial), ("virtio", CharacterTarget.Virtio));

    public static readonly Vocabulary<CharacterBackend> CharacterBackends = new(
        "source", ("pty", CharacterBackend.Pty), ("unix", CharacterBackend.Unix), ("file", CharacterBackend.File),
        ("null", CharacterBackend.Null));

    public static readonly Vocabulary<VideoModel> VideoModels = new(
        "graphics card", ("none", VideoModel.None), ("vga", VideoModel.Vga), ("virtio", VideoModel.Virtio),
        ("cirrus", VideoModel.Cirrus), ("bochs", VideoModel.Bochs));

    public static readonly Vocabulary<ControllerKind> ControllerKinds = new(
        "controller", ("pci", ControllerKind.Pci), ("usb", ControllerKind.Usb), ("ide", ControllerKind.Ide),
        ("sata", ControllerKind.Sata), ("scsi", ControllerKind.Scsi), ("virtio-serial", ControllerKind.VirtioSerial));

    public static readonly Vocabulary<ControllerModel> ControllerModels = new(
        "model of a controller", ("none", ControllerModel.None), ("qemu-xhci", ControllerModel.QemuXhci),
        ("piix3-uhci", ControllerModel.Piix3Uhci), ("pci-root", ControllerModel.PciRoot), ("pcie-root", ControllerModel.PcieRoot),
        ("pcie-root-port", ControllerModel.PcieRootPort), ("virtio-scsi", ControllerModel.VirtioScsi),
        ("piix3", ControllerModel.Piix3), ("ich9-ehci1", ControllerModel.Ich9Ehci1), ("ich9-uhci1", ControllerModel.Ich9Uhci1),
        ("ich9-uhci2", ControllerModel.Ich9Uhci2), ("ich9-uhci3", ControllerModel.Ich9Uhci3));

    public static readonly Vocabulary<InputKind> InputKinds = new(
        "input device", ("tablet", InputKind.Tablet), ("mouse", InputKind.Mouse), ("keyboard", InputKind.Keyboard));

    public static readonly Vocabulary<InputBus> InputBuses = new("input bus", ("ps2", InputBus.Ps2), ("usb", InputBus.Usb));

    public static readonly Vocabulary<SoundModel> SoundModels = new(
        "sound card", ("ich6", SoundModel.Ich6), ("ich9", SoundModel.Ich9));

    public static readonly Vocabulary<WatchdogModel> WatchdogModels = new(
        "watchdog", ("i6300esb", WatchdogModel.I6300Esb), ("itco", WatchdogModel.Itco));

    public static readonly Vocabulary<WatchdogAction> WatchdogActions = new(
        "action", ("reset", WatchdogAction.Reset), ("shutdown", WatchdogAction.Shutdown), ("poweroff", WatchdogAction.PowerOff),
        ("pause", WatchdogAction.Pause), ("none", WatchdogAction.None), ("inject-nmi", WatchdogAction.InjectNmi));

    public static readonly Vocabulary<TpmModel> TpmModels = new("TPM", ("tpm-crb", TpmModel.Crb), ("tpm-tis", TpmModel.Tis));

    public static readonly Vocabulary<CpuMode> CpuModes = new(
        "CPU mode", ("custom", CpuMode.Custom), ("host-model", CpuMode.HostModel), ("host-passthrough", CpuMode.HostPassthrough),
        ("maximum", CpuMode.Maximum));

    public static readonly Vocabulary<CpuFeaturePolicy> CpuFeaturePolicies = new(
        "policy", ("require", CpuFeaturePolicy.Require), ("force", CpuFeaturePolicy.Force),
        ("optional", CpuFeaturePolicy.Optional), ("disable", CpuFeaturePolicy.Disable), ("forbid", CpuFeaturePolicy.Forbid));

    public static readonly Vocabulary<BootDevice> BootDevices = new(
        "boot device", ("hd", BootDevice.HardDisk), ("cdrom", BootDevice.Cdrom), ("network", BootDevice.Network),
        ("fd", BootDevice.Floppy));

    public static readonly Vocabulary<ClockOffset> ClockOffsets = new(
        "clock offset", ("utc", ClockOffset.Utc), ("localtime", ClockOffset.LocalTime));

    public static readonly Vocabulary<TickPolicy> TickPolicies = new(
        "tick policy", ("delay", TickPolicy.Delay), ("catchup", TickPolicy.CatchUp), ("merge", TickPolicy.Merge),
        ("discard", TickPolicy.Discard));

    public static readonly Vocabulary<LifecycleAction> LifecycleActions = new(
        "action", ("destroy", LifecycleAction.Destroy), ("restart", LifecycleAction.Restart),
        ("preserve", LifecycleAction.Preserve), ("rename-restart", LifecycleAction.RenameRestart),
        ("coredump-destroy", LifecycleAction.CoredumpDestroy), ("coredump-restart", LifecycleAction.CoredumpRestart));
}
