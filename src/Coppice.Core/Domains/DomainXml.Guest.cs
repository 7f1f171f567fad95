using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Name, memory, CPU, firmware, clock: all that is no device.</content>
public static partial class DomainXml
{
    private const int MostCpus = 4096;

    private static DomainDefinition ReadGuest(XElement root)
    {
        var uuid = root.Element("uuid") ?? throw root.Refuse("<uuid> is missing", "add one, for instance from uuidgen");
        return new DomainDefinition
        {
            Type = root.Required("type").Value,
            Id = new DomainId(uuid.Uuid()),
            Name = Names.Check("domain", root.RequiredElement("name").Value),
            Title = ReadTitle(root),
            Description = root.TextOf("description"),
            Metadata = root.Element("metadata") is { } metadata ? Remainders.Whole(metadata) : null,
            GenerationId = ReadGenerationId(root),
            Memory = MemorySize.Read(root.RequiredElement("memory")) ?? default,
            CurrentMemory = MemorySize.Read(root.Element("currentMemory")),
            VirtualCpus = root.Element("vcpu").Number(1, MostCpus) ?? 1,
            Cpu = root.Element("cpu") is { } cpu ? ReadCpu(cpu) : null,
            Topology = root.Element("cpu")?.Element("topology") is { } topology ? ReadTopology(topology) : null,
            Os = root.Element("os") is { } os ? ReadOs(os) : new OsSettings(),
            Features = root.Element("features") is { } features ? ReadFeatures(features) : MachineFeatures.None,
            ManagementMode = root.Element("features")?.Element("smm") is { } smm ? ReadState(smm) : null,
            VmwarePort = root.Element("features")?.Element("vmport") is { } vmport ? ReadState(vmport) : null,
            Sleep = root.Element("pm") is { } pm ? ReadSleep(pm) : new SleepStates(null, null),
            Clock = root.Element("clock") is { } clock ? ReadClock(clock) : new ClockSettings(),
            OnPowerOff = ReadAction(root, "on_poweroff") ?? LifecycleAction.Destroy,
            OnReboot = ReadAction(root, "on_reboot") ?? LifecycleAction.Restart,
            OnCrash = DomainWords.LifecycleActions.Read(root.Element("on_crash")) ?? LifecycleAction.Destroy,
        };
    }

    private static IEnumerable<object?> WriteGuest(DomainDefinition definition) =>
    [
        new XElement("name", definition.Name),
        new XElement("uuid", definition.Id.Value.ToString("D")),
        definition.GenerationId is { } id ? new XElement("genid", id.ToString("D")) : null,
        Text("title", definition.Title),
        Text("description", definition.Description),
        definition.Metadata is { } metadata ? SafeXml.Read(metadata) : null,
        MemorySize.Write("memory", definition.Memory),
        definition.CurrentMemory is { } current ? MemorySize.Write("currentMemory", current) : null,
        new XElement("vcpu", definition.VirtualCpus),
        WriteOs(definition.Os),
        WriteFeatures(definition),
        WriteCpu(definition),
        WriteSleep(definition.Sleep),
        WriteClock(definition.Clock),
        new XElement("on_poweroff", DomainWords.LifecycleActions[definition.OnPowerOff]),
        new XElement("on_reboot", DomainWords.LifecycleActions[definition.OnReboot]),
        new XElement("on_crash", DomainWords.LifecycleActions[definition.OnCrash]),
    ];

    private static string? ReadTitle(XElement root) => root.Element("title") switch
    {
        null => null,
        { Value: var title } when title.Length > 0 && !title.Contains('\n', StringComparison.Ordinal) => title,
        var element => throw element.Refuse(
            "the title is empty or has several lines", "write one line, and the rest in <description>"),
    };

    private static Guid? ReadGenerationId(XElement root) => root.Element("genid") switch
    {
        null => null,
        { Value: "" } empty => throw empty.Refuse("the generation id is not given", "add one, for instance from uuidgen"),
        var element => element.Uuid(),
    };

    private static LifecycleAction? ReadAction(XElement root, string name)
    {
        var element = root.Element(name);
        var action = DomainWords.LifecycleActions.Read(element);
        return action is LifecycleAction.CoredumpDestroy or LifecycleAction.CoredumpRestart
            ? throw element!.Refuse("memory is dumped only after a crash", "use destroy, restart, preserve or rename-restart")
            : action;
    }

    // An element that holds only something else, such as a topology, asks for no CPU of its own.
    private static CpuSettings? ReadCpu(XElement cpu)
    {
        var mode = DomainWords.CpuModes.Read(cpu.Attribute("mode"));
        var model = cpu.Element("model");
        var features = cpu.Elements("feature").Select(ReadCpuFeature).ToList();
        if (mode is null && model is null && features.Count == 0)
        {
            return null;
        }

        if (features.GroupBy(f => f.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw cpu.Refuse($"the feature '{twice.Key}' is named twice", "remove one");
        }

        return new CpuSettings
        {
            Mode = mode ?? CpuMode.Custom,
            Model = (mode ?? CpuMode.Custom) switch
            {
                CpuMode.Custom => Token(cpu.RequiredElement("model")),
                _ => model is { Value: not "" } ? Token(model) : null,
            },
            Fallback = model?.Attribute("fallback").Flag("allow", "forbid"),
            Migratable = cpu.Attribute("migratable").Flag("on", "off"),
            Features = [.. features],
        };
    }

    private static CpuFeature ReadCpuFeature(XElement feature) => new(
        Token(feature.Required("name")),
        DomainWords.CpuFeaturePolicies.Read(feature.Attribute("policy")) ?? CpuFeaturePolicy.Require);

    private static CpuTopology ReadTopology(XElement topology) => new(
        topology.Required("sockets").Number(1, MostCpus) ?? 1,
        topology.Attribute("dies").Number(1, MostCpus) ?? 1,
        topology.Required("cores").Number(1, MostCpus) ?? 1,
        topology.Required("threads").Number(1, MostCpus) ?? 1);

    private static XElement? WriteCpu(DomainDefinition definition) => definition is { Cpu: null, Topology: null } ? null : new(
        "cpu",
        definition.Cpu is { } cpu ? WriteCpu(cpu) : null,
        definition.Topology is not { } topology ? null : new XElement(
            "topology", new XAttribute("sockets", topology.Sockets), new XAttribute("dies", topology.Dies),
            new XAttribute("cores", topology.Cores), new XAttribute("threads", topology.Threads)));

    private static IEnumerable<object?> WriteCpu(CpuSettings cpu) =>
    [
        new XAttribute("mode", DomainWords.CpuModes[cpu.Mode]),
        OptionalAttribute("migratable", Word(cpu.Migratable, "on", "off")),
        cpu.Model is null && cpu.Fallback is null
            ? null
            : new XElement("model", OptionalAttribute("fallback", Word(cpu.Fallback, "allow", "forbid")), cpu.Model),
        cpu.Features.Select(f => new XElement(
            "feature", new XAttribute("policy", DomainWords.CpuFeaturePolicies[f.Policy]), new XAttribute("name", f.Name))),
    ];

    private static OsSettings ReadOs(XElement os)
    {
        var type = os.RequiredElement("type");
        if (type.Value != "hvm")
        {
            throw type.Refuse($"'{type.Shown()}' is not a known type of guest", "use hvm");
        }

        var settings = new OsSettings
        {
            Architecture = type.Attribute("arch")?.Value,
            Machine = type.Attribute("machine") is { } machine ? Token(machine) : null,
            Firmware = ReadFirmware(os),
            BootOrder = [.. os.Elements("boot").Select(b => DomainWords.BootDevices.Read(b.Required("dev"))!.Value)],
            Kernel = os.Element("kernel").AbsolutePath(),
            Initrd = os.Element("initrd").AbsolutePath(),
            CommandLine = os.TextOf("cmdline"),
        };
        return settings.Kernel is null && (settings.Initrd ?? settings.CommandLine) is not null
            ? throw os.Refuse("<initrd> and <cmdline> are for a <kernel>, which is missing", "add <kernel> or remove them")
            : settings;
    }

    private static XElement WriteOs(OsSettings os) => new(
        "os",
        new XElement("type", OptionalAttribute("arch", os.Architecture), OptionalAttribute("machine", os.Machine), "hvm"),
        os.Firmware is { } firmware ? WriteFirmware(firmware) : null,
        Text("kernel", os.Kernel),
        Text("initrd", os.Initrd),
        Text("cmdline", os.CommandLine),
        os.BootOrder.Select(d => new XElement("boot", new XAttribute("dev", DomainWords.BootDevices[d]))));

    private static MachineFeatures ReadFeatures(XElement features) =>
        (features.Element("acpi") is null ? 0 : MachineFeatures.Acpi)
        | (features.Element("apic") is null ? 0 : MachineFeatures.Apic)
        | (features.Element("pae") is null ? 0 : MachineFeatures.Pae);

    // An element that is there without a state is on.
    private static bool ReadState(XElement element) => element.Attribute("state").Flag("on", "off") ?? true;

    private static XElement? WriteFeatures(DomainDefinition definition)
    {
        var features = definition.Features;
        return definition is { Features: MachineFeatures.None, VmwarePort: null, ManagementMode: null } ? null : new XElement(
            "features",
            features.HasFlag(MachineFeatures.Acpi) ? new XElement("acpi") : null,
            features.HasFlag(MachineFeatures.Apic) ? new XElement("apic") : null,
            features.HasFlag(MachineFeatures.Pae) ? new XElement("pae") : null,
            WithWord("smm", "state", Word(definition.ManagementMode, "on", "off")),
            WithWord("vmport", "state", Word(definition.VmwarePort, "on", "off")));
    }

    private static SleepStates ReadSleep(XElement pm) => new(
        pm.Element("suspend-to-mem")?.Attribute("enabled").Flag("yes", "no"),
        pm.Element("suspend-to-disk")?.Attribute("enabled").Flag("yes", "no"));

    private static XElement? WriteSleep(SleepStates sleep) => sleep is { ToMemory: null, ToDisk: null } ? null : new XElement(
        "pm",
        WithWord("suspend-to-mem", "enabled", Word(sleep.ToMemory, "yes", "no")),
        WithWord("suspend-to-disk", "enabled", Word(sleep.ToDisk, "yes", "no")));

    private static ClockSettings ReadClock(XElement clock) => new()
    {
        Offset = DomainWords.ClockOffsets.Read(clock.Required("offset")) ?? ClockOffset.Utc,
        Timers = [.. clock.Elements("timer").Select(timer => new ClockTimer
        {
            Name = Token(timer.Required("name")),
            Present = timer.Attribute("present").Flag("yes", "no"),
            TickPolicy = DomainWords.TickPolicies.Read(timer.Attribute("tickpolicy")),
            Track = timer.Attribute("track") is { } track ? Token(track) : null,
        })],
    };

    private static XElement WriteClock(ClockSettings clock) => new(
        "clock",
        new XAttribute("offset", DomainWords.ClockOffsets[clock.Offset]),
        clock.Timers.Select(timer => new XElement(
            "timer",
            new XAttribute("name", timer.Name),
            OptionalAttribute("track", timer.Track),
            OptionalAttribute("tickpolicy", timer.TickPolicy is { } policy ? DomainWords.TickPolicies[policy] : null),
            OptionalAttribute("present", Word(timer.Present, "yes", "no")))));

    /// <summary>A word that becomes part of a command line: letters, digits and a few signs.</summary>
    private static string Token(XObject place)
    {
        var word = place.Value();
        return word.Length is > 0 and <= 64 && word.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? word
            : throw place.Refuse($"'{place.Shown()}' is not a name of letters, digits, '-', '_' and '.'", "correct it");
    }

    private static XElement? Text(string name, string? value) => value is null ? null : new XElement(name, value);

    private static XElement? WithWord(string name, string attribute, string? word) =>
        word is null ? null : new XElement(name, new XAttribute(attribute, word));

    private static XAttribute? OptionalAttribute(string name, object? value) =>
        value is null ? null : new XAttribute(name, value);

    private static string? Word(bool? value, string yes, string no) => value switch { true => yes, false => no, null => null };
}
