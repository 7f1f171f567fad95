namespace Coppice.Torture;

/// <summary>A place with faults of its own. A round begins with nothing, so that its seed alone repeats it.</summary>
internal abstract class Room
{
    /// <summary>As in <c>SEED=fakes:7</c>.</summary>
    public abstract string Name { get; }

    public Tally Tally { get; } = new();

    /// <summary>How many rounds may go on at once.</summary>
    public virtual int Lanes => 1;

    /// <summary>How long a lane rests after a round, as a multiple of it: what is cheap leaves the processors to what is not.</summary>
    public virtual double Rest => 0;

    /// <summary>Why nothing can be done here; null if it can.</summary>
    public virtual string? Missing => null;

    /// <summary>One round. Goes on to its end unless something is wrong or the time is over.</summary>
    /// <exception cref="Violation">Something is as it must never be.</exception>
    public abstract Task RoundAsync(Random random, CancellationToken over);

    /// <summary>Removes what rounds share.</summary>
    public virtual ValueTask CloseAsync() => ValueTask.CompletedTask;
}
