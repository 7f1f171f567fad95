using System.Globalization;

namespace Coppice.Core;

/// <summary>Plans that the cable of a network card is plugged in or pulled, now and at every start from then on.</summary>
internal static class Cabling
{
    public static Plan Plan(PlanContext context, SetLink request)
    {
        var definition = context.Observed.Definition;
        var (card, place) = Find(context, request.Card);
        if ((card.LinkIsUp ?? true) == request.IsUp)
        {
            return context.Plan("nothing to do");
        }

        context.RequireCard(place);
        var id = context.Observed.Ids.NextShort();
        var changed = definition.With(card, card with { LinkIsUp = request.IsUp });
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage,
            context.NoChange with { Head = context.DirtyHead with { Definition = id } });
        return context.Plan(request.IsUp ? "plug the cable in" : "pull the cable") with
        {
            Prepare =
            [
                context.Storage.WriteFile(context.Observed.Folder.Definition(id), DomainXml.Format(changed)),
                .. context.LiveProcess is { } process
                    ? [context.Hypervisor.SetLink(process, place, request.IsUp)]
                    : Array.Empty<Step>(),
            ],
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
        };
    }

    /// <summary>A card by its MAC address or place.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>).</exception>
    public static (NetworkDevice Card, int Place) Find(PlanContext context, string name)
    {
        NetworkDevice[] cards = [.. context.Observed.Definition.Devices.OfType<NetworkDevice>()];
        var place = Array.FindIndex(cards, c => string.Equals(c.Mac, name, StringComparison.OrdinalIgnoreCase));
        for (var i = 0; place < 0 && i < cards.Length; i++)
        {
            place = name == Named(i) ? i : -1;
        }

        var known = cards.Select((c, i) => c.Mac is null ? Named(i) : $"{Named(i)} ({c.Mac})").ToArray();
        return place >= 0 ? (cards[place], place) : throw new CoppiceException(
            ErrorKind.NotFound, $"network card '{name}' of {context.Subject}", "is not there",
            known.Length == 0 ? "the domain has none" : $"name one of: {string.Join(", ", known)}");
    }

    /// <summary>What users call a card by its place in the definition, from 0.</summary>
    public static string Named(int place) => string.Create(CultureInfo.InvariantCulture, $"net{place}");
}
