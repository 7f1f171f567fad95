using System.Diagnostics.CodeAnalysis;
using Coppice.Libvirt.Wire;

namespace Coppice.Bench.Wire;

/// <summary>What a server answered to calls, by what they ask.</summary>
internal sealed class CallRecording
{
    private readonly Dictionary<Frame, Frame> _answers = new(new SameCall());

    public void Add(Frame call, Frame answer)
    {
        lock (_answers)
        {
            _answers[call] = answer;
        }
    }

    /// <summary>The answer to a call, whatever its serial; null if it was never asked.</summary>
    public Frame? Find(Frame call) =>
        _answers.TryGetValue(call, out var answer) ? answer with { Header = answer.Header with { Serial = call.Header.Serial } } : null;

    private sealed class SameCall : IEqualityComparer<Frame>
    {
        public bool Equals(Frame? x, Frame? y) => x is not null && y is not null
            && (x.Header.Program, x.Header.Procedure) == (y.Header.Program, y.Header.Procedure) && x.Payload.Span.SequenceEqual(y.Payload.Span);

        public int GetHashCode([DisallowNull] Frame obj)
        {
            var hash = default(HashCode);
            hash.Add(obj.Header.Program);
            hash.Add(obj.Header.Procedure);
            hash.AddBytes(obj.Payload.Span);
            return hash.ToHashCode();
        }
    }
}
