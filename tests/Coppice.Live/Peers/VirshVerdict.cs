using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Coppice.Live.Peers;

/// <summary>Pairs held against the differences that are meant.</summary>
public sealed class VirshVerdict
{
    private readonly ImmutableArray<KnownDifference> _known;
    private readonly HashSet<KnownDifference> _seen = [];
    private readonly List<VirshPair> _unexplained = [];

    public VirshVerdict(IEnumerable<VirshPair> pairs, IEnumerable<KnownDifference> known)
    {
        _known = [.. known];
        Pairs = [.. pairs];
        foreach (var pair in Pairs)
        {
            var left = pair.Changes.Where(c => !Explain(pair, c)).ToImmutableArray();
            if (!left.IsEmpty)
            {
                _unexplained.Add(pair with { Changes = left });
            }
        }
    }

    public ImmutableArray<VirshPair> Pairs { get; }

    /// <summary>Those that differ in a way that nobody has explained, with that.</summary>
    public IReadOnlyList<VirshPair> Unexplained => _unexplained;

    /// <summary>Those that were seen, of the known ones.</summary>
    public IEnumerable<KnownDifference> Seen => _known.Where(_seen.Contains);

    /// <summary>What nobody has explained, and explanations of what does not happen; empty if all is well.</summary>
    public string Complaint
    {
        get
        {
            var text = new StringBuilder();
            foreach (var pair in _unexplained)
            {
                text.Append(pair);
            }

            foreach (var known in _known.Where(k => !_seen.Contains(k)))
            {
                text.Append(CultureInfo.InvariantCulture, $"no longer so, see virsh/differences.txt and virsh/not-yet.txt: {known.Command} :: {known.Change}\n");
            }

            return _unexplained.Count == 0 ? text.ToString() : $"{_unexplained.Count} of {Pairs.Length} differ and nobody says why\n{text}";
        }
    }

    // All that explain it are seen, since each is asked whether it still happens.
    private bool Explain(VirshPair pair, string change)
    {
        var explaining = _known.Where(k => k.Explains(pair, change)).ToList();
        _seen.UnionWith(explaining);
        return explaining.Count > 0;
    }
}
