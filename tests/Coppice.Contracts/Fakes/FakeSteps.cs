using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

internal sealed record LaunchArguments(
    ShortId Process, ImmutableArray<FakeDrive> Drives, ImmutableArray<Layer> Layers, MemoryImage Memory, Layer? MemoryHolder, ShortId? Tpm,
    ImmutableArray<TapDevice> Taps, ShortId? Beside);

internal sealed record ResizeArguments(ShortId? Process, Layer Layer, ByteCount Size);

internal sealed record DriveArguments(ShortId Process, FakeDrive Drive);

internal sealed record TpmArguments(ShortId State);

internal sealed record RemoveInternalArguments(ShortId Process, Layer Snapshot);

internal sealed record TakeOverArguments(ShortId Process, bool Run, ImmutableArray<TapDevice> Taps);

internal sealed record EndArguments(ShortId Process);

internal sealed record GuestTimeArguments(ShortId Process);

internal sealed record SignalArguments(ShortId Process, DomainSignal Signal);

internal sealed record OverlayArguments(Layer Overlay, Layer Backing);

internal sealed record CopyArguments(Layer Copy, Layer Snapshot, Layer? Parent);

internal sealed record VariablesArguments(Layer Variables, string Template);

internal sealed record RemoveArguments(string Path);

internal sealed record WriteArguments(string Path, string Content);

[JsonSerializable(typeof(LaunchArguments))]
[JsonSerializable(typeof(ResizeArguments))]
[JsonSerializable(typeof(DriveArguments))]
[JsonSerializable(typeof(TpmArguments))]
[JsonSerializable(typeof(TpmCopy))]
[JsonSerializable(typeof(CheckpointRequest))]
[JsonSerializable(typeof(LeaveRequest))]
[JsonSerializable(typeof(TakeOverArguments))]
[JsonSerializable(typeof(EndArguments))]
[JsonSerializable(typeof(GuestTimeArguments))]
[JsonSerializable(typeof(SignalArguments))]
[JsonSerializable(typeof(OverlayArguments))]
[JsonSerializable(typeof(CopyArguments))]
[JsonSerializable(typeof(Layer))]
[JsonSerializable(typeof(RemoveInternalArguments))]
[JsonSerializable(typeof(VariablesArguments))]
[JsonSerializable(typeof(RemoveArguments))]
[JsonSerializable(typeof(WriteArguments))]
internal sealed partial class FakeJson : JsonSerializerContext;
