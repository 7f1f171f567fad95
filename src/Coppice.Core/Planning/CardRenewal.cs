namespace Coppice.Core;

/// <summary>
/// Plans that a network card is replaced by a new one at its place. The guest is asked to let go of the old one (the switch), the
/// definition with the new address is committed, and the new card is plugged in (clean-up, so that it comes whatever happens).
/// </summary>
internal static class CardRenewal
{
    public static Plan Plan(PlanContext context, RenewCard request)
    {
        var definition = context.Observed.Definition;
        var (card, place) = Cabling.Find(context, request.Card);
        RequireReady(context, card, place);
        var id = context.Observed.Ids.NextShort();
        var renewed = definition.With(card, card with { Mac = context.Observed.Ids.NextMac(), LinkIsUp = request.IsUp });
        var change = context.NoChange with { Head = context.DirtyHead with { Definition = id } };
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        var plan = context.Plan("a new network card") with
        {
            Prepare = [context.Storage.WriteFile(context.Observed.Folder.Definition(id), DomainXml.Format(renewed))],
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
        };
        if (context.LiveProcess is not { } process)
        {
            return plan;
        }

        var (letGo, plug) = context.Hypervisor.RenewCard(process, renewed, place);
        return plan with { Switch = letGo, CleanUp = [plug, .. plan.CleanUp] };
    }

    /// <summary>Refuses a fork whose cards are to be replaced and cannot be, before it is made.</summary>
    /// <param name="context">The domain that is forked.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="definition">The definition of the fork.</param>
    /// <param name="hasMemory">Its guest goes on rather than boots.</param>
    public static void RequireReplaceable(PlanContext context, ForkSnapshot request, DomainDefinition definition, bool hasMemory)
    {
        if (request.Network is not ForkNetwork.Renewed)
        {
            return;
        }

        NetworkDevice[] cards = [.. definition.Devices.OfType<NetworkDevice>()];
        if (cards.Length == 0)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"snapshot '{request.Snapshot}' of {context.Subject}", "has no network card", "leave --new-nic out");
        }

        if (hasMemory && request.State is not ForkState.Running)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{request.Name}'", "would stand still, and its guest has to let go of its network cards",
                "add --start, or leave --new-nic out and replace them once it runs: "
                    + $"coppice link {request.Name} {Cabling.Named(0)} new");
        }

        for (var place = 0; hasMemory && place < cards.Length; place++)
        {
            RequireHot(context, definition, cards[place], place, "fork with --network down, and the guest has the new address once it boots");
        }
    }

    private static void RequireReady(PlanContext context, NetworkDevice card, int place)
    {
        if (context.Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is saved, and its memory knows the network card",
                $"let it go on first: coppice start {context.Catalog.Name}");
        }

        if (context.LiveProcess is null)
        {
            return;
        }

        RequireHot(context, context.Observed.Definition, card, place, $"stop the domain first: coppice stop {context.Catalog.Name}");
        if (context.State is not DomainState.Running && !context.Observed.Hypervisor.GoneCards.Contains(place))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "stands still, and its guest has to let go of the network card",
                $"let it go on first: coppice resume {context.Catalog.Name}");
        }
    }

    private static void RequireHot(PlanContext context, DomainDefinition definition, NetworkDevice card, int place, string instead)
    {
        var subject = $"network card {Cabling.Named(place)} of domain '{definition.Name}'";
        context.Observed.Capabilities.Require(Capability.HotPlug, subject, instead);
        if (context.Hypervisor.WhyFixed(definition, card) is { } why)
        {
            throw new CoppiceException(ErrorKind.MissingCapability, subject, why, instead);
        }
    }
}
