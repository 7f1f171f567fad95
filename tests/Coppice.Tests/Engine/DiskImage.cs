using System.Collections.Immutable;
using System.Text;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>The files and folders below a home, to be kept and put back. Locks are left out: a crash lets go of them.</summary>
internal sealed record DiskImage(ImmutableSortedSet<string> Folders, ImmutableSortedDictionary<string, byte[]> Files)
{
    public static DiskImage Empty { get; } = new(
        ImmutableSortedSet.Create<string>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, byte[]>(StringComparer.Ordinal));

    public static DiskImage Read(string root) => !Directory.Exists(root) ? Empty : new(
        Empty.Folders.Union(Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories).Append(root)),
        Empty.Files.AddRange(FilesIn(root).Select(f => KeyValuePair.Create(f, File.ReadAllBytes(f)))));

    public static IEnumerable<string> FilesIn(string root) => !Directory.Exists(root) ? [] :
        Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Where(f => !IsLock(f));

    internal static bool IsLock(string path) => Path.GetFileName(path) is "lock" or "trial" or "checksums.lock";

    public void WriteTo(string root)
    {
        if (Directory.Exists(root))
        {
            Directory.Delete(root, recursive: true);
        }

        foreach (var folder in Folders)
        {
            Directory.CreateDirectory(folder);
        }

        foreach (var (path, content) in Files)
        {
            File.WriteAllBytes(path, content);
        }
    }

    public string Text => string.Join('\n', Folders) + string.Join('\n', Files.Select(f => f.Key + "=" + Encoding.Latin1.GetString(f.Value)));
}

/// <summary>
/// Follows what is done to a home and knows what a loss of power would leave of it: the bytes that were flushed, under the
/// names that were flushed. Everything else is gone, and what was removed without a flush is back.
/// </summary>
internal sealed class FlushedDisk
{
    private readonly string _root;
    private ImmutableDictionary<string, byte[]> _flushed;
    private DiskImage _durable;
    private (FileAct Act, string Path)? _last;

    /// <summary>Everything on disk is durable.</summary>
    public FlushedDisk(string root, DiskImage disk)
        : this(root, disk, disk.Files.ToImmutableDictionary(StringComparer.Ordinal))
    {
    }

    private FlushedDisk(string root, DiskImage durable, ImmutableDictionary<string, byte[]> flushed)
    {
        _root = root;
        _durable = durable;
        _flushed = flushed;
    }

    /// <summary>As it is now, to go on from later.</summary>
    public FlushedDisk Copy()
    {
        Complete();
        return new FlushedDisk(_root, _durable, _flushed);
    }

    /// <summary>The same, with some folders flushed.</summary>
    public FlushedDisk With(IEnumerable<string> folders)
    {
        var copy = Copy();
        foreach (var folder in folders)
        {
            copy.Before(FileAct.FlushFolder, folder);
        }

        copy.Complete();
        return copy;
    }

    /// <summary>An act begins; the one before it has happened.</summary>
    public void Before(FileAct act, string path)
    {
        Complete();
        _last = (act, path);
    }

    public DiskImage Read()
    {
        Complete();
        return Reachable();
    }

    /// <summary>What was begun last has happened by now.</summary>
    public void Complete()
    {
        switch (_last)
        {
            case (FileAct.Flush, var path) when File.Exists(path):
                _flushed = _flushed.SetItem(path, File.ReadAllBytes(path));
                if (_durable.Files.ContainsKey(path))
                {
                    _durable = _durable with { Files = _durable.Files.SetItem(path, _flushed[path]) };
                }

                break;
            case (FileAct.Rename, var path) when File.Exists(path):
                var content = File.ReadAllBytes(path);
                var source = _flushed.FirstOrDefault(f => !File.Exists(f.Key) && f.Value.AsSpan().SequenceEqual(content));
                _flushed = _flushed.SetItem(path, source.Value ?? []);
                break;
            case (FileAct.FlushFolder, var path) when Directory.Exists(path):
                FlushFolder(path);
                break;
        }

        _last = null;
    }

    private void FlushFolder(string path)
    {
        if (path.Length < _root.Length)
        {
            _durable = _durable with { Folders = _durable.Folders.Add(_root) };
            return;
        }

        var files = Directory.EnumerateFiles(path).Where(f => !DiskImage.IsLock(f))
            .Select(f => KeyValuePair.Create(f, _flushed.GetValueOrDefault(f, [])));
        _durable = new DiskImage(
            _durable.Folders.Where(f => Path.GetDirectoryName(f) != path || Directory.Exists(f)).ToImmutableSortedSet(StringComparer.Ordinal)
                .Union(Directory.EnumerateDirectories(path)),
            _durable.Files.RemoveRange(_durable.Files.Keys.Where(f => Path.GetDirectoryName(f) == path).ToArray()).AddRange(files));
    }

    /// <summary>A file whose folder was never flushed in the one above it is not found again.</summary>
    private DiskImage Reachable()
    {
        var folders = _durable.Folders.Where(f => f == _root || Ancestors(f).All(_durable.Folders.Contains)).ToImmutableSortedSet(StringComparer.Ordinal);
        return new DiskImage(
            folders,
            _durable.Files.Where(f => folders.Contains(Path.GetDirectoryName(f.Key)!)).ToImmutableSortedDictionary(StringComparer.Ordinal));
    }

    private IEnumerable<string> Ancestors(string folder)
    {
        for (var parent = folder; parent.Length >= _root.Length; parent = Path.GetDirectoryName(parent)!)
        {
            yield return parent;
        }
    }
}
