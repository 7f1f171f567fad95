using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A frozen layer and what another domain calls it.</summary>
/// <param name="Theirs">The layer in the catalog of the domain that has it.</param>
/// <param name="Ours">The same layer in the catalog of the other: a second name of its file, or borrowed where it is.</param>
internal sealed record SharedLayer(Layer Theirs, Layer Ours)
{
    public bool IsLinked => Ours.Origin is LayerOrigin.Coppice;
}

/// <summary>
/// A chain of frozen layers that another domain shares (R176). A file is linked under its own name into that domain's folder
/// together with all that it names relatively, so that any tool can read the linked chain. What is named by an absolute path
/// stays there and is borrowed, and so is what cannot be linked: the image of a user, a device, a file elsewhere.
/// </summary>
internal static class SharedLayers
{
    /// <param name="chain">The chain, top first. All of it is frozen.</param>
    /// <param name="places">Where the other domain goes on from each layer.</param>
    public static ImmutableArray<SharedLayer> Of(
        ImmutableArray<Layer> chain, IReadOnlyDictionary<ShortId, SharedPlace> places)
    {
        var linked = Linked(chain, places);
        return [.. chain.Select((layer, i) => new SharedLayer(layer, i < linked ? Renamed(layer, places[layer.Id].Folder) : Borrowed(layer)))];
    }

    /// <summary>How many layers are linked, from the top: as far as names are relative, if all of these can be.</summary>
    private static int Linked(ImmutableArray<Layer> chain, IReadOnlyDictionary<ShortId, SharedPlace> places)
    {
        var count = chain.IsEmpty ? 0 : 1;
        while (count > 0 && count < chain.Length && NamesRelatively(chain[count - 1], chain[count]))
        {
            count++;
        }

        return chain.Take(count).All(l => places[l.Id].TakesLink) ? count : 0;
    }

    /// <summary>How an image names the one below: as whoever makes layers writes it.</summary>
    private static bool NamesRelatively(Layer layer, Layer below) =>
        Path.GetDirectoryName(layer.Path) == Path.GetDirectoryName(below.Path)
        && !Path.GetFileName(below.Path).Contains(':', StringComparison.Ordinal);

    private static Layer Renamed(Layer layer, string folder) => layer with { Path = $"{folder}/{Path.GetFileName(layer.Path)}" };

    private static Layer Borrowed(Layer layer) => layer with { Origin = LayerOrigin.Borrowed };
}
