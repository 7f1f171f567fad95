using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A name that the file of a merged layer is to have, in the folder that it is in (R201). A process that has the file open goes
/// on calling it by its old name, so it is on record until none has.
/// </summary>
/// <param name="Layer">The layer.</param>
/// <param name="Name">The file name, without a folder.</param>
public sealed record LayerRename(ShortId Layer, string Name)
{
    private const int LongestName = 255;

    /// <summary>The path of the layer's file once it has that name.</summary>
    public string PathOf(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return $"{Path.GetDirectoryName(layer.Path)}/{Name}";
    }

    /// <summary>What is wrong with a file name; null if it can be used.</summary>
    public static string? ProblemOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name is "" or "." or ".." ? "it is no file name"
            : name.Contains('/', StringComparison.Ordinal) ? "it has a folder: the file stays in the one that it is in"
            : name.Any(char.IsControl) || !SafeXml.CanHold(name) ? "it contains a control character"
            : System.Text.Encoding.UTF8.GetByteCount(name) > LongestName ? $"it is longer than {LongestName} bytes"
            : null;
    }

    /// <summary>Why it has to wait; null if it can be done now.</summary>
    /// <param name="catalog">The catalog that has it on record, without the loans that are over.</param>
    /// <param name="files">What is known of the files of its layers, and of one that has the name already.</param>
    /// <param name="hypervisor">What the domain is doing.</param>
    public string? ReasonToWait(
        Catalog catalog, ImmutableDictionary<string, FileObservation> files, HypervisorObservation hypervisor)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(hypervisor);
        var graph = LayerGraph.Of(catalog);
        var layer = graph[Layer];
        return hypervisor.IsAlive && catalog.Head.Disks.Any(d => graph.Chain(d.Layer).Any(l => l.Id == Layer))
                ? "the domain has the file open: it is renamed when it is off"
            : catalog.Jobs.Any(j => j.Disk == layer.Disk) ? $"disk '{layer.Disk}' is being merged"
            : graph.Lent().Contains(Layer) ? "another domain uses it"
            : !files.ContainsKey(layer.Path) ? $"{layer.Path} is missing"
            : files.ContainsKey(PathOf(layer)) ? $"{PathOf(layer)} exists already"
            : graph.BuiltOn(Layer).FirstOrDefault(l => files.GetValueOrDefault(l.Path) is not { Links: 1 }) is { } above
                ? $"{above.Path}, which builds on it, has other names or is missing, and is not written"
            : null;
    }
}

/// <summary>A layer whose file does not have its new name yet, and why.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Name">What its file is to be called.</param>
/// <param name="Reason">Why it is not; null if the next command that looks after merges does it.</param>
public sealed record WaitingRename(Layer Layer, string Name, string? Reason);
