using Coppice.Core;

namespace Coppice.Engine;

/// <content>What can be asked of a guest that runs.</content>
public sealed partial class Home
{
    /// <summary>What a guest has used so far, and how large the images of its disks are. Takes no lock, and settles nothing.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>), or it cannot be read.</exception>
    public Task<DomainFigures> MeasureAsync(string nameOrId, CancellationToken cancellation = default) => ReadAsync(nameOrId, async folder =>
    {
        var view = await ViewAsync(folder, cancellation).ConfigureAwait(false);
        var guest = view is { Hypervisor.IsAlive: true, Catalog.Head.Process: { } process }
            ? await _options.Hypervisor.MeasureAsync(folder, process, view.Definition, cancellation).ConfigureAwait(false)
            : null;
        return new DomainFigures(view, guest, await ImageFigures.ObserveAsync(view, _options.Storage, cancellation).ConfigureAwait(false));
    });
}
