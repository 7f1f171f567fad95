using Coppice.Core;
using Coppice.Live.Tree;

namespace Coppice.Torture;

/// <summary>Lets qemu-img look for damage in images that have changed since it last did.</summary>
internal sealed class ImageChecks
{
    private readonly HashSet<(string, long, DateTime)> _whole = [];

    /// <exception cref="Violation">One is broken.</exception>
    public async Task RequireWholeAsync(IEnumerable<string> images)
    {
        foreach (var file in images.Distinct().Select(i => new FileInfo(i)))
        {
            var state = (file.FullName, file.Length, file.LastWriteTimeUtc);
            if (!_whole.Contains(state) && await Aftermath.IsBrokenAsync(file.FullName))
            {
                throw new Violation(Harm.Corrupt, $"qemu-img check finds {file.FullName} broken");
            }

            _whole.Add(state);
        }
    }
}

/// <summary>Layers that nobody writes.</summary>
internal static class RestingLayers
{
    extension(Catalog catalog)
    {
        /// <summary>The layers of a catalog that are not being merged.</summary>
        public IEnumerable<Layer> LayersAtRest()
        {
            var merged = catalog.Jobs.SelectMany(j => new[] { j.Lower, j.Upper }).ToHashSet();
            return LayerGraph.Of(catalog).All.Where(l => !merged.Contains(l.Id));
        }
    }
}
