using System.Diagnostics;
using System.Globalization;
using Coppice.Engine;

namespace Coppice.Victim;

/// <summary>
/// When the manager dies, and who dies with it. What it prints tells where it was: <c>standing</c> inside the step in which
/// the guest stands still, <c>elsewhere</c> otherwise; if it lives, <c>stood</c> and the length of that step in milliseconds.
/// </summary>
/// <param name="home">The home, by which its QEMU processes are found.</param>
/// <param name="eventNumber">Dies at this event, counted from 0.</param>
/// <param name="intoSwitch">Dies this long after the step began in which the guest stands still.</param>
/// <param name="withQemu">Takes every QEMU process along, as a loss of power would.</param>
/// <param name="waits">Holds everything up before it dies, until it is told to by a line.</param>
internal sealed class Moment(string home, int? eventNumber, TimeSpan? intoSwitch, bool withQemu, bool waits) : IDisposable
{
    private int _events;
    private Timer? _timer;
    private long _began;
    private volatile bool _standing;

    /// <summary><c>never</c>, <c>event:3</c>, <c>switch:12.5</c> (milliseconds), with <c>+qemu</c> or <c>+wait</c>.</summary>
    public static Moment Parse(string text, string home)
    {
        var parts = text.Split('+');
        var (kind, value) = (parts[0].Split(':')[0], parts[0].Split(':')[^1]);
        return new Moment(
            home,
            kind == "event" ? int.Parse(value, CultureInfo.InvariantCulture) : null,
            kind == "switch" ? TimeSpan.FromMilliseconds(double.Parse(value, CultureInfo.InvariantCulture)) : null,
            parts.Contains("qemu"),
            parts.Contains("wait"));
    }

    public void Observe(OperationEvent passed)
    {
        if (passed.Point is OperationPoint.StepProgressed)
        {
            return;
        }

        if (passed.Step?.Kind is "qemu.checkpoint" or "qemu.leave")
        {
            ObserveSwitch(passed.Point);
        }

        if (_events++ == eventNumber)
        {
            Die();
        }
    }

    public void Dispose() => _timer?.Dispose();

    private void ObserveSwitch(OperationPoint point)
    {
        if (point is OperationPoint.StepIntended)
        {
            (_began, _standing) = (Stopwatch.GetTimestamp(), true);
            _timer = intoSwitch is { } delay ? new Timer(_ => Die(), null, delay, Timeout.InfiniteTimeSpan) : null;
        }
        else if (point is OperationPoint.StepApplied)
        {
            _standing = false;
            Say(string.Create(CultureInfo.InvariantCulture, $"stood {Stopwatch.GetElapsedTime(_began).TotalMilliseconds:0.0}"));
        }
    }

    private void Die()
    {
        Say(_standing ? "standing" : "elsewhere");
        if (waits)
        {
            Console.In.ReadLine();
        }

        if (withQemu)
        {
            foreach (var process in Process.GetProcessesByName("qemu-system-x86_64").Concat(Process.GetProcessesByName("qemu-system-x86")))
            {
                if (RunsIn(process, home))
                {
                    process.Kill();
                }
            }
        }

        Process.GetCurrentProcess().Kill();
    }

    private static void Say(string text) => Console.Out.WriteLine(text);

    private static bool RunsIn(Process process, string home)
    {
        try
        {
            return new FileInfo($"/proc/{process.Id}/cwd").LinkTarget?.StartsWith(home + "/", StringComparison.Ordinal) == true;
        }
        catch (IOException)
        {
            // Another test's, which has ended meanwhile.
            return false;
        }
    }
}
