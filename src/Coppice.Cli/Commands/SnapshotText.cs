using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Commands;

/// <summary>A snapshot as the document that <c>dumpxml</c> prints and <c>edit</c> opens.</summary>
internal static class SnapshotText
{
    public static async Task<SnapshotDocument> ReadAsync(Home home, DomainView view, Snapshot snapshot) => SnapshotDocument.From(
        view.Catalog, snapshot, await home.ReadDefinitionXmlAsync(view.Catalog.Domain.ToString(), snapshot.Definition));
}
