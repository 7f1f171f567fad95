namespace Coppice.Core;

/// <summary>The channel on which the QEMU guest agent in a guest is asked.</summary>
public static class GuestAgentChannel
{
    /// <summary>The name that the agent finds it by, unless it is told another.</summary>
    public const string Name = "org.qemu.guest_agent.0";

    private const string Element = "<channel type='unix'><target type='virtio' name='" + Name + "'/></channel>";

    /// <summary>The channel of a definition, with a socket on the host's end.</summary>
    /// <exception cref="CoppiceException">It has none (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public static CharacterDevice RequireIn(DomainDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition.Devices.OfType<CharacterDevice>().FirstOrDefault(IsAgents) ?? throw new CoppiceException(
            ErrorKind.MissingCapability, $"domain '{definition.Name}'", "has no channel on which an agent in its guest could be asked",
            $"add {Element} to the <devices> of its XML, define it, start it anew, and have qemu-guest-agent in the guest");
    }

    private static bool IsAgents(CharacterDevice device) => device is
    {
        Role: CharacterRole.Channel, Target: CharacterTarget.Virtio, Name: Name, Backend: CharacterBackend.Unix or CharacterBackend.Pty,
    };
}
