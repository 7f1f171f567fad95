using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>The memory volume of a home.</summary>
public sealed partial class Home
{
    /// <summary>Whether there is a volume, mounted or not.</summary>
    public bool HasVolume => File.Exists(_folder.VolumeRecord);

    /// <summary>The volume as it is; null if there is none, or it is not mounted. Waits for no lock.</summary>
    public Task<MemoryVolume?> ShowVolumeAsync(CancellationToken cancellation = default) =>
        _options.Storage.ObserveVolumeAsync(_folder, cancellation);

    /// <summary>Makes the volume. Domains that are started from then on have their RAM there.</summary>
    /// <exception cref="CoppiceException">It was not made; nothing of it is left.</exception>
    public Task MakeVolumeAsync(NewMemoryVolume volume, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return _options.Storage.MakeVolumeAsync(_folder, volume, cancellation);
    }

    /// <summary>Mounts the volume again, as after a restart of the host. Commands that change something do that by themselves.</summary>
    /// <exception cref="CoppiceException">It cannot be mounted (<see cref="ErrorKind.Storage"/>).</exception>
    public Task MountVolumeAsync(CancellationToken cancellation = default) => _options.Storage.MountVolumeAsync(_folder, cancellation);

    /// <summary>Removes the volume, if nothing is on it that could be missed.</summary>
    /// <exception cref="CoppiceException">
    /// A domain runs on it, or keeps memory there, or cannot be read, so that this cannot be told (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    public async Task RemoveVolumeAsync(CancellationToken cancellation = default)
    {
        if (!Directory.Exists(_folder.Path))
        {
            return;
        }

        var locks = new List<FileLock>();
        try
        {
            // A checkpoint holds the lock of its domain only.
            locks.Add(await LockAsync(_folder.Lock, $"home {_folder.Path}", cancellation).ConfigureAwait(false));
            foreach (var folder in _finder.Folders())
            {
                locks.Add(await LockAsync(folder.Lock, $"domain in {folder.Path}", cancellation).ConfigureAwait(false));
            }

            foreach (var (view, broken) in await ViewAllAsync(cancellation).ConfigureAwait(false))
            {
                var use = broken is not null
                    ? (Path.GetFileName(broken.Folder.Path), "cannot be read, and may keep memory there", "see what is wrong: coppice check")
                    : await FindUseAsync(view!, cancellation).ConfigureAwait(false);
                if (use is var (domain, problem, nextStep))
                {
                    throw new CoppiceException(ErrorKind.WrongState, $"memory volume of {_folder.Path}", $"is needed: domain '{domain}' {problem}", nextStep);
                }
            }

            await _options.Storage.RemoveVolumeAsync(_folder, cancellation).ConfigureAwait(false);
        }
        finally
        {
            locks.ForEach(held => held.Dispose());
        }
    }

    /// <summary>How the memory of a domain is kept, now and after its next start.</summary>
    /// <exception cref="CoppiceException">There is no such domain (<see cref="ErrorKind.NotFound"/>).</exception>
    public async Task<MemoryView> ShowMemoryAsync(string nameOrId, CancellationToken cancellation = default)
    {
        var view = await ShowAsync(nameOrId, cancellation).ConfigureAwait(false);
        var volume = await ShowVolumeAsync(cancellation).ConfigureAwait(false);
        var next = view.Catalog.Head.Process is { } process ? volume?.Without(view.Folder.Ram(process)) : volume;
        return new MemoryView(
            view, volume, view.Hypervisor.Ram is { } ram ? volume?.Rams.GetValueOrDefault(ram) : null,
            next is null && HasVolume
                ? new MemoryWay(MemoryFormat.Stream, "the memory volume of the home is not mounted", "mount it: coppice pool mount")
                : MemoryWay.Of(view.Definition, next));
    }

    private Task<FileLock> LockAsync(string path, string subject, CancellationToken cancellation) => HeldLock.TakeAsync(
        path, subject, "pool delete-memory", new RunOptions().LockWait, _options.Time, cancellation);

    /// <summary>What a domain has on the volume that would be missed, and what to do about it; null if it has nothing.</summary>
    private async Task<(string Domain, string Problem, string NextStep)?> FindUseAsync(DomainView view, CancellationToken cancellation)
    {
        var name = view.Catalog.Name;
        if (view.Hypervisor.Ram is not null)
        {
            return (name, "has its RAM there", $"stop it: coppice stop {name}");
        }

        if (view.Catalog.Spares.FirstOrDefault(s => _options.Hypervisor.IsWaiting(view.Folder, s.Process)) is { } spare)
        {
            var snapshot = view.Catalog.Snapshots[spare.Snapshot].Name;
            return (name, $"has processes that wait for reverts to '{snapshot}'", $"let them end: coppice snapshot warm {name} {snapshot} --count 0");
        }

        if (view.Catalog.Memories.Any(m => m.File is { } file && file.StartsWith($"{_folder.Volume}/", StringComparison.Ordinal)))
        {
            return (name, "keeps memory of snapshots there", $"delete these, or undefine it: coppice snapshot list {name}");
        }

        // What a snapshot kept that was forgotten can be put back, with its files.
        var stored = await _options.Storage.ListAsync(view.Folder, [], cancellation).ConfigureAwait(false);
        return stored.Keys.FirstOrDefault(f => Path.GetDirectoryName(f) == view.Folder.VolumeFolder
            && OwnFile.KindOf(view.Folder, f) is OwnFileKind.Memory) is { } forgotten
                ? (name, $"has memory there that no snapshot names: {forgotten}", $"if it is not needed: coppice check {name} --repair --orphans")
                : null;
    }

    /// <summary>A host that was restarted has the volume mounted again before a guest needs it.</summary>
    private async Task<string?> MountIfMissingAsync(Call call)
    {
        if (call.Options.PlanOnly || !HasVolume)
        {
            return null;
        }

        try
        {
            await _options.Storage.MountVolumeAsync(_folder, call.Cancellation).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            return $"the memory volume is not mounted, so that checkpoints wait for RAM: {e.Message}";
        }
    }
}

/// <summary>How the memory of a domain is kept.</summary>
/// <param name="Domain">The domain.</param>
/// <param name="Volume">The memory volume of its home; null if there is none.</param>
/// <param name="Ram">Its RAM, if it runs and a checkpoint of it is a clone; null otherwise.</param>
/// <param name="AfterStart">How it is kept once it has been started anew.</param>
public sealed record MemoryView(DomainView Domain, MemoryVolume? Volume, RamFile? Ram, MemoryWay AfterStart)
{
    /// <summary>How much room a checkpoint would miss on the volume now, so that it is refused; 0 if it would be taken.</summary>
    public ByteCount MissingForCheckpoint =>
        Ram is null || Volume is null ? default : Volume.MissingFor(MemoryVolume.DeviceState, Domain.Hypervisor.Ram);
}
