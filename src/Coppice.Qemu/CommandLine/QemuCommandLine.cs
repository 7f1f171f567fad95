using System.Collections.Immutable;
using System.Globalization;
using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.CommandLine;

/// <summary>The whole command line of a domain. Paths of sockets are relative to the run folder.</summary>
internal static class QemuCommandLine
{
    /// <summary>The id of the object that is a guest's RAM, and what it is if that is a file.</summary>
    public const string Ram0 = "ram0", RamFile = "memory-backend-file";

    private static readonly string[] s_closedDoors =
    [
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-nodefaults", "-no-user-config", "-display", "none",
    ];

    private static readonly string[] s_monitors =
    [
        "-chardev", $"socket,id=commands,path={RunFolder.CommandsName},server=on,wait=off",
        "-mon", "chardev=commands,mode=control",
        "-chardev", $"socket,id=readers,path={RunFolder.ReadersName},server=on,wait=off",
        "-mon", "chardev=readers,mode=control",
        "-chardev", $"socket,id=events,path={RunFolder.EventsName},server=on,wait=off",
        "-mon", "chardev=events,mode=control",
        "-chardev", $"pipe,id=guard,path={RunFolder.GuardName}",
        "-mon", "chardev=guard,mode=readline",
    ];

    /// <summary>The command line of a process that has no guest, and opens images when it is told to.</summary>
    public static ImmutableArray<string> Guestless { get; } = [.. s_closedDoors, .. s_monitors, "-S", "-machine", "none"];

    /// <summary>The command line of a process that stands still before its first instruction, or waits for memory.</summary>
    public static ImmutableArray<string> Of(LaunchRequest request)
    {
        var definition = request.Definition;
        var wiring = new Wiring(definition);
        var turns = BootTurns.Of(definition);
        return
        [
            "-name", new QemuOption("debug-threads=on").With("guest", definition.Name).ToString(),
            "-uuid", definition.Id.ToString(),
            .. s_closedDoors,
            .. s_monitors,
            "-S",
            .. Board(request),
            .. Chipset(definition, wiring),
            .. FirmwareArguments.Of(request),
            .. Boot(definition),
            .. Generation(request),
            .. DeviceArguments.Controllers(definition, wiring),
            .. DriveArguments.Of(request, wiring, turns),
            .. DeviceArguments.Of(definition, wiring, turns),
            .. definition.Devices.OfType<GraphicsDevice>().Any() ? ["-vnc", $"unix:{Endpoints.Screen}"] : Array.Empty<string>(),
            .. request.Memory.Mode is MemoryMode.None ? Array.Empty<string>() : ["-incoming", "defer"],
        ];
    }

    private static IEnumerable<string> Board(LaunchRequest request)
    {
        var definition = request.Definition;

        // RAM is an object of its own, always with the same name: a later process may map a file instead.
        var machine = new QemuOption(definition.Os.Machine ?? "pc")
            .With("memory-backend", Ram0)
            .With("acpi", definition.Features.HasFlag(MachineFeatures.Acpi));
        machine = definition.Os.IsMicrovm
            ? machine.With("ioapic2", false) // The interrupts of a second one do not reach a guest that is emulated.
            : machine
                .With("vmport", definition.VmwarePort is { } port ? port ? "on" : "off" : null)
                .With("hpet", Timer(definition, "hpet")?.Present is false ? "off" : null)
                .With("smm", definition.ManagementMode is { } smm ? smm ? "on" : "off" : null);
        machine = FirmwareArguments.Plugged(machine, request);
        return
        [
            "-machine", machine.ToString(),
            "-accel", definition.Type == "kvm" ? "kvm" : "tcg,thread=multi",
            "-cpu", Cpu(definition),
            "-smp", Cpus(definition),
            "-m", new QemuOption($"size={definition.Memory.Bytes / 1024}k").ToString(),
            "-object", Ram(request).ToString(),
            "-rtc", new QemuOption($"base={(definition.Clock.Offset is ClockOffset.LocalTime ? "localtime" : "utc")}")
                .With("driftfix", Timer(definition, "rtc")?.TickPolicy is TickPolicy.CatchUp ? "slew" : null).ToString(),
            .. Actions(definition),
        ];
    }

    // Only what is shared with a file can be cloned. A file that is somebody else's is read, page by page; an image is not even open for
    // writing, so that no balloon punches holes into it.
    private static QemuOption Ram(LaunchRequest request)
    {
        var backend = new QemuOption(request.Ram is null ? "memory-backend-ram" : RamFile)
            .With("id", Ram0).With("size", request.Definition.Memory.Bytes);
        var placed = request.Ram is { } file ? backend.With("mem-path", file.Path).With("share", file.IsClonable) : backend;
        return request.Ram is { IsImage: true } ? placed.With("readonly", true).With("rom", "off") : placed;
    }

    private static string Cpus(DomainDefinition definition)
    {
        var topology = definition.Topology;
        return new QemuOption(definition.VirtualCpus.ToString(CultureInfo.InvariantCulture))
            .With("sockets", topology?.Sockets).With("dies", topology?.Dies)
            .With("cores", topology?.Cores).With("threads", topology?.Threads).ToString();
    }

    // These devices are on the board: their properties can be set only for all of their kind.
    private static IEnumerable<string> Chipset(DomainDefinition definition, Wiring wiring)
    {
        if (definition.Os.IsMicrovm)
        {
            // Otherwise virtio is spoken as before its version 1.
            return ["-global", "virtio-mmio.force-legacy=off"];
        }

        var power = wiring.IsQ35 ? "ICH9-LPC" : "PIIX4_PM";
        IEnumerable<string?> settings =
        [
            definition.Sleep.ToMemory is { } toMemory ? $"{power}.disable_s3={(toMemory ? 0 : 1)}" : null,
            definition.Sleep.ToDisk is { } toDisk ? $"{power}.disable_s4={(toDisk ? 0 : 1)}" : null,
            definition.Devices.Any(d => d is WatchdogDevice { Model: WatchdogModel.Itco }) ? "ICH9-LPC.noreboot=off" : null,
        ];
        return settings.OfType<string>().SelectMany(s => new[] { "-global", s });
    }

    private static string Cpu(DomainDefinition definition)
    {
        var cpu = definition.Cpu;
        var model = cpu?.Mode switch
        {
            CpuMode.HostPassthrough or CpuMode.HostModel when definition.Type == "kvm" => "host",
            CpuMode.HostPassthrough or CpuMode.HostModel or CpuMode.Maximum => "max",
            _ => cpu?.Model ?? Sealing.DefaultCpu,
        };
        var option = new QemuOption(model)
            .With("migratable", model == "host" && cpu?.Migratable is { } migratable ? migratable ? "on" : "off" : null)
            .With("kvmclock", Timer(definition, "kvmclock")?.Present is false ? "off" : null);
        return (cpu?.Features ?? []).Aggregate(
            option,
            (all, feature) => all.With(
                feature.Name, feature.Policy is CpuFeaturePolicy.Require or CpuFeaturePolicy.Force or CpuFeaturePolicy.Optional))
            .ToString();
    }

    private static ClockTimer? Timer(DomainDefinition definition, string name) =>
        definition.Clock.Timers.FirstOrDefault(t => t.Name == name);

    private static IEnumerable<string> Actions(DomainDefinition definition) =>
    [
        .. definition.OnReboot is LifecycleAction.Destroy ? ["-action", "reboot=shutdown"] : Array.Empty<string>(),
        .. definition.OnPowerOff is LifecycleAction.Preserve ? ["-action", "shutdown=pause"] : Array.Empty<string>(),
        .. definition.OnCrash is LifecycleAction.Preserve ? ["-action", "panic=pause"] : Array.Empty<string>(),
        .. definition.Devices.OfType<WatchdogDevice>().FirstOrDefault() is { } watchdog
            ? ["-action", $"watchdog={Word(watchdog.Action)}"]
            : Array.Empty<string>(),
    ];

    private static string Word(WatchdogAction action) => action switch
    {
        WatchdogAction.Shutdown => "shutdown",
        WatchdogAction.PowerOff => "poweroff",
        WatchdogAction.Pause => "pause",
        WatchdogAction.None => "none",
        WatchdogAction.InjectNmi => "inject-nmi",
        _ => "reset",
    };

    private static IEnumerable<string> Boot(DomainDefinition definition) =>
    [
        "-boot", "strict=on",
        .. definition.Os.Kernel is { } kernel ? ["-kernel", kernel] : Array.Empty<string>(),
        .. definition.Os.Initrd is { } initrd ? ["-initrd", initrd] : Array.Empty<string>(),
        .. definition.Os.CommandLine is { Length: > 0 } line ? ["-append", line] : Array.Empty<string>(),
    ];

    // A guest whose memory is loaded a second time must be told, or it repeats its random numbers. To that of a fork the fork's own
    // id is new.
    private static IEnumerable<string> Generation(LaunchRequest request) => request.Definition.GenerationId is { } id
        ? ["-device", $"vmgenid,id=generation,guid={(request.Memory.Mode is MemoryMode.None || request.KeepsGeneration ? id.ToString() : "auto")}"]
        : [];
}
