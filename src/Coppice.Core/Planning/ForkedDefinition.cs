using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// The definition of a fork: that of the snapshot, so that its memory fits, but with what must not be in the world twice made new
/// or left out. What memory needs unchanged stays: machine, CPU, devices and their addresses.
/// </summary>
/// <param name="Definition">The definition, sealed as the snapshot's is.</param>
/// <param name="Changes">What was left out, for the user.</param>
internal sealed record ForkedDefinition(DomainDefinition Definition, ImmutableArray<string> Changes)
{
    /// <param name="definition">The snapshot's definition.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="ids">Where generation id and MAC addresses come from.</param>
    /// <param name="id">The fork.</param>
    /// <param name="begins">The frozen layer that each drive begins on, by target.</param>
    /// <param name="hasMemory">Its guest goes on rather than boots.</param>
    /// <exception cref="CoppiceException">A tap device that exists can be had by one of both only
    /// (<see cref="ErrorKind.WrongState"/>).</exception>
    public static ForkedDefinition Of(
        DomainDefinition definition, ForkSnapshot request, IdSource ids, DomainId id, ImmutableDictionary<string, Layer> begins,
        bool hasMemory)
    {
        var changes = ImmutableArray.CreateBuilder<string>();
        var pull = request.Network is ForkNetwork.Down || (request.Network is ForkNetwork.Guarded or ForkNetwork.Renewed && hasMemory);
        var forked = definition with
        {
            Id = id,
            Name = request.Name,
            GenerationId = definition.GenerationId is null ? null : ids.NextGuid(),
            Os = WithVariables(definition.Os, begins),
            Devices = [.. definition.Devices.Select(device => device switch
            {
                DiskDevice disk => OnLayer(disk, begins),
                NetworkDevice card when request.Network is not ForkNetwork.Keep => Network(card, request, ids, pull, changes),
                CharacterDevice { Path: not null } end => Own(end, changes),
                GraphicsDevice screen => Own(screen, changes),
                _ => device,
            })],
        };
        return new ForkedDefinition(forked, changes.ToImmutable());
    }

    private static DiskDevice OnLayer(DiskDevice disk, ImmutableDictionary<string, Layer> begins) =>
        begins.TryGetValue(disk.Target, out var layer)
            ? disk with { Source = layer.Path, Type = layer.Type, Format = layer.Format, Backing = null }
            : disk;

    private static OsSettings WithVariables(OsSettings os, ImmutableDictionary<string, Layer> begins) =>
        os.Firmware is { } firmware && begins.TryGetValue(DiskDevice.FlashTarget, out var layer)
            ? os with { Firmware = firmware with { Variables = layer.Path, VariablesFormat = layer.Format } }
            : os;

    /// <summary>
    /// The card itself keeps the address that the guest knows until the guest boots; the network must not see it twice. On user
    /// networking each guest is alone.
    /// </summary>
    private static NetworkDevice Network(
        NetworkDevice card, ForkSnapshot request, IdSource ids, bool pull, ImmutableArray<string>.Builder changes)
    {
        if (card.Tap is { Exists: true, Name: { } taken })
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"{card.Label} of domain '{request.Domain}'",
                $"is on the tap device {taken}, which one process at a time can have",
                request.IsTrial
                    ? "a snapshot that is taken once the card is on a bridge can be tried"
                    : "put it on a bridge, or add --network keep and let one of both be off");
        }

        if (card.Forwards.Count > 0)
        {
            changes.Add($"{card.Label}: its port forwards stay with '{request.Domain}', and '{request.Name}' has none");
        }

        return card with
        {
            Mac = ids.NextMac(),
            Forwards = [],
            Tap = card.Tap is null ? null : card.Tap with { Name = null },
            LinkIsUp = request.Network is ForkNetwork.Cut || (pull && card.Tap is not null) ? false : card.LinkIsUp,
        };
    }

    /// <summary>
    /// A socket or file of a fixed name belongs to one of both; the fork has a socket in its own folder instead.
    /// </summary>
    private static CharacterDevice Own(CharacterDevice end, ImmutableArray<string>.Builder changes)
    {
        if (end is { Role: CharacterRole.Console, Target: CharacterTarget.Serial })
        {
            return end with { Backend = CharacterBackend.Unix, Path = null }; // Another name for a serial port, which tells it.
        }

        changes.Add($"{end.Label}: {end.Path} stays with the original, and the fork has a socket in its own folder");
        return end with { Backend = CharacterBackend.Unix, Path = null };
    }

    private static GraphicsDevice Own(GraphicsDevice screen, ImmutableArray<string>.Builder changes)
    {
        if (screen is { Port: null or <= 0, Socket: null })
        {
            return screen;
        }

        changes.Add($"{screen.Label}: {screen.Socket ?? $"port {screen.Port}"} stays with the original, and the fork has a socket in its own folder");
        return screen with { Port = null, Socket = null };
    }
}
