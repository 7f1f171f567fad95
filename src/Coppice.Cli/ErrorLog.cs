using Microsoft.Extensions.Logging;

namespace Coppice.Cli;

/// <summary>
/// What a server has to tell goes to standard error, a line each, which systemd's journal keeps with the time. Below a defect is where it showed.
/// </summary>
internal sealed class ErrorLog(TextWriter error) : ILogger
{
    private readonly Lock _lock = new();

    /// <summary>Writes a line.</summary>
    public void Say(string line)
    {
        lock (_lock)
        {
            error.WriteLine(Printable.Line(line));
            error.Flush();
        }
    }

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Say(formatter(state, exception));
            foreach (var line in exception?.ToString().Split('\n') ?? [])
            {
                Say(line);
            }
        }
    }
}
