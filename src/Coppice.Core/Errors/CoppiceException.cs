namespace Coppice.Core;

/// <summary>The one exception of Coppice: what went wrong, on which thing, and what to do next.</summary>
public sealed class CoppiceException : Exception
{
    /// <summary>Makes an error that names its subject and the way out.</summary>
    /// <param name="kind">The class of the error.</param>
    /// <param name="subject">The thing it is about, e.g. <c>domain 'web'</c>.</param>
    /// <param name="problem">What is wrong with it, without a full stop.</param>
    /// <param name="nextStep">What the user can do about it, a full clause; empty if nothing can be done.</param>
    /// <param name="cause">The error underneath, if any.</param>
    public CoppiceException(ErrorKind kind, string subject, string problem, string nextStep = "", Exception? cause = null)
        : base(Compose(subject, problem, nextStep), cause)
    {
        Kind = kind;
        Subject = subject;
        Problem = problem;
        NextStep = nextStep;
    }

    /// <summary>The class of the error.</summary>
    public ErrorKind Kind { get; }

    /// <summary>The thing it is about.</summary>
    public string Subject { get; }

    /// <summary>What is wrong.</summary>
    public string Problem { get; }

    /// <summary>What to do next; may be empty.</summary>
    public string NextStep { get; }

    private static string Compose(string subject, string problem, string nextStep) =>
        nextStep.Length == 0 ? $"{subject}: {problem}" : $"{subject}: {problem}; {nextStep}";
}
