using System.Text.Json;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.BlockGraph;

/// <summary>
/// The persistent dirty bitmaps in which others, backup programs above all, note what has changed. When the image goes that one
/// is in, it moves to the image that stays. Where that has one of the same name, both are united: what either has marked is
/// marked.
/// </summary>
internal static class DirtyBitmaps
{
    /// <summary>
    /// Carries the bitmaps of a layer over to another that is written. Can be repeated. One that comes from below a layer that
    /// has none of its name has missed what was written there: it keeps its marks, and records no more.
    /// </summary>
    /// <param name="qmp">The monitor.</param>
    /// <param name="from">The layer that goes.</param>
    /// <param name="to">The layer that stays.</param>
    /// <param name="fromBelow">Whether the one that goes is the lower one.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>What could not be carried over, and why; null if all was.</returns>
    public static async Task<string?> CarryAsync(
        QmpConnection qmp, Layer from, Layer to, bool fromBelow, CancellationToken cancellation)
    {
        var nodes = await qmp.ExecuteAsync("query-named-block-nodes", new JsonObject { ["flat"] = true }, cancellation);
        var taken = Of(nodes, to).Select(b => b.TextOrEmpty("name")).ToHashSet(StringComparer.Ordinal);
        var lost = new List<string>();
        foreach (var bitmap in Of(nodes, from).Where(b => b.IsTrue("persistent")))
        {
            var name = bitmap.TextOrEmpty("name");
            try
            {
                await CarryAsync(qmp, bitmap, from, to, taken.Contains(name), fromBelow, cancellation);
            }
            catch (QmpRefusalException e)
            {
                lost.Add($"dirty bitmap '{name}' of {from.Path} is lost ({e.Description})");
            }
        }

        return lost.Count == 0 ? null : $"{string.Join("; ", lost)}: the next backup that relies on it has to be a full one";
    }

    private static async Task CarryAsync(
        QmpConnection qmp, JsonElement bitmap, Layer from, Layer to, bool isTaken, bool fromBelow, CancellationToken cancellation)
    {
        var name = bitmap.TextOrEmpty("name");
        var target = new JsonObject { ["node"] = BlockNodes.NameOf(to.Id), ["name"] = name };
        var source = new JsonObject { ["node"] = BlockNodes.NameOf(from.Id), ["name"] = name };
        if (!isTaken)
        {
            var added = target.DeepClone().AsObject();
            added["granularity"] = bitmap.NumberOrZero("granularity");
            added["persistent"] = true;
            added["disabled"] = fromBelow || !bitmap.IsTrue("recording");
            await qmp.ExecuteAsync("block-dirty-bitmap-add", added, cancellation);
        }

        try
        {
            var merge = new JsonObject
            {
                ["node"] = BlockNodes.NameOf(to.Id), ["target"] = name, ["bitmaps"] = new JsonArray(source),
            };
            await qmp.ExecuteAsync("block-dirty-bitmap-merge", merge, cancellation);
        }
        catch (QmpRefusalException) when (!isTaken)
        {
            await qmp.ExecuteAsync("block-dirty-bitmap-remove", target, cancellation);
            throw;
        }
    }

    private static IEnumerable<JsonElement> Of(JsonElement nodes, Layer layer) =>
        nodes.Items().Where(n => n.TextOrEmpty("node-name") == BlockNodes.NameOf(layer.Id))
            .SelectMany(n => n.Find("dirty-bitmaps")?.Items() ?? []);
}
