using Coppice.Core;
using Coppice.Files;

namespace Coppice.Qemu.Tpm;

/// <summary>
/// What a TPM keeps: a folder of the emulator swtpm, with one file that holds all of it. The emulator writes a new file and
/// renames it over the old one, so whoever reads it has it as it was at one instant.
/// </summary>
/// <param name="Path">The folder.</param>
internal sealed record TpmState(string Path)
{
    // swtpm's name for the permanent state of the first TPM 2.0.
    internal const string FileName = "tpm2-00.permall";

    // A TPM of swtpm 0.7 keeps 128 KiB of its own at most.
    private const int MaximumBytes = 1 << 20;

    /// <summary>The file that holds all of it.</summary>
    public string StateFile => $"{Path}/{FileName}";

    /// <summary>What a TPM of a domain keeps.</summary>
    public static TpmState Of(DomainFolder folder, ShortId id) => new(folder.Tpm(id));

    /// <summary>
    /// Refuses one that is not there, or empty: the emulator would put a new TPM in its place, without the guest's keys.
    /// </summary>
    /// <exception cref="CoppiceException">It is not there (<see cref="ErrorKind.NotFound"/>).</exception>
    public void Require()
    {
        if (new FileInfo(StateFile) is not { Exists: true, Length: > 0 })
        {
            throw Missing(null);
        }
    }

    /// <summary>Reads it; it may be in use.</summary>
    /// <exception cref="CoppiceException">It is not there (<see cref="ErrorKind.NotFound"/>).</exception>
    public byte[] Read()
    {
        try
        {
            return DurableFile.ReadBounded(StateFile, MaximumBytes);
        }
        catch (FileException e) when (e.IsMissing)
        {
            throw Missing(e);
        }
    }

    /// <summary>Makes it, in place of whatever an interrupted attempt left.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellation)
    {
        Clear();
        await DurableFile.CreateAsync(StateFile, content, cancellation);
    }

    /// <summary>Makes its folder, with nothing in it.</summary>
    public void Clear()
    {
        DurableFolder.Remove(Path);
        DurableFolder.Create(Path);
    }

    /// <summary>Makes durable what the emulator wrote, which does not flush.</summary>
    public void Flush()
    {
        DurableFile.Flush(StateFile);
        DurableFolder.Flush(Path);
    }

    /// <summary>Removes it; nothing happens if it is gone.</summary>
    public void Remove() => DurableFolder.Remove(Path);

    private CoppiceException Missing(Exception? cause) => new(
        ErrorKind.NotFound, $"TPM {Path}", "is not there, and a new one would not have the guest's keys",
        "restore the folder from a backup, or revert to a snapshot", cause);
}
