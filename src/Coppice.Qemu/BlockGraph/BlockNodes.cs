using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;

namespace Coppice.Qemu.BlockGraph;

/// <summary>How a disk's images are opened.</summary>
/// <param name="Direct">Past the host's page cache.</param>
/// <param name="NoFlush">The guest's flushes are ignored.</param>
internal readonly record struct CacheMode(bool Direct, bool NoFlush);

/// <summary>
/// The nodes of QEMU's block graph. A layer has two, both named by its id: the file, and its format on top. Everything is
/// stated, and the lowest has an explicit null below it, so that QEMU looks into no file for what to open next.
/// </summary>
internal static class BlockNodes
{
    /// <summary>The node of a layer that a disk or another layer uses.</summary>
    public static string NameOf(ShortId layer) => $"l-{layer}";

    /// <summary>The node of the file below it.</summary>
    public static string FileNameOf(ShortId layer) => $"f-{layer}";

    /// <summary>A chain, top first, as one tree of nodes.</summary>
    /// <param name="layers">The layers, top first; the last has no parent.</param>
    /// <param name="readOnly">The top is not written either.</param>
    /// <param name="cache">How the files are opened.</param>
    public static JsonObject Chain(ImmutableArray<Layer> layers, bool readOnly, CacheMode cache)
    {
        JsonObject? below = null;
        for (var i = layers.Length - 1; i >= 0; i--)
        {
            var node = Format(layers[i], File(layers[i], readOnly || i > 0, cache), readOnly || i > 0);
            if (layers[i].Format is ImageFormat.Qcow2)
            {
                node["backing"] = below;
            }

            below = node;
        }

        return below ?? throw new ArgumentException("a chain has a layer at least", nameof(layers));
    }

    /// <summary>An empty layer that is going to be put on top of a disk; it has nothing below it until then.</summary>
    public static JsonObject Overlay(Layer layer, CacheMode cache)
    {
        var node = Format(layer, File(layer, readOnly: false, cache), readOnly: false);
        node["backing"] = null;
        return node;
    }

    private static JsonObject Format(Layer layer, JsonObject file, bool readOnly) => new()
    {
        ["driver"] = layer.Format is ImageFormat.Qcow2 ? "qcow2" : "raw",
        ["node-name"] = NameOf(layer.Id),
        ["read-only"] = readOnly,
        ["discard"] = "unmap",
        ["file"] = file,
    };

    // A layer that a snapshot freezes is reopened for reading: with auto-read-only its file follows.
    private static JsonObject File(Layer layer, bool readOnly, CacheMode cache) => new()
    {
        ["driver"] = "file",
        ["node-name"] = FileNameOf(layer.Id),
        ["filename"] = layer.Path,
        ["read-only"] = readOnly,
        ["auto-read-only"] = !readOnly,
        ["discard"] = "unmap",
        ["cache"] = new JsonObject { ["direct"] = cache.Direct, ["no-flush"] = cache.NoFlush },
    };
}
