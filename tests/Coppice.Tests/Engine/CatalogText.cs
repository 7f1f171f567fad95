using System.Text.Json;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>All that a catalog says, as it would be stored, so that two can be compared.</summary>
internal static class CatalogText
{
    public static string Of(Catalog catalog)
    {
        var snapshots = catalog.Snapshots.Values.OrderBy(s => s.Id.Value)
            .Select(s => JsonSerializer.Serialize(new RecordDocument(CatalogStore.Version, s), EngineJson.Line<RecordDocument>()));
        return string.Join('\n', snapshots.Prepend(JsonSerializer.Serialize(RootDocument.Of(catalog, []), EngineJson.Line<RootDocument>())));
    }
}
