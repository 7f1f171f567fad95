using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Reads the stored definitions of a domain. They are written once, by a plan.</summary>
internal static class DefinitionStore
{
    private const int MaximumLength = 8 << 20;

    /// <summary>What was read of a catalog: a server looks at every domain twice a second, and parsing is most of a look.</summary>
    private static readonly ConditionalWeakTable<Catalog, ConcurrentDictionary<ShortId, (FileStamp Stamp, DomainDefinition Definition)>> s_parsed = [];

    /// <summary>A definition of a domain, which is called what the catalog calls it.</summary>
    public static DomainDefinition Read(DomainFolder folder, Catalog catalog, ShortId id)
    {
        var known = s_parsed.GetOrCreateValue(catalog);
        var stamp = FileSystem.StampOf(folder.Definition(id));
        if (stamp is not null && known.TryGetValue(id, out var parsed) && parsed.Stamp == stamp)
        {
            return parsed.Definition;
        }

        var definition = DomainXml.Parse(ReadStored(folder, id)) with { Name = catalog.Name };
        if (stamp is { IsTelling: true } telling)
        {
            known[id] = (telling, definition);
        }

        return definition;
    }

    /// <summary>The same as a document.</summary>
    public static string ReadXml(DomainFolder folder, Catalog catalog, ShortId id) => DomainXml.Format(Read(folder, catalog, id));

    /// <summary>
    /// The definitions of a domain that its catalog does not name. An interrupted operation may still name one: settle it first.
    /// </summary>
    public static ImmutableArray<string> Strays(DomainFolder folder, Catalog catalog)
    {
        var named = catalog.Definitions.Select(folder.Definition).ToHashSet(StringComparer.Ordinal);
        var place = Path.GetDirectoryName(folder.Definition(catalog.Head.Definition))!;
        return [.. Directory.EnumerateFiles(place, "*.xml").Where(path => !named.Contains(path)).Order(StringComparer.Ordinal)];
    }

    private static string ReadStored(DomainFolder folder, ShortId id)
    {
        var path = folder.Definition(id);
        try
        {
            return Encoding.UTF8.GetString(DurableFile.ReadBounded(path, MaximumLength));
        }
        catch (FileException e) when (e.IsMissing)
        {
            throw new CoppiceException(ErrorKind.Damaged, path, "is missing", "restore it from a backup", e);
        }
        catch (FileException e)
        {
            throw Failure.Of(e);
        }
    }
}
