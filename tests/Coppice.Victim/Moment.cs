using System.Diagnostics;
using System.Globalization;
using Coppice.Engine;

namespace Coppice.Victim;

/// <summary>When the manager dies, and who dies with it.</summary>
/// <param name="home">The home, by which its QEMU processes are found.</param>
/// <param name="eventNumber">Dies at this event, counted from 0.</param>
/// <param name="intoSwitch">Dies this long after the step began in which the guest stands still.</param>
/// <param name="withQemu">Takes every QEMU process along, as a loss of power would.</param>
internal sealed class Moment(string home, int? eventNumber, TimeSpan? intoSwitch, bool withQemu) : IDisposable
{
    private int _events;
    private Timer? _timer;

    /// <summary><c>event:3</c>, <c>switch:12.5</c> (milliseconds), either with <c>+qemu</c>.</summary>
    public static Moment Parse(string text, string home)
    {
        var parts = text.Split('+');
        var (kind, value) = (parts[0].Split(':')[0], parts[0].Split(':')[1]);
        return new Moment(
            home,
            kind == "event" ? int.Parse(value, CultureInfo.InvariantCulture) : null,
            kind == "switch" ? TimeSpan.FromMilliseconds(double.Parse(value, CultureInfo.InvariantCulture)) : null,
            parts.Contains("qemu"));
    }

    public void Observe(OperationEvent passed)
    {
        if (passed.Point is OperationPoint.StepProgressed)
        {
            return;
        }

        if (_events++ == eventNumber)
        {
            Die();
        }

        if (intoSwitch is { } delay && passed is { Point: OperationPoint.StepIntended, Step.Kind: "qemu.checkpoint" or "qemu.leave" })
        {
            _timer = new Timer(_ => Die(), null, delay, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _timer?.Dispose();

    private void Die()
    {
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
