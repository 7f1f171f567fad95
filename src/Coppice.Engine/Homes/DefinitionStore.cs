using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Reads the stored definitions of a domain. They are written once, by a plan.</summary>
internal static class DefinitionStore
{
    private const int MaximumLength = 8 << 20;

    /// <summary>A definition of a domain, which is called what the catalog calls it.</summary>
    public static DomainDefinition Read(DomainFolder folder, Catalog catalog, ShortId id) =>
        DomainXml.Parse(ReadStored(folder, id)) with { Name = catalog.Name };

    /// <summary>The same as a document.</summary>
    public static string ReadXml(DomainFolder folder, Catalog catalog, ShortId id) => DomainXml.Format(Read(folder, catalog, id));

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
