using System.Text.Json.Nodes;
using Coppice.Core;

namespace Coppice.Qemu.BlockGraph;

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

    /// <summary>The node of the file below a layer's node; null if the node is none of a layer.</summary>
    public static string? FileNameOf(string node) => node.StartsWith("l-", StringComparison.Ordinal) ? $"f-{node[2..]}" : null;

    /// <summary>A chain as one tree of nodes, on those that are open for other disks.</summary>
    /// <param name="chain">The layers, of which the top is nobody else's; the last has no parent.</param>
    /// <param name="readOnly">The top is not written either.</param>
    /// <param name="mode">How the files are opened.</param>
    public static JsonObject Chain(DiskChain chain, bool readOnly, DriveMode mode)
    {
        var layers = chain.Layers;
        var own = layers.Length - chain.Shared;
        JsonObject? tree = null;
        JsonNode? below = own < layers.Length ? NameOf(layers[own].Id) : null;
        for (var i = own - 1; i >= 0; i--)
        {
            var node = Format(layers[i], File(layers[i], readOnly || i > 0, mode), readOnly || i > 0, mode);
            if (layers[i].Format is ImageFormat.Qcow2)
            {
                node["backing"] = below;
            }

            if (i > 0 && layers[i].Type is StorageType.Block)
            {
                // What the host has added behind the end that the device had is nothing that the layers know.
                node["size"] = layers[i].VirtualSize.Bytes;
            }

            below = tree = node;
        }

        return tree ?? throw new ArgumentException("QEMU gives a device no node that another one builds on", nameof(chain));
    }

    /// <summary>An empty layer that is going to be put on top of a disk; it has nothing below it until then.</summary>
    public static JsonObject Overlay(Layer layer, DriveMode mode)
    {
        var node = Format(layer, File(layer, readOnly: false, mode), readOnly: false, mode);
        node["backing"] = null;
        return node;
    }

    /// <summary>An image into which a disk is copied, on what it builds on, which is open already.</summary>
    public static JsonObject Copy(Layer layer, DriveMode mode)
    {
        var node = Format(layer, File(layer, readOnly: false, mode), readOnly: false, mode);
        if (layer.Format is ImageFormat.Qcow2)
        {
            node["backing"] = layer.Parent is { } below ? NameOf(below) : null;
        }
        else if (layer.Type is StorageType.Block)
        {
            node["size"] = layer.VirtualSize.Bytes;
        }

        return node;
    }

    /// <summary>
    /// The file of a layer that is open to be read: QEMU opens it anew for writing whenever a job writes to the layer, or to its
    /// header.
    /// </summary>
    public static JsonObject WritableFile(Layer layer, DriveMode mode) => File(layer, readOnly: false, mode);

    /// <summary>A layer that is open already, to be reopened.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="below">What it builds on; null for the lowest.</param>
    /// <param name="readOnly">Whether it is only read.</param>
    /// <param name="findsZeros">Whether zeros that are written take no room.</param>
    /// <param name="mode">How its files are opened.</param>
    public static JsonObject Reopened(Layer layer, Layer? below, bool readOnly, bool findsZeros, DriveMode mode)
    {
        var node = Format(NameOf(layer.Id), layer.Format, FileNameOf(layer.Id), readOnly, mode);
        node["detect-zeroes"] = !findsZeros ? "off" : mode.Discard is "unmap" ? "unmap" : "on";
        if (layer.Format is ImageFormat.Qcow2)
        {
            node["backing"] = below is null ? null : NameOf(below.Id);
        }

        return node;
    }

    /// <summary>An image that is no layer of ours, and has nothing below it: the medium of a CD-ROM.</summary>
    public static JsonObject Single(
        string name, string path, ImageFormat format, bool readOnly, DriveMode mode, StorageType type = StorageType.File)
    {
        var node = Format(name, format, File($"{name}-file", path, type, readOnly, mode), readOnly, mode);
        if (format is ImageFormat.Qcow2)
        {
            node["backing"] = null;
        }

        return node;
    }

    private static JsonObject Format(Layer layer, JsonObject file, bool readOnly, DriveMode mode) =>
        Format(NameOf(layer.Id), layer.Format, file, readOnly, mode);

    private static JsonObject Format(string name, ImageFormat format, JsonNode file, bool readOnly, DriveMode mode) => new()
    {
        ["driver"] = format is ImageFormat.Qcow2 ? "qcow2" : "raw",
        ["node-name"] = name,
        ["read-only"] = readOnly,
        ["discard"] = mode.Discard,
        ["cache"] = Cache(mode),
        ["file"] = file,
    };

    private static JsonObject File(Layer layer, bool readOnly, DriveMode mode) =>
        File(FileNameOf(layer.Id), layer.Path, layer.Type, readOnly, mode);

    // A layer that a snapshot freezes is reopened for reading: with auto-read-only its file follows.
    private static JsonObject File(string name, string path, StorageType type, bool readOnly, DriveMode mode) => new()
    {
        ["driver"] = type is StorageType.Block ? "host_device" : "file",
        ["node-name"] = name,
        ["filename"] = path,
        ["read-only"] = readOnly,
        ["auto-read-only"] = !readOnly,
        ["aio"] = mode.Aio,
        ["discard"] = mode.Discard,
        ["cache"] = Cache(mode),
    };

    private static JsonObject Cache(DriveMode mode) => new() { ["direct"] = mode.Direct, ["no-flush"] = mode.NoFlush };
}
