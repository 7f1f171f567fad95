namespace Coppice.Bench.Results;

/// <summary>Collects the figures of a part, value by value, in the order in which they are first met.</summary>
internal sealed class Recorder
{
    public const string Milliseconds = "ms", Bytes = "bytes", Pieces = "pieces";

    private readonly List<Series> _series = [];
    private readonly List<string> _notes = [];

    public IReadOnlyList<Series> Series => _series;

    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Says something that a reader of the figures has to know; once is enough.</summary>
    public void Note(string note)
    {
        if (!_notes.Contains(note))
        {
            _notes.Add(note);
        }
    }

    public void Add(string subject, string size, string condition, string measure, TimeSpan value) =>
        Add(subject, size, condition, measure, Milliseconds, value.TotalMilliseconds);

    public void Add(string subject, string size, string condition, string measure, string unit, double value)
    {
        var rounded = Math.Round(value, 3);
        var at = _series.FindIndex(s =>
            s.Subject == subject && s.Size == size && s.Condition == condition && s.Measure == measure);
        if (at < 0)
        {
            _series.Add(new Series(subject, size, condition, measure, unit, [rounded]));
        }
        else
        {
            _series[at] = _series[at] with { Values = [.. _series[at].Values, rounded] };
        }
    }
}
