using System.Collections.Immutable;
using System.Text.Json;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>How a process opens the images of each of its disks: those that a later command adds, too.</summary>
internal static class DriveModes
{
    private const int MaximumBytes = 1 << 20;

    public static ImmutableDictionary<string, DriveMode> Read(RunFolder folder) => JsonSerializer.Deserialize(
        DurableFile.ReadTextBounded(folder.Drives, MaximumBytes), StepJson.Default.ImmutableDictionaryStringDriveMode)!;

    public static Task WriteAsync(
        RunFolder folder, ImmutableDictionary<string, DriveMode> modes, CancellationToken cancellation) => DurableFile.ReplaceAsync(
        folder.Drives, JsonSerializer.SerializeToUtf8Bytes(modes, StepJson.Default.ImmutableDictionaryStringDriveMode), cancellation);
}
