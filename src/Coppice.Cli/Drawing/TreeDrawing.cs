using Coppice.Cli.Reports;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>
/// The picture of a snapshot tree. What leads to the head runs straight down in one column, oldest first; whatever else was
/// taken on a snapshot branches off to the right before that column goes on. So the picture is as wide as there are
/// branches, not as there are snapshots.
/// <code>
/// ○ base
/// ├─○ experiment
/// │ ◌ tip
/// ○ release
/// ● head
/// </code>
/// </summary>
internal sealed class TreeDrawing
{
    private static readonly Style s_head = new(Color.Green, decoration: Decoration.Bold);
    private static readonly Style s_tip = new(decoration: Decoration.Dim);
    private readonly DomainReport _domain;
    private readonly TimeProvider _time;
    private readonly ILookup<string?, Node> _below;
    private readonly HashSet<string> _towardsHead = [];

    public TreeDrawing(DomainReport domain, IReadOnlyList<SnapshotReport> snapshots, TimeProvider time)
    {
        _domain = domain;
        _time = time;
        Node[] nodes = [.. snapshots.Select(Of), .. domain.Tips.Select(Of), Head()];
        _below = nodes.ToLookup(n => n.Parent);
        var parents = snapshots.ToDictionary(s => s.Id, s => s.Parent?.Id);
        for (var id = domain.Current?.Id; id is not null && _towardsHead.Add(id); id = parents[id])
        {
        }
    }

    public Sheet ToSheet()
    {
        var sheet = new Sheet(5);
        sheet.Add(new Cell(_domain.Name, new Style(decoration: Decoration.Bold)), "", "", "", "");

        // A tree is as deep as a user likes, so the stack is ours.
        var pending = new Stack<Place>();
        Push(pending, null, "");
        while (pending.TryPop(out var place))
        {
            var (node, lead, column) = place;
            sheet.Add([new Cell(lead + node.Name, node.Style), .. node.Facts]);
            if (node.Id is not null)
            {
                Push(pending, node.Id, column);
            }
        }

        return sheet;
    }

    // The last one goes on in the column of its parent; the others branch off before it.
    private void Push(Stack<Place> pending, string? parent, string column)
    {
        var children = _below[parent].OrderBy(IsTowardsHead).ToArray();
        for (var i = children.Length - 1; i >= 0; i--)
        {
            pending.Push(i == children.Length - 1
                ? new Place(children[i], column, column)
                : new Place(children[i], $"{column}├─", $"{column}│ "));
        }
    }

    private bool IsTowardsHead(Node node) => node.IsHead || (node.Id is { } id && _towardsHead.Contains(id));

    private Node Of(SnapshotReport snapshot) => new(
        snapshot.Parent?.Id,
        snapshot.Id,
        $"○ {snapshot.Name}",
        [
            Wording.State(snapshot.State), Wording.Kind(snapshot), Wording.Bytes(snapshot.Bytes),
            Wording.Age(snapshot.CreatedAt, _time),
        ]);

    private Node Of(TipReport tip) => new(
        tip.Current?.Id, null, $"◌ tip {tip.Id}", [Wording.State(tip.State), "", "", Wording.Age(tip.LeftAt, _time)], s_tip);

    private Node Head() => new(
        _domain.Current?.Id, null, "● head", [Wording.State(_domain.State), "", "", ""], s_head, IsHead: true);

    private sealed record Node(string? Parent, string? Id, string Name, Cell[] Facts, Style? Style = null, bool IsHead = false);

    /// <param name="Node">What stands there.</param>
    /// <param name="Lead">What is drawn before it.</param>
    /// <param name="Column">What is drawn before those below it.</param>
    private sealed record Place(Node Node, string Lead, string Column);
}
