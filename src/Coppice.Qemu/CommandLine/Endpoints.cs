using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Qemu.Agent;

namespace Coppice.Qemu.CommandLine;

/// <summary>The host's end of a character device.</summary>
/// <param name="Device">The device.</param>
/// <param name="Id">What QEMU calls its backend.</param>
/// <param name="Socket">Its socket in the run folder; null if it has none.</param>
/// <param name="Links">Where people find that socket: a name among the domain's endpoints, or an absolute path.</param>
internal sealed record Endpoint(CharacterDevice Device, string Id, string? Socket, ImmutableArray<string> Links);

/// <summary>
/// The sockets of a domain. Each process has its own, in its run folder, so that a successor can be ready beside the
/// process it follows; people use links to them, which the take-over replaces.
/// </summary>
internal static class Endpoints
{
    /// <summary>The socket of the screen.</summary>
    public const string Screen = "vnc.sock";

    /// <summary>The link to the console that a guest's kernel and login use.</summary>
    private const string MainConsole = "console";

    /// <summary>
    /// The ends of all character devices. A console that is another name for a serial port has none of its own.
    /// </summary>
    public static ImmutableArray<Endpoint> Of(DomainDefinition definition)
    {
        var devices = definition.Devices.OfType<CharacterDevice>().Where(
            c => c is not { Role: CharacterRole.Console, Target: CharacterTarget.Serial });
        var counts = new Dictionary<CharacterRole, int>();
        var ends = ImmutableArray.CreateBuilder<Endpoint>();
        foreach (var device in devices)
        {
            var number = counts.GetValueOrDefault(device.Role);
            counts[device.Role] = number + 1;
            var id = $"{device.Role.ToString().ToLowerInvariant()}{device.Port ?? number}";
            var socket = device.Backend is CharacterBackend.Pty or CharacterBackend.Unix ? $"{id}.sock" : null;
            ends.Add(new Endpoint(device, id, socket, socket is null ? [] : Names(device, id)));
        }

        return AddMainConsole(ends.ToImmutable());
    }

    /// <summary>The end at which the agent in the guest is asked; it has a socket.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public static AgentChannel OfAgent(DomainDefinition definition)
    {
        var channel = GuestAgentChannel.RequireIn(definition);
        var end = Of(definition).First(e => ReferenceEquals(e.Device, channel));
        return new AgentChannel(definition.Name, end.Id, end.Socket!);
    }

    /// <summary>The links of a domain: where people look, and the socket there.</summary>
    public static ImmutableDictionary<string, string> Links(DomainDefinition definition)
    {
        var links = Of(definition)
            .SelectMany(e => e.Links.Select(l => KeyValuePair.Create(l, e.Socket!)))
            .DistinctBy(l => l.Key)
            .ToImmutableDictionary();
        return definition.Devices.OfType<GraphicsDevice>().FirstOrDefault() is { } screen
            ? links.SetItem(Screen, Screen).SetItem(screen.Socket ?? Screen, Screen)
            : links;
    }

    private static ImmutableArray<string> Names(CharacterDevice device, string id)
    {
        ImmutableArray<string> names = device.Name is { } name && IsPlain(name) ? [id, name] : [id];
        return device is { Backend: CharacterBackend.Unix, Path: { } path } ? names.Add(path) : names;
    }

    private static ImmutableArray<Endpoint> AddMainConsole(ImmutableArray<Endpoint> ends)
    {
        var main = ends.FirstOrDefault(e => e is { Device.Role: CharacterRole.Serial, Socket: not null })
            ?? ends.FirstOrDefault(e => e is { Device.Role: CharacterRole.Console, Socket: not null });
        return main is null ? ends : ends.Replace(main, main with { Links = main.Links.Add(MainConsole) });
    }

    /// <summary>Whether a guest-visible name can be the name of a link.</summary>
    private static bool IsPlain(string name) =>
        name.Length is > 0 and <= 100
            && name[0] is not '.'
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
