using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Qemu.Agent;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Networks;

namespace Coppice.Qemu.Steps;

/// <summary>A process to start: its whole command line, decided while planning.</summary>
/// <param name="Process">Its id.</param>
/// <param name="Domain">The domain's name, for errors.</param>
/// <param name="Binary">The program.</param>
/// <param name="CommandLine">Its arguments; sockets are relative to its run folder.</param>
/// <param name="Ram">The file that is its RAM, if one is.</param>
/// <param name="Memory">The memory to load.</param>
/// <param name="MemoryHolder">The internal snapshot that holds it, if one does.</param>
/// <param name="Images">The files it opens, by node name, for errors.</param>
/// <param name="Drives">How the images of each disk are opened, for layers that are added later.</param>
/// <param name="Tpm">What its TPM keeps, if it has one.</param>
/// <param name="Predecessor">The process that had the same TPM before, and has ended.</param>
/// <param name="OnlyOn">
/// The version that wrote the memory, if its machine type has no versions of its own, so that no other can be trusted with it.
/// </param>
/// <param name="Taps">The tap devices of its cards.</param>
/// <param name="Beside">The process that may have them still, and ends before this one takes over.</param>
/// <param name="Cables">Whether the cables of cards are plugged in, where that is said.</param>
/// <param name="Waits">How it waits for somebody to take it; null for one that is taken at once.</param>
internal sealed record LaunchArguments(
    ShortId Process, string Domain, string Binary, ImmutableArray<string> CommandLine, RamFileArguments? Ram, MemoryImage Memory,
    Layer? MemoryHolder, ImmutableDictionary<string, string> Images, ImmutableDictionary<string, DriveMode> Drives,
    ShortId? Tpm, ShortId? Predecessor, string? OnlyOn, ImmutableArray<TapPlug> Taps, ShortId? Beside, ImmutableSortedDictionary<string, bool> Cables,
    WaitArguments? Waits);

/// <summary>How a process waits for somebody to take it.</summary>
/// <param name="Seconds">How long.</param>
/// <param name="MemoryBytes">About how much of the host's memory it takes meanwhile.</param>
internal sealed record WaitArguments(double Seconds, long MemoryBytes);

/// <summary>A process that waits.</summary>
/// <param name="Process">The process.</param>
internal sealed record SpareArguments(ShortId Process);

/// <summary>A file that is the RAM of a process.</summary>
/// <param name="Path">The file.</param>
/// <param name="Bytes">How large it is.</param>
/// <param name="IsImage">It is the memory image itself, of which the RAM is the beginning.</param>
internal sealed record RamFileArguments(string Path, long Bytes, bool IsImage);

/// <summary>A checkpoint.</summary>
/// <param name="Request">What is kept.</param>
/// <param name="Agent">The agent that freezes the guest's file systems meanwhile; null to leave them alone.</param>
internal sealed record CheckpointArguments(CheckpointRequest Request, AgentChannel? Agent);

/// <summary>What becomes reachable when a process takes over.</summary>
/// <param name="Process">The process.</param>
/// <param name="Run">Let the guest go on.</param>
/// <param name="Links">
/// Sockets of its run folder by the path under which people find them; a relative path is an endpoint's name.
/// </param>
/// <param name="Forwards">Port forwards: the network backend and the rule, as QEMU writes it.</param>
/// <param name="Screens">Addresses on which the screen is offered, as <c>host:port</c>.</param>
/// <param name="Taps">The tap devices of its cards, which it may have already.</param>
internal sealed record TakeOverArguments(
    ShortId Process, bool Run, ImmutableDictionary<string, string> Links, ImmutableArray<HostForward> Forwards,
    ImmutableArray<ScreenAddress> Screens, ImmutableArray<TapPlug> Taps);

/// <summary>A port of the host that leads to one of the guest.</summary>
/// <param name="Backend">QEMU's name for the network.</param>
/// <param name="Host">The end at the host, as QEMU writes it: <c>tcp:127.0.0.1:2222</c>.</param>
/// <param name="Guest">The port of the guest.</param>
internal sealed record HostForward(string Backend, string Host, int Guest)
{
    /// <summary>The forwards of a definition, port by port.</summary>
    public static IEnumerable<HostForward> Of(DomainDefinition definition) =>
        from network in definition.Devices.OfType<NetworkDevice>()
            .Select((n, i) => (n.Forwards, Backend: DeviceArguments.NetworkBackend(i)))
        from forward in network.Forwards
        from range in forward.Ranges
        from offset in Enumerable.Range(0, range.End - range.Start + 1)
        let protocol = forward.Protocol is ForwardProtocol.Udp ? "udp" : "tcp"
        select new HostForward(network.Backend, $"{protocol}:{forward.Address}:{range.Start + offset}", range.To + offset);
}

/// <summary>An address on which the screen is offered.</summary>
internal sealed record ScreenAddress(string Host, int Port)
{
    /// <summary>The addresses of a definition. Without a port the screen is offered on its socket only.</summary>
    public static IEnumerable<ScreenAddress> Of(DomainDefinition definition) =>
        from screen in definition.Devices.OfType<GraphicsDevice>()
        where screen is { Port: > 0, Socket: null }
        select new ScreenAddress(screen.Listen ?? "127.0.0.1", screen.Port!.Value);
}

/// <summary>A process to end.</summary>
/// <param name="Process">The process.</param>
/// <param name="Kept">The paths of links that are left for a successor to replace.</param>
/// <param name="KeepsRam">The file of its RAM stays, which was made for a process that is about to begin.</param>
internal sealed record EndArguments(ShortId Process, ImmutableArray<string> Kept, bool KeepsRam = false);

/// <summary>An internal snapshot to remove from an image that a process writes to.</summary>
internal sealed record RemoveInternalArguments(ShortId Process, Layer Snapshot);

/// <summary>A disk to make larger, by the layer that it writes to.</summary>
internal sealed record ResizeArguments(ShortId Process, Layer Layer, ByteCount Size);

/// <summary>The images of a disk to open in a process, for a device that is going to use them.</summary>
/// <param name="Process">The process.</param>
/// <param name="Domain">The domain's name, for errors.</param>
/// <param name="Disk">The disk, with its chain.</param>
/// <param name="Images">The block nodes, as QEMU takes them.</param>
/// <param name="Mode">How layers that are added later are opened.</param>
internal sealed record OpenImagesArguments(ShortId Process, string Domain, DiskChain Disk, string Images, DriveMode Mode);

/// <summary>The images of a disk to close, once no device uses them.</summary>
internal sealed record CloseImagesArguments(ShortId Process, DiskChain Disk);

/// <summary>A device to show to a guest.</summary>
/// <param name="Process">The process.</param>
/// <param name="Domain">The domain's name, for errors.</param>
/// <param name="Disk">The disk, with its chain.</param>
/// <param name="Device">The device, as QEMU takes it.</param>
internal sealed record PlugArguments(ShortId Process, string Domain, DiskChain Disk, string Device);

/// <summary>A disk for a guest to let go of.</summary>
internal sealed record UnplugArguments(ShortId Process, string Domain, string Target);

/// <summary>A merge to begin.</summary>
internal sealed record BeginMergeArguments(ShortId Process, MergeRequest Merge, bool Guestless);

/// <summary>A merge to give up.</summary>
internal sealed record HaltMergeArguments(ShortId Process, ShortId Job, bool Guestless);

/// <summary>A merge to finish.</summary>
internal sealed record FinishMergeArguments(ShortId Process, MergeRequest Merge);

/// <summary>A disk to copy, or no longer.</summary>
internal sealed record MirrorArguments(ShortId Process, MirrorRequest Mirror);

/// <summary>A copy of a disk to end.</summary>
internal sealed record EndMirrorArguments(ShortId Process, MirrorRequest Mirror, MirrorEnd End);

/// <summary>A TPM to make or remove.</summary>
internal sealed record TpmArguments(ShortId State);

/// <summary>A guest whose clock is to be set.</summary>
/// <param name="Process">Its process.</param>
/// <param name="Agent">The way to its agent.</param>
internal sealed record GuestTimeArguments(ShortId Process, AgentChannel Agent);

/// <summary>A cable to plug in or to pull.</summary>
/// <param name="Process">The process.</param>
/// <param name="Card">What QEMU calls the card.</param>
/// <param name="IsUp">Whether it is plugged in afterwards.</param>
internal sealed record CableArguments(ShortId Process, string Card, bool IsUp);

/// <summary>A network card for a guest to let go of, by its place.</summary>
internal sealed record UnplugCardArguments(ShortId Process, string Domain, int Card);

/// <summary>A network card to show to a guest.</summary>
/// <param name="Process">The process.</param>
/// <param name="Card">Its place.</param>
/// <param name="Device">The device, as QEMU takes it.</param>
/// <param name="IsUp">Whether its cable is plugged in.</param>
internal sealed record PlugCardArguments(ShortId Process, int Card, string Device, bool IsUp);

/// <summary>A command for a process.</summary>
internal sealed record SignalArguments(ShortId Process, DomainSignal Signal);

/// <summary>The shapes of the steps' arguments, in the journal too.</summary>
[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LaunchArguments))]
[JsonSerializable(typeof(SpareArguments))]
[JsonSerializable(typeof(CheckpointArguments))]
[JsonSerializable(typeof(LeaveRequest))]
[JsonSerializable(typeof(TakeOverArguments))]
[JsonSerializable(typeof(EndArguments))]
[JsonSerializable(typeof(RemoveInternalArguments))]
[JsonSerializable(typeof(ResizeArguments))]
[JsonSerializable(typeof(OpenImagesArguments))]
[JsonSerializable(typeof(CloseImagesArguments))]
[JsonSerializable(typeof(PlugArguments))]
[JsonSerializable(typeof(UnplugArguments))]
[JsonSerializable(typeof(BeginMergeArguments))]
[JsonSerializable(typeof(HaltMergeArguments))]
[JsonSerializable(typeof(FinishMergeArguments))]
[JsonSerializable(typeof(MirrorArguments))]
[JsonSerializable(typeof(EndMirrorArguments))]
[JsonSerializable(typeof(TpmArguments))]
[JsonSerializable(typeof(TpmCopy))]
[JsonSerializable(typeof(GuestTimeArguments))]
[JsonSerializable(typeof(CableArguments))]
[JsonSerializable(typeof(UnplugCardArguments))]
[JsonSerializable(typeof(PlugCardArguments))]
[JsonSerializable(typeof(SignalArguments))]
[JsonSerializable(typeof(ImmutableDictionary<string, DriveMode>))]
internal sealed partial class StepJson : JsonSerializerContext;
