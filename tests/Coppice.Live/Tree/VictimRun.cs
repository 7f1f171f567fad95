using System.Diagnostics;
using System.Globalization;

namespace Coppice.Live.Tree;

/// <summary>A manager in a process of its own, which kills itself at a chosen moment (tests/Coppice.Victim).</summary>
internal sealed class VictimRun : IDisposable
{
    private const int Killed = 128 + 9;

    private readonly Process _process;
    private readonly string _task;
    private readonly Task<string> _errors;
    private readonly List<string> _lines = [];

    private VictimRun(Process process, string task)
    {
        _process = process;
        _task = task;
        _errors = process.StandardError.ReadToEndAsync(Cancellation);
    }

    /// <summary>Its process.</summary>
    public int Id => _process.Id;

    /// <summary>What it said of why it failed.</summary>
    public Task<string> Errors => _errors;

    /// <summary>Whether the moment came.</summary>
    public bool Died { get; private set; }

    /// <summary>Whether it came inside the step in which the guest stands still.</summary>
    public bool DiedStanding => Died && _lines.Contains("standing");

    /// <summary>How long that step took, for one that got through it.</summary>
    public double StoodMilliseconds =>
        double.Parse(_lines.Single(l => l.StartsWith("stood ", StringComparison.Ordinal))["stood ".Length..], CultureInfo.InvariantCulture);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Begins an operation that dies at a moment; a revert is to <c>base</c>.</summary>
    public static VictimRun Start(LiveDomain domain, string operation, string moment, string name) =>
        StartOn(domain, operation, moment, operation == "revert" ? "base" : name);

    /// <summary>Likewise, about a snapshot.</summary>
    public static VictimRun StartOn(LiveDomain domain, string operation, string moment, string snapshot)
    {
        var victim = Environment.GetEnvironmentVariable("COPPICE_VICTIM") ?? Path.Combine(AppContext.BaseDirectory, "coppice-victim.dll");
        var start = new ProcessStartInfo("dotnet", [victim, domain.HomePath, moment, LiveDomain.Name, operation, snapshot])
        {
            RedirectStandardError = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            Environment = { ["DOTNET_EnableDiagnostics"] = "0" }, // Killed, it would leave its sockets.
        };
        return new VictimRun(Process.Start(start)!, $"{operation} at {moment}");
    }

    /// <summary>Runs an operation that dies at a moment, to its end.</summary>
    public static async Task<VictimRun> RunAsync(LiveDomain domain, string operation, string moment, string name)
    {
        var run = Start(domain, operation, moment, name);
        await run.EndAsync();
        return run;
    }

    /// <summary>Reads what it says next; null at its end.</summary>
    public async Task<string?> ReadLineAsync()
    {
        var line = await _process.StandardOutput.ReadLineAsync(Cancellation);
        if (line is not null)
        {
            _lines.Add(line);
        }

        return line;
    }

    /// <summary>Lets one that waits before it dies go on.</summary>
    public Task LetDieAsync() => _process.StandardInput.WriteLineAsync("die");

    /// <summary>Kills it now, wherever it is.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for its end. One that failed instead fails the test.</summary>
    public async Task EndAsync()
    {
        var code = await WaitAsync();
        Assert.True(code is 0 or Killed, $"{_task}: {await _errors}");
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code: 0 if the moment never came, 1 if it was refused.</returns>
    public async Task<int> WaitAsync()
    {
        while (await ReadLineAsync() is not null)
        {
        }

        await _process.WaitForExitAsync(Cancellation);
        Died = _process.ExitCode == Killed;
        return _process.ExitCode;
    }

    /// <summary>Leaves none behind, such as one that was stopped by a test that has failed.</summary>
    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }
}
