namespace Coppice.Images;

/// <summary>Why an image or a chain of images was refused.</summary>
public enum ImageFault
{
    /// <summary>The bytes break the format: truncated, misaligned, out of range.</summary>
    Malformed,

    /// <summary>Well-formed, but uses something that this reader does not follow or that exceeds its limits.</summary>
    Unsupported,

    /// <summary>Refused for safety: not a regular file, outside the allowed folders, a protocol, a data file.</summary>
    Forbidden,

    /// <summary>The file does not exist.</summary>
    Missing,

    /// <summary>The file exists, but the system would not let it be read.</summary>
    Unreadable,

    /// <summary>A block device that the host itself uses, or something else alone.</summary>
    InUse,

    /// <summary>The image says something else than the records do.</summary>
    Mismatch,

    /// <summary>More layers than <see cref="ImageChain.MaxDepth"/>.</summary>
    TooDeep,

    /// <summary>A file appears twice in one chain.</summary>
    Loop,
}

/// <summary>The one exception of this library: what is wrong, with which file, and what to do next.</summary>
public sealed class ImageException : Exception
{
    /// <summary>Creates the exception; its message is <c>path: problem; next step.</c></summary>
    /// <param name="fault">The kind of refusal.</param>
    /// <param name="path">The file, as the caller named it.</param>
    /// <param name="problem">What is wrong: a clause without a full stop.</param>
    /// <param name="nextStep">What to do about it: a clause without a full stop.</param>
    /// <param name="inner">The system's error, if there was one.</param>
    public ImageException(ImageFault fault, string path, string problem, string nextStep, Exception? inner = null)
        : base($"{Quoted.Plain(path)}: {problem}; {nextStep}.", inner)
    {
        Fault = fault;
        Path = path;
        Problem = problem;
        NextStep = nextStep;
    }

    /// <summary>The kind of refusal.</summary>
    public ImageFault Fault { get; }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>What is wrong.</summary>
    public string Problem { get; }

    /// <summary>What to do about it.</summary>
    public string NextStep { get; }
}
