using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage.Volumes;

/// <summary>
/// The memory volume of a home: XFS in a file whose room is taken in full, mounted below the home; or a folder on a file system that
/// clones files, with a link to it in that place. What is on record is what there is: it is written before the first mount, and removed
/// after the last.
/// </summary>
internal sealed class VolumeStore(TimeProvider time)
{
    // mkfs.xfs makes none smaller.
    private const long SmallestBytes = 300L << 20;
    private const string InMemory = "/dev/shm";

    // Where the file system of a folder is not mounted, something else may be in its place: without this it is not taken for the volume.
    private const string Mark = ".coppice-volume";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly LoopMount _mount = new(time);

    /// <summary>The volume as it is now; null if there is none, or it is not mounted.</summary>
    public static MemoryVolume? Observe(HomeFolder home)
    {
        if (!File.Exists(home.VolumeRecord) || VolumeRecord.Read(home) is not { } record || !IsThere(home, record))
        {
            return null;
        }

        return new MemoryVolume
        {
            Folder = home.Volume,
            IsVolatile = record.Kind is VolumeKind.Volatile,
            Free = new ByteCount(DurableFolder.FreeBytes(home.Volume)),
            Capacity = new ByteCount(DurableFolder.CapacityBytes(home.Volume)),
            Rams = Rams(home.Volume),
        };
    }

    /// <summary>Makes and mounts it.</summary>
    public async Task MakeAsync(HomeFolder home, NewMemoryVolume volume, CancellationToken cancellation)
    {
        using var held = await LockAsync(home, cancellation).ConfigureAwait(false);
        if (VolumeRecord.Read(home) is { } there)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"memory volume of {home.Path}", $"is there already, in {there.Path}", "remove it first: coppice pool delete-memory");
        }

        ClearWay(home);
        var record = volume switch
        {
            { Folder: { } folder } => InFolder(folder, home),
            { Size: { Bytes: < SmallestBytes } size } => throw new CoppiceException(
                ErrorKind.InvalidInput, $"size {size} of a memory volume", "is too small", $"give it at least {new ByteCount(SmallestBytes)}"),
            { Size: { } size, IsVolatile: true } => VolumeRecord.Of(VolumeKind.Volatile, VolatileFile(home), size.Bytes),
            { Size: { } size } => VolumeRecord.Of(VolumeKind.File, home.VolumeFile, size.Bytes),
            _ => throw new CoppiceException(ErrorKind.InvalidInput, "memory volume", "has no size", "add --size, such as 16G"),
        };
        if (record.Kind is not VolumeKind.Folder)
        {
            await _mount.FormatAsync(record.Path, record.Bytes, cancellation).ConfigureAwait(false);
        }

        await record.WriteAsync(home, cancellation).ConfigureAwait(false);
        try
        {
            await MountAsync(home, record, cancellation).ConfigureAwait(false);
        }
        catch
        {
            await RemoveAsync(home, record, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Mounts it if it is not.</summary>
    public async Task MountAsync(HomeFolder home, CancellationToken cancellation)
    {
        if (VolumeRecord.Read(home) is { } record && !IsThere(home, record))
        {
            using var held = await LockAsync(home, cancellation).ConfigureAwait(false);
            if (!IsThere(home, record))
            {
                await MountAsync(home, record, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Removes it with all that is on it.</summary>
    public async Task RemoveAsync(HomeFolder home, CancellationToken cancellation)
    {
        if (VolumeRecord.Read(home) is { } record)
        {
            using var held = await LockAsync(home, cancellation).ConfigureAwait(false);
            await RemoveAsync(home, record, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Takes room, unless it is promised to others by now.</summary>
    public async Task ClaimAsync(HomeFolder home, RoomClaim claim, CancellationToken cancellation)
    {
        using var held = await LockAsync(home, cancellation).ConfigureAwait(false);
        var volume = Observe(home) ?? throw new CoppiceException(
            ErrorKind.Storage, $"memory volume of {home.Path}", "is not mounted any more", "mount it: coppice pool mount");
        var others = claim.Replaces is { } replaced ? volume.Without(replaced) : volume;
        if (others.MissingFor(claim.Bytes, claim.IsClone ? claim.Ram : null) is { Bytes: > 0 } missing)
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"memory volume {volume.Folder}", $"another command was first: {missing} would be missing by now", "try again");
        }

        DurableFolder.Create(Path.GetDirectoryName(claim.Ram)!);
        using var file = DurableFile.OpenNew(claim.IsClone ? claim.Mark : claim.Ram);
        RandomAccess.SetLength(file, claim.IsClone ? 0 : claim.Bytes.Bytes);
    }

    private async Task MountAsync(HomeFolder home, VolumeRecord record, CancellationToken cancellation)
    {
        if (record.Kind is VolumeKind.Folder)
        {
            if (!File.Exists($"{record.Path}/{Mark}"))
            {
                throw new CoppiceException(
                    ErrorKind.Storage, $"memory volume {record.Path}", "is not there", "mount the file system that the folder is on");
            }

            File.Delete(home.Volume);
            File.CreateSymbolicLink(home.Volume, record.Path);
            return;
        }

        // The host has forgotten what was in its memory. What is there instead may be anybody's, since all users may make files there.
        if (record.Kind is VolumeKind.Volatile && !FileSystem.IsPrivate(record.Path))
        {
            await _mount.FormatAsync(record.Path, record.Bytes, cancellation).ConfigureAwait(false);
        }

        DurableFolder.Create(home.Volume);
        await _mount.MountAsync(record.Path, home.Volume, cancellation).ConfigureAwait(false);
    }

    private async Task RemoveAsync(HomeFolder home, VolumeRecord record, CancellationToken cancellation)
    {
        if (record.Kind is VolumeKind.Folder)
        {
            foreach (var domain in Directory.Exists(record.Path) ? Directory.GetDirectories(record.Path) : [])
            {
                if (Guid.TryParseExact(Path.GetFileName(domain), "D", out _))
                {
                    DurableFolder.Remove(domain);
                }
            }

            DurableFile.Remove($"{record.Path}/{Mark}");
            DurableFolder.RemoveIfEmpty(record.Path);
            File.Delete(home.Volume);
        }
        else
        {
            if (IsThere(home, record))
            {
                await _mount.UnmountAsync(home.Volume, cancellation).ConfigureAwait(false);
            }
            else if (File.Exists(record.Path))
            {
                await _mount.RequireUnusedAsync(record.Path, cancellation).ConfigureAwait(false);
            }

            DurableFolder.RemoveIfEmpty(home.Volume);
            DurableFile.Remove(record.Path);
        }

        DurableFile.Remove(home.VolumeRecord);
        DurableFolder.Flush(home.Path);
    }

    private async Task<FileLock> LockAsync(HomeFolder home, CancellationToken cancellation)
    {
        DurableFolder.Create(home.Path);
        return await FileLock.AcquireAsync(home.VolumeLock, s_patience, time, cancellation).ConfigureAwait(false)
            ?? throw new CoppiceException(
                ErrorKind.Busy, $"memory volume of {home.Path}", "is being made, mounted or removed by another command", "try again when it is done");
    }

    private static bool IsThere(HomeFolder home, VolumeRecord record) => record.Kind is VolumeKind.Folder
        ? new DirectoryInfo(home.Volume).LinkTarget == record.Path && File.Exists($"{record.Path}/{Mark}")
        : Directory.Exists(home.Volume) && !FileSystem.AreSame(home.Path, home.Volume);

    /// <summary>The RAM of all guests; a file that goes meanwhile is left out.</summary>
    private static ImmutableDictionary<string, RamFile> Rams(string volume)
    {
        var rams = ImmutableDictionary.CreateBuilder<string, RamFile>(StringComparer.Ordinal);
        foreach (var domain in Directory.EnumerateDirectories(volume))
        {
            foreach (var file in new DirectoryInfo(domain).EnumerateFiles($"*{DomainFolder.RamSuffix}"))
            {
                try
                {
                    var extents = FileExtents.Of(file.FullName) ?? new FileExtents(0, 0, 0);
                    var own = File.Exists(file.FullName + RoomClaim.MarkSuffix) ? 0 : extents.OwnBytes;
                    rams[file.FullName] = new RamFile(new ByteCount(file.Length), new ByteCount(own), extents.Count);
                }
                catch (Exception e) when (e is FileNotFoundException or FileException { IsMissing: true })
                {
                }
            }
        }

        return rams.ToImmutable();
    }

    /// <summary>Removes what an attempt left that was killed; there is no record, so nothing is on it.</summary>
    private static void ClearWay(HomeFolder home)
    {
        foreach (var file in (string[])[home.VolumeFile, VolatileFile(home)])
        {
            if (FileSystem.IsPrivate(file))
            {
                DurableFile.Remove(file);
            }
        }

        var place = new DirectoryInfo(home.Volume);
        if (place.LinkTarget is not null)
        {
            File.Delete(home.Volume);
        }
        else if (place.Exists && !DurableFolder.RemoveIfEmpty(home.Volume))
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"folder {home.Volume}", "is in the way: a memory volume is mounted there", "see what is in it, and move that elsewhere");
        }
    }

    /// <summary>A new folder, which belongs to nobody else, with a mark in it.</summary>
    private static VolumeRecord InFolder(string folder, HomeFolder home)
    {
        if (Path.Exists(folder) || $"{folder}/".StartsWith($"{home.Path}/", StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"folder {folder}", Path.Exists(folder) ? "is there already" : "is in the home",
                "name a new folder elsewhere: what is in it belongs to the memory volume");
        }

        DurableFolder.CreateInside(folder);
        if (!CanClone(folder))
        {
            DurableFolder.RemoveIfEmpty(folder);
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"folder {folder}", "is on a file system that cannot clone files",
                "name one on XFS or btrfs, or have a volume made: --size");
        }

        DurableFile.OpenNew($"{folder}/{Mark}").Dispose();
        DurableFolder.Flush(folder);
        return VolumeRecord.Of(VolumeKind.Folder, folder, 0);
    }

    private static bool CanClone(string folder)
    {
        const int Bytes = 64 << 10;
        var (one, other) = ($"{folder}/clone.1", $"{folder}/clone.2");
        try
        {
            using (var written = DurableFile.OpenNew(one))
            {
                DurableFile.WriteAt(written, one, new byte[Bytes], 0);
            }

            using var source = DurableFile.OpenAt(one, 0);
            using var target = DurableFile.OpenNew(other);
            return FileClone.TryRange(source, target, other, Bytes);
        }
        finally
        {
            File.Delete(one);
            File.Delete(other);
        }
    }

    // One host may have several homes.
    private static string VolatileFile(HomeFolder home) =>
        $"{InMemory}/coppice-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(home.Path)))[..12]}.xfs";
}
