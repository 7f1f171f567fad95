using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

internal sealed record LaunchArguments(
    ShortId Process, ImmutableArray<FakeDrive> Drives, ImmutableArray<Layer> Layers, MemoryImage Memory, RamPlace? Ram, Layer? MemoryHolder, ShortId? Tpm,
    ImmutableArray<TapDevice> Taps, ShortId? Beside, bool HasAgent, ImmutableArray<int> Pulled,
    ImmutableSortedDictionary<int, string> Cards, bool Waits);

internal sealed record SpareArguments(ShortId Process);

internal sealed record CheckpointArguments(CheckpointRequest Request, bool IsQuiesced);

internal sealed record CableArguments(ShortId Process, int Card, bool IsUp);

internal sealed record CardArguments(ShortId Process, int Place, string Mac, bool IsUp);

internal sealed record ResizeArguments(ShortId? Process, Layer Layer, ByteCount Size);

internal sealed record DriveArguments(ShortId Process, FakeDrive Drive, bool IsOurs);

internal sealed record TpmArguments(ShortId State);

internal sealed record RemoveInternalArguments(ShortId Process, Layer Snapshot);

internal sealed record TakeOverArguments(ShortId Process, bool Run, ImmutableArray<TapDevice> Taps);

internal sealed record EndArguments(ShortId Process);

internal sealed record GuestTimeArguments(ShortId Process);

internal sealed record SignalArguments(ShortId Process, DomainSignal Signal);

internal sealed record MergeArguments(ShortId Process, MergeRequest Merge, bool Guestless);

internal sealed record HaltArguments(ShortId Process, ShortId Job, bool Guestless);

internal sealed record MirrorArguments(ShortId Process, MirrorRequest Mirror, MirrorEnd? End);

internal sealed record ImageArguments(Layer Image);

internal sealed record RelinkArguments(Layer Layer, string From, string To);

internal sealed record OverlayArguments(Layer Overlay, Layer Backing);

internal sealed record CopyArguments(Layer Copy, Layer Snapshot, Layer? Parent);

internal sealed record VariablesArguments(Layer Variables, string Template);

internal sealed record LinkArguments(string File, string Name);

internal sealed record MemoryCopyArguments(MemoryImage Memory, Layer? Holder, string Path);

internal sealed record RemoveArguments(string Path);

internal sealed record WriteArguments(string Path, string Content);

[JsonSerializable(typeof(LaunchArguments))]
[JsonSerializable(typeof(SpareArguments))]
[JsonSerializable(typeof(MirrorArguments))]
[JsonSerializable(typeof(ImageArguments))]
[JsonSerializable(typeof(CableArguments))]
[JsonSerializable(typeof(CardArguments))]
[JsonSerializable(typeof(ResizeArguments))]
[JsonSerializable(typeof(DriveArguments))]
[JsonSerializable(typeof(TpmArguments))]
[JsonSerializable(typeof(TpmCopy))]
[JsonSerializable(typeof(CheckpointArguments))]
[JsonSerializable(typeof(LeaveRequest))]
[JsonSerializable(typeof(TakeOverArguments))]
[JsonSerializable(typeof(EndArguments))]
[JsonSerializable(typeof(GuestTimeArguments))]
[JsonSerializable(typeof(SignalArguments))]
[JsonSerializable(typeof(MergeArguments))]
[JsonSerializable(typeof(HaltArguments))]
[JsonSerializable(typeof(RelinkArguments))]
[JsonSerializable(typeof(OverlayArguments))]
[JsonSerializable(typeof(CopyArguments))]
[JsonSerializable(typeof(Layer))]
[JsonSerializable(typeof(RemoveInternalArguments))]
[JsonSerializable(typeof(VariablesArguments))]
[JsonSerializable(typeof(LinkArguments))]
[JsonSerializable(typeof(MemoryCopyArguments))]
[JsonSerializable(typeof(RemoveArguments))]
[JsonSerializable(typeof(WriteArguments))]
[JsonSerializable(typeof(RoomClaim))]
[JsonSerializable(typeof(FileToCopy))]
[JsonSerializable(typeof(ImageToCopy))]
internal sealed partial class FakeJson : JsonSerializerContext;
