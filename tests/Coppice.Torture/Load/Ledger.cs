using System.Collections.Concurrent;

namespace Coppice.Torture.Load;

/// <summary>
/// What clients were told of snapshots. Names are never used twice. A delete counts from when it is asked for until it is refused: one whose
/// answer nobody got may have been carried out.
/// </summary>
internal sealed class Ledger
{
    private readonly ConcurrentDictionary<(string Domain, string Name), string?> _made = new();
    private readonly ConcurrentDictionary<(string Domain, string Name), int> _deleted = new();
    private readonly ConcurrentDictionary<(string Domain, string Name), int> _deletedBelow = new();
    private readonly ConcurrentDictionary<(string Domain, string Name), bool> _gone = new();

    /// <summary>How many were made.</summary>
    public int Made => _made.Count;

    /// <summary>How many were deleted for certain, by their name.</summary>
    public int Gone => _gone.Count;

    /// <summary>Somebody was told that it was made.</summary>
    public void Add(string domain, string name) => _made.TryAdd((domain, name), null);

    /// <summary>Somebody was told on what it was made.</summary>
    public void Add(string domain, string name, string parent) => _made[(domain, name)] = parent;

    /// <summary>Somebody asks for it to be deleted, or what is below it, or both.</summary>
    public void Deleting(string domain, string name, bool itself, bool below) => Count(domain, name, itself, below, 1);

    /// <summary>That was refused.</summary>
    public void Kept(string domain, string name, bool itself, bool below) => Count(domain, name, itself, below, -1);

    /// <summary>That was done.</summary>
    public void Deleted(string domain, string name) => _gone[(domain, name)] = true;

    /// <summary>Those that were told to be made, that nobody deleted, and that are not there.</summary>
    public IEnumerable<string> Lost(string domain, IReadOnlySet<string> present) =>
        _made.Keys.Where(m => m.Domain == domain && !present.Contains(m.Name) && !MayBeGone(m)).Select(m => m.Name).Order(StringComparer.Ordinal);

    /// <summary>Those that were told to be deleted and are there.</summary>
    public IEnumerable<string> Risen(string domain, IReadOnlySet<string> present) =>
        _gone.Keys.Where(g => g.Domain == domain && present.Contains(g.Name)).Select(g => g.Name).Order(StringComparer.Ordinal);

    /// <summary>
    /// It was deleted, or all below something above it was. Where it is not known on what it was made, that may have been so if anything of
    /// that kind was asked for.
    /// </summary>
    private bool MayBeGone((string Domain, string Name) snapshot)
    {
        if (_deleted.GetValueOrDefault(snapshot) > 0)
        {
            return true;
        }

        for (var (at, left) = (snapshot, _made.Count); left > 0; left--)
        {
            if (!_made.TryGetValue(at, out var parent) || parent is null)
            {
                return _deletedBelow.Any(d => d.Key.Domain == snapshot.Domain && d.Value > 0);
            }

            if (parent.Length == 0)
            {
                return false;
            }

            at = (snapshot.Domain, parent);
            if (_deletedBelow.GetValueOrDefault(at) > 0)
            {
                return true;
            }
        }

        return false;
    }

    private void Count(string domain, string name, bool itself, bool below, int by)
    {
        if (itself)
        {
            _deleted.AddOrUpdate((domain, name), by, (_, count) => count + by);
        }

        if (below)
        {
            _deletedBelow.AddOrUpdate((domain, name), by, (_, count) => count + by);
        }
    }
}
