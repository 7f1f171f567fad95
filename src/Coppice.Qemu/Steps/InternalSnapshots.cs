using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>What a process does with internal snapshots of the images that it writes to.</summary>
internal static class InternalSnapshots
{
    // What QEMU says when the image has no room for the memory, or its disk fails.
    public const string CannotWrite = "writing VM state";

    // What QEMU says of one that is not there, and of an image that is only read: it is left to a later command.
    private static readonly string[] s_notThere = ["does not exist", "Need a root block node"];

    /// <summary>The part of a transaction that makes one, without memory.</summary>
    public static JsonNode Action(Layer snapshot) => new JsonObject
    {
        ["type"] = "blockdev-snapshot-internal-sync",
        ["data"] = new JsonObject { ["device"] = NodeOf(snapshot), ["name"] = snapshot.Inside!.Tag },
    };

    /// <summary>Makes them all at one instant, with the memory inside one of them.</summary>
    /// <exception cref="CoppiceException">That one cannot be written (<see cref="ErrorKind.Storage"/>).</exception>
    public static async Task SaveAsync(
        Machine machine, MemoryImage memory, ImmutableArray<Layer> snapshots, StepContext context, CancellationToken cancellation)
    {
        var holder = snapshots.First(s => s.Id == memory.Layer);
        var arguments = new JsonObject
        {
            ["tag"] = holder.Inside!.Tag,
            ["vmstate"] = NodeOf(holder),
            ["devices"] = new JsonArray([.. snapshots.Select(JsonNode (s) => NodeOf(s))]),
        };
        try
        {
            await machine.RunJobAsync("snapshot-save", JobOf(context), arguments, cancellation);
        }
        catch (QmpRefusalException e) when (e.Description.Contains(CannotWrite, StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"memory in image {holder.Path}", $"cannot be written (QEMU: {e.Description})",
                "free some space or mend the file system, and try again", e);
        }
    }

    /// <summary>Takes back what was made, wholly or in part.</summary>
    public static async Task UndoAsync(
        Machine machine, ImmutableArray<Layer> snapshots, StepContext context, CancellationToken cancellation)
    {
        if (snapshots.IsEmpty)
        {
            return;
        }

        await machine.DismissJobAsync(JobOf(context), cancellation);

        // A guest whose memory was saved has let go of its images until it runs again.
        await machine.ReawakenAsync(cancellation);
        foreach (var snapshot in snapshots)
        {
            await RemoveAsync(machine, snapshot, cancellation);
        }
    }

    /// <summary>Removes one, unless it is gone already or its image is not written any more.</summary>
    public static async Task RemoveAsync(Machine machine, Layer snapshot, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync(
                "blockdev-snapshot-delete-internal-sync",
                new JsonObject { ["device"] = NodeOf(snapshot), ["name"] = snapshot.Inside!.Tag },
                cancellation);
        }
        catch (QmpRefusalException e) when (s_notThere.Any(s => e.Description.Contains(s, StringComparison.Ordinal)))
        {
        }
    }

    private static string NodeOf(Layer snapshot) => BlockNodes.NameOf(snapshot.Inside!.Holder);

    // Not what a merge is called: whoever watches tells merges by their names.
    private static string JobOf(StepContext context) => $"coppice-inside-{context.Operation}";
}
