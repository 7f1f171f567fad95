using System.Diagnostics;
using System.Text.Json.Nodes;
using Coppice.Core;

namespace Coppice.Live.Storage;

/// <summary>What is in images, by the tools of QEMU.</summary>
internal static class ImageContent
{
    /// <summary>Writes into an image that nobody uses, by commands of qemu-io.</summary>
    public static void Write(Layer layer, params string[] commands) => Run(
        "qemu-io", ["-f", Name(layer.Format), .. commands.SelectMany(c => new[] { "-c", c }), layer.Path]);

    /// <summary>
    /// The whole disk as it is read through a chain, top first, whatever the headers say and whoever uses the images: an image
    /// that a commit writes is locked against all others.
    /// </summary>
    public static byte[] Read(params ReadOnlySpan<Layer> chain)
    {
        JsonObject? node = null;
        for (var i = chain.Length - 1; i >= 0; i--)
        {
            var file = new JsonObject
            {
                ["driver"] = chain[i].Type is StorageType.Block ? "host_device" : "file",
                ["filename"] = chain[i].Path,
                ["locking"] = "off",
            };
            var image = new JsonObject { ["driver"] = Name(chain[i].Format), ["file"] = file };
            if (chain[i].Format is ImageFormat.Qcow2)
            {
                image["backing"] = node;
            }

            node = image;
        }

        var raw = Path.GetTempFileName();
        try
        {
            Run("qemu-img", "convert", "-U", "-O", "raw", $"json:{node!.ToJsonString()}", raw);
            return File.ReadAllBytes(raw);
        }
        finally
        {
            File.Delete(raw);
        }
    }

    /// <summary>Nothing is wrong with an image. Clusters that a killed QEMU had taken and not yet used may be lost.</summary>
    public static void RequireSound(Layer layer)
    {
        using var check = Process.Start(
            new ProcessStartInfo("qemu-img", ["check", "-q", "-U", "-f", Name(layer.Format), layer.Path]) { RedirectStandardError = true })!;
        check.StandardError.ReadToEnd();
        check.WaitForExit();
        Assert.True(check.ExitCode is 0 or 3, $"{layer.Path} is broken");
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}{errors.GetAwaiter().GetResult()}");
        return output;
    }

    private static string Name(ImageFormat format) => format is ImageFormat.Qcow2 ? "qcow2" : "raw";
}
