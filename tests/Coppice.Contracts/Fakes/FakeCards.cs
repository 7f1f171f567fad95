using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Network cards that leave the processes of a <see cref="FakeHost"/>, and others that come in their place.</summary>
internal sealed class FakeCards(FakeHost host)
{
    private const string UnplugKind = "machine.unplug-card", PlugKind = "machine.plug-card";

    /// <summary>The addresses of the cards of a definition, by place.</summary>
    public static ImmutableSortedDictionary<int, string> Of(DomainDefinition definition) => definition.Devices.OfType<NetworkDevice>()
        .Select((card, place) => KeyValuePair.Create(place, card.Mac ?? "")).ToImmutableSortedDictionary();

    public static string? WhyFixed(DomainDefinition definition, NetworkDevice card) => card.Address switch
    {
        VirtioMmioAddress => "is on a bus that is fixed",
        PciAddress { Bus: 0 } when definition.Os.Machine?.Contains("q35", StringComparison.Ordinal) is true => "is on a bus that is fixed",
        PciAddress { Bus: 0 } when !definition.Features.HasFlag(MachineFeatures.Acpi) => "is on a bus that is fixed",
        PciAddress at when definition.Devices.Any(d =>
            !ReferenceEquals(d, card) && d.Address is PciAddress other && (at.Bus, at.Slot) == (other.Bus, other.Slot)) => "shares its slot",
        _ => null,
    };

    public static (Step Switch, Step CleanUp) Renew(ShortId process, DomainDefinition definition, int place)
    {
        var card = definition.Devices.OfType<NetworkDevice>().ElementAt(place);
        var arguments = new CardArguments(process, place, card.Mac ?? "", card.LinkIsUp ?? true);
        return (Of(UnplugKind, arguments), Of(PlugKind, arguments));
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step)
    {
        if (step.Kind is not (UnplugKind or PlugKind))
        {
            return false;
        }

        var card = step.Read(FakeJson.Default.CardArguments);
        switch (host.State.Processes.GetValueOrDefault(card.Process))
        {
            case null when step.Kind is UnplugKind:
                throw new CoppiceException(ErrorKind.Hypervisor, $"process {card.Process}", "is gone");
            case null:
                break;
            case var process when step.Kind is PlugKind:
                host.Act("plug card", s => FakeHost.Set(s, card.Process, p => p with
                {
                    Cards = process.Cards.ContainsKey(card.Place) ? p.Cards : p.Cards.Add(card.Place, card.Mac),
                    Pulled = card.IsUp ? p.Pulled.Remove(card.Place) : p.Pulled.Add(card.Place),
                }));
                break;
            case var process when process.Cards.ContainsKey(card.Place) && !host.GuestsObey:
                throw new CoppiceException(
                    ErrorKind.WrongState, $"network card net{card.Place}", "is still held by its guest", $"try again: net{card.Place} new");
            default:
                host.Act("unplug card", s => FakeHost.Set(s, card.Process, p => p with { Cards = p.Cards.Remove(card.Place) }));
                break;
        }

        return true;
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) => step.Kind is not UnplugKind ? null
        : step.Read(FakeJson.Default.CardArguments) is var card
            && host.State.Processes.GetValueOrDefault(card.Process)?.Cards.ContainsKey(card.Place) is not true;

    private static Step Of(string kind, CardArguments arguments) =>
        Step.Of(kind, $"{kind} {arguments.Place}", StepUndo.None, arguments, FakeJson.Default.CardArguments);
}
