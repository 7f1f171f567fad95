using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>Has a guest let go of a device: it is asked, and may take its time or refuse.</summary>
internal sealed class Unplugging(TimeProvider time)
{
    // A guest that boots, or has no driver, hears nothing; most let go within a second. One whose slot is PCIe takes five.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_askAgain = TimeSpan.FromSeconds(8);
    private static readonly string[] s_thinking = ["in the process of unplug", "guest is busy"];

    /// <summary>Asks until the device is gone.</summary>
    /// <param name="machine">The process.</param>
    /// <param name="device">What QEMU calls the device.</param>
    /// <param name="has">Whether the process has it still.</param>
    /// <param name="subject">What messages call it.</param>
    /// <param name="nextStep">What to do about a guest that keeps it.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">The guest holds it still (<see cref="ErrorKind.WrongState"/>).</exception>
    public async Task LetGoAsync(
        Machine machine, string device, Func<Task<bool>> has, string subject, string nextStep, CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); await has();)
        {
            if (time.GetElapsedTime(start) > s_patience)
            {
                throw new CoppiceException(
                    ErrorKind.WrongState, subject,
                    $"is still held by its guest after {s_patience.TotalSeconds:0} s, as by one that boots or has no driver", nextStep);
            }

            await AskAsync(machine, device, cancellation);
            await machine.Qmp.WaitEventAsync(e => e.Name == "DEVICE_DELETED", s_askAgain, cancellation);
        }
    }

    /// <summary>Asks once more; a guest that is thinking about it is left alone.</summary>
    private static async Task AskAsync(Machine machine, string device, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync("device_del", new JsonObject { ["id"] = device }, cancellation);
        }
        catch (QmpRefusalException e) when (
            e.ErrorClass is Machine.NoSuchDevice || s_thinking.Any(w => e.Description.Contains(w, StringComparison.Ordinal)))
        {
        }
    }
}
