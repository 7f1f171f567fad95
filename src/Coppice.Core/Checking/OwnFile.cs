namespace Coppice.Core;

/// <summary>What a file is that lies where nobody but Coppice puts files.</summary>
public enum OwnFileKind
{
    /// <summary>Nothing that Coppice makes, by its name; among layers perhaps one that the user gave a name.</summary>
    Foreign,

    /// <summary>What was being made when a command was interrupted. Nothing is ever read from it.</summary>
    Partial,

    /// <summary>A layer.</summary>
    Layer,

    /// <summary>The variables of a firmware.</summary>
    Variables,

    /// <summary>A memory image.</summary>
    Memory,

    /// <summary>The RAM of a process.</summary>
    Ram,

    /// <summary>What a TPM keeps.</summary>
    Tpm,

    /// <summary>A stored definition.</summary>
    Definition,
}

/// <summary>
/// Tells by folder and name what Coppice made. What the user named himself lies elsewhere, but for merged layers that were given a
/// name (R201): these stay in their folder, and only the catalog tells what they are.
/// </summary>
public static class OwnFile
{
    private const string PartialSuffix = ".partial", NewSuffix = ".new";

    /// <summary>What a file of a domain is.</summary>
    public static OwnFileKind KindOf(DomainFolder folder, string path)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(path);
        var name = Path.GetFileName(path);
        foreach (var suffix in (string[])[PartialSuffix, NewSuffix, RoomClaim.MarkSuffix])
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
            {
                return IsBegun(folder, path[..^suffix.Length]) ? OwnFileKind.Partial : OwnFileKind.Foreign;
            }
        }

        return (Path.GetDirectoryName(path), Path.GetExtension(name)) switch
        {
            (_, ".mem") when folder.IsOwnMemory(path) => If(IsId(name[..^4]), OwnFileKind.Memory),
            (_, DomainFolder.RamSuffix) when folder.IsOwnMemory(path) => If(IsId(name[..^4]), OwnFileKind.Ram),
            ({ } place, _) when place == folder.TpmFolder => If(IsId(name), OwnFileKind.Tpm),
            (_, ".xml") when IsId(name[..^4]) && path == folder.Definition(new ShortId(name[..^4])) => OwnFileKind.Definition,
            (_, ".qcow2" or ".raw") when folder.IsOwnLayer(path) => If(LayerFileName.Read(path) is not null, OwnFileKind.Layer),
            (_, ".fd") when folder.IsOwnLayer(path) => If(IsVariables(name), OwnFileKind.Variables),
            _ => OwnFileKind.Foreign,
        };
    }

    /// <summary>Memory that is being written has the id of its operation behind its name.</summary>
    private static bool IsBegun(DomainFolder folder, string path) => KindOf(folder, path) is not OwnFileKind.Foreign
        || (IsId(Path.GetExtension(path).TrimStart('.')) && KindOf(folder, Path.ChangeExtension(path, null)) is OwnFileKind.Memory);

    private static OwnFileKind If(bool isNamedSo, OwnFileKind kind) => isNamedSo ? kind : OwnFileKind.Foreign;

    private static bool IsVariables(string name) =>
        name.Split('.') is [DiskDevice.FlashTarget, var id, "fd"] && IsId(id);

    private static bool IsId(string text) => text.Length is >= 8 and <= 32 && text.All(char.IsAsciiHexDigitLower);
}
