using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Qemu.Steps;

/// <summary>A process to start: its whole command line, decided while planning.</summary>
/// <param name="Process">Its id.</param>
/// <param name="Domain">The domain's name, for errors.</param>
/// <param name="Binary">The program.</param>
/// <param name="CommandLine">Its arguments; sockets are relative to its run folder.</param>
/// <param name="Memory">The memory to load.</param>
/// <param name="Images">The files it opens, by node name, for errors.</param>
internal sealed record LaunchArguments(
    ShortId Process, string Domain, string Binary, ImmutableArray<string> CommandLine, MemoryImage Memory,
    ImmutableDictionary<string, string> Images);

/// <summary>What becomes reachable when a process takes over.</summary>
/// <param name="Process">The process.</param>
/// <param name="Run">Let the guest go on.</param>
/// <param name="Links">Sockets of its run folder by the path under which people find them; a relative path is an endpoint's name.</param>
/// <param name="Forwards">Port forwards: the network backend and the rule, as QEMU writes it.</param>
/// <param name="Screens">Addresses on which the screen is offered, as <c>host:port</c>.</param>
internal sealed record TakeOverArguments(
    ShortId Process, bool Run, ImmutableDictionary<string, string> Links, ImmutableArray<HostForward> Forwards,
    ImmutableArray<ScreenAddress> Screens);

/// <summary>A port of the host that leads to one of the guest.</summary>
internal sealed record HostForward(string Backend, string Rule);

/// <summary>An address on which the screen is offered.</summary>
internal sealed record ScreenAddress(string Host, int Port);

/// <summary>A process to end.</summary>
internal sealed record EndArguments(ShortId Process);

/// <summary>A command for a process.</summary>
internal sealed record SignalArguments(ShortId Process, DomainSignal Signal);

/// <summary>The shapes of the steps' arguments, in the journal too.</summary>
[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LaunchArguments))]
[JsonSerializable(typeof(CheckpointRequest))]
[JsonSerializable(typeof(LeaveRequest))]
[JsonSerializable(typeof(TakeOverArguments))]
[JsonSerializable(typeof(EndArguments))]
[JsonSerializable(typeof(SignalArguments))]
internal sealed partial class StepJson : JsonSerializerContext;
