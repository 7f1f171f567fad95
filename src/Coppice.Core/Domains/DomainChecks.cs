using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>What must hold between the parts of a definition.</summary>
internal static class DomainChecks
{
    /// <exception cref="CoppiceException">The definition contradicts itself.</exception>
    public static void Check(DomainDefinition definition, XElement root)
    {
        RefuseRepeats(root, definition.Disks, d => d.Target, "two disks have the target", "give each disk a target of its own");
        RefuseRepeats(
            root, definition.DisksAndFlash.Where(d => d is { ReadOnly: false, Source: not null }), d => d.Source!, "two disks write to",
            "give each disk an image of its own, or make both <readonly/>");
        RefuseRepeats(
            root, definition.Devices.OfType<NetworkDevice>().Where(n => n.Mac is not null), n => n.Mac!,
            "two interfaces have the address", "give each interface a MAC address of its own");
        RefuseRepeats(
            root, definition.Devices.OfType<NetworkDevice>().Where(n => n.Tap?.Name is not null), n => n.Tap!.Name!,
            "two interfaces have the tap device", "give each interface one of its own");
        RefuseRepeats(
            root, definition.Devices.OfType<CharacterDevice>().Where(c => c is { Role: CharacterRole.Channel, Name: not null }),
            c => c.Name!, "two channels have the name", "give each channel a name of its own");
        RefuseRepeats(
            root, definition.Devices.OfType<ControllerDevice>(), c => c.Label,
            "there are two of", "give each controller an index of its own");
        RefuseRepeats(root, definition.Devices.OfType<BalloonDevice>(), _ => "<memballoon>", "there are two of", "remove one");
        RefuseRepeats(root, definition.Devices.OfType<TpmDevice>(), _ => "<tpm>", "there are two of", "remove one");
        CheckWatchdogs(definition, root);
        CheckCompanions(definition, root);
        CheckBootOrder(definition, root);
        if (definition.Topology is { } topology && topology.Cpus != definition.VirtualCpus)
        {
            throw root.RequiredElement("cpu").RequiredElement("topology").Refuse(
                $"it makes {topology.Cpus} CPUs and <vcpu> {definition.VirtualCpus}",
                "correct one, so that sockets × dies × cores × threads is the number of CPUs");
        }

        if (definition.CurrentMemory is { } current && current.Bytes > definition.Memory.Bytes)
        {
            throw root.RequiredElement("currentMemory").Refuse(
                $"{current} is more than the {definition.Memory} of <memory>", "lower it or raise <memory>");
        }
    }

    private static void CheckWatchdogs(DomainDefinition definition, XElement root)
    {
        var watchdogs = definition.Devices.OfType<WatchdogDevice>().ToList();
        RefuseRepeats(root, watchdogs, w => w.Label, "there are two of", "remove one");
        if (watchdogs.Select(w => w.Action).Distinct().Count() > 1)
        {
            throw root.RequiredElement("devices").Refuse("the watchdogs have different actions", "give them the same action");
        }
    }

    private static void CheckCompanions(DomainDefinition definition, XElement root)
    {
        var controllers = definition.Devices.OfType<ControllerDevice>().ToList();
        if (controllers.FirstOrDefault(c => c.FirstPort is not null && !controllers.Any(m => IsMaster(m, c))) is { } alone)
        {
            throw root.RequiredElement("devices").Refuse(
                $"the {alone.Label} has a <master>, and no ich9-ehci1 has the index {alone.Index}", "add one or remove <master>");
        }

        static bool IsMaster(ControllerDevice master, ControllerDevice companion) =>
            master.Model == ControllerModel.Ich9Ehci1 && master.Index == companion.Index;
    }

    private static void CheckBootOrder(DomainDefinition definition, XElement root)
    {
        var orders = definition.Devices
            .Select(d => (Device: d, Order: (d as DiskDevice)?.BootOrder ?? (d as NetworkDevice)?.BootOrder))
            .Where(d => d.Order is not null)
            .ToList();
        RefuseRepeats(root, orders, o => $"{o.Order}", "two devices have the boot order", "give each its own");
        if (orders.Count > 0 && definition.Os.BootOrder.Count > 0)
        {
            throw root.RequiredElement("os").Refuse(
                $"<boot dev='…'/> contradicts the boot order of {orders[0].Device.Label}", "use one of the two");
        }
    }

    private static void RefuseRepeats<T>(
        XElement root, IEnumerable<T> things, Func<T, string> key, string problem, string nextStep)
    {
        if (things.GroupBy(key, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw (root.Element("devices") ?? root).Refuse($"{problem} '{twice.Key}'", nextStep);
        }
    }
}
