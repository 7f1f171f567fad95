using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Processes;

/// <summary>A running QEMU, in terms of what is done to a virtual machine.</summary>
internal sealed partial class Machine(QmpConnection qmp, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan s_jobLimit = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_settlingLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_settlingInterval = TimeSpan.FromMilliseconds(2);

    /// <summary>The monitor, for what is done only once.</summary>
    public QmpConnection Qmp { get; } = qmp;

    /// <summary>Connects to the monitor for commands; null if the process is not alive.</summary>
    /// <exception cref="CoppiceException">It does not answer (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public static async Task<Machine?> ConnectAsync(RunFolder folder, TimeProvider time, CancellationToken cancellation)
    {
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is not { } pid)
        {
            return null;
        }

        try
        {
            var qmp = await process.ConnectAsync(folder.Commands, $"process {pid}", TimeSpan.FromSeconds(10), cancellation);
            return new Machine(qmp, time);
        }
        catch (CoppiceException)
        {
            if (await process.EndsAsync(cancellation))
            {
                return null;
            }

            throw;
        }
    }

    /// <summary>
    /// The node name of the image that a disk uses now; empty for an empty drive, null if there is no such drive.
    /// </summary>
    public static async Task<string?> NodeOfAsync(QmpConnection qmp, string target, CancellationToken cancellation)
    {
        try
        {
            var arguments = new JsonObject { ["path"] = PathOf(target), ["property"] = "drive" };
            var node = await qmp.ExecuteAsync("qom-get", arguments, cancellation);
            return node.ValueKind == System.Text.Json.JsonValueKind.String ? node.GetString()! : "";
        }
        catch (QmpRefusalException e) when (e.ErrorClass is NoSuchDevice)
        {
            return null;
        }
    }

    /// <summary>Whether there is a device of an id.</summary>
    public static async Task<bool> HasDeviceAsync(QmpConnection qmp, string id, CancellationToken cancellation) =>
        await TypeOfAsync(qmp, $"/machine/peripheral/{id}", cancellation) is not null;

    /// <summary>What an object of QEMU is; null if there is no such object.</summary>
    public static async Task<string?> TypeOfAsync(QmpConnection qmp, string path, CancellationToken cancellation)
    {
        try
        {
            var type = await qmp.ExecuteAsync("qom-get", new JsonObject { ["path"] = path, ["property"] = "type" }, cancellation);
            return type.ValueKind == System.Text.Json.JsonValueKind.String ? type.GetString()! : "";
        }
        catch (QmpRefusalException e) when (e.ErrorClass is NoSuchDevice)
        {
            return null;
        }
    }

    /// <summary>What QEMU's errors about a device that is not there have as their class.</summary>
    public const string NoSuchDevice = "DeviceNotFound";

    // The second of two chips on the board; the first holds the firmware's code.
    private static string PathOf(string target) =>
        target == DiskDevice.FlashTarget ? "/machine/system.flash1" : $"/machine/peripheral/{DiskId(target)}";

    private const string DiskPrefix = "disk-";

    /// <summary>What QEMU calls the device of a disk.</summary>
    public static string DiskId(string target) => DiskPrefix + target;

    /// <summary>The disk whose device, or part of it, is at a path, or has it as its name; null if it is that of none.</summary>
    public static string? TargetOf(string device) =>
        device.Split('/').FirstOrDefault(part => part.StartsWith(DiskPrefix, StringComparison.Ordinal))?[DiskPrefix.Length..];

    /// <summary>QEMU's word for what the machine is doing.</summary>
    public async Task<string> StatusAsync(CancellationToken cancellation = default) =>
        (await Qmp.ExecuteAsync("query-status", null, cancellation)).TextOrEmpty("status");

    /// <summary>Lets the guest stand still; its writes are flushed to the images.</summary>
    public Task StopAsync(CancellationToken cancellation = default) => Qmp.ExecuteAsync("stop", null, cancellation);

    /// <summary>
    /// Lets the guest go on. Right after a migration QEMU refuses for a moment, and while somebody else has an image open for
    /// writing it cannot take its locks back: both are tried again.
    /// </summary>
    public async Task ResumeAsync()
    {
        for (var start = time.GetTimestamp(); ; await Task.Delay(s_settlingInterval, time))
        {
            try
            {
                await Qmp.ExecuteAsync("cont");
                return;
            }
            catch (QmpRefusalException) when (time.GetElapsedTime(start) < s_settlingLimit)
            {
            }
        }
    }

    /// <summary>
    /// Makes a standing guest savable. After a migration QEMU allows no second one until the guest has run: it is let go on
    /// and stopped in one breath.
    /// </summary>
    /// <returns>Whether that was necessary.</returns>
    public async Task<bool> ReawakenAsync(CancellationToken cancellation)
    {
        // QEMU tells that a migration is complete an instant before it has become "postmigrate".
        var status = await StatusAsync(cancellation);
        for (var start = time.GetTimestamp();
            status is "finish-migrate" && time.GetElapsedTime(start) < s_settlingLimit;
            status = await StatusAsync(cancellation))
        {
            await Task.Delay(s_settlingInterval, time, cancellation);
        }

        if (status is not "postmigrate")
        {
            return false;
        }

        await Task.WhenAll(Qmp.ExecuteAsync("cont", null, cancellation), StopAsync(cancellation));
        return true;
    }

    /// <summary>
    /// Starts a job of QEMU and waits until it has ended. Its result is collected, so its name can be used again.
    /// </summary>
    /// <exception cref="QmpRefusalException">It failed, or was not begun.</exception>
    public async Task RunJobAsync(string command, string job, JsonObject arguments, CancellationToken cancellation)
    {
        arguments["job-id"] = job;

        // While it saves memory QEMU answers nobody.
        await Qmp.ExecuteAsync(command, arguments, s_jobLimit, cancellation);
        while (true)
        {
            var jobs = await Qmp.ExecuteAsync("query-jobs", null, s_jobLimit, cancellation);
            var found = jobs.Items().First(j => j.TextOrEmpty("id") == job);
            if (found.TextOrEmpty("status") is "concluded")
            {
                await DismissJobAsync(job, cancellation);
                var error = found.TextOrEmpty("error");
                if (error.Length > 0)
                {
                    throw new QmpRefusalException(command, "GenericError", error);
                }

                return;
            }

            await Task.Delay(s_settlingInterval, time, cancellation);
        }
    }

    /// <summary>Forgets a job that has ended. Nothing happens if there is none, or it goes on.</summary>
    public async Task DismissJobAsync(string job, CancellationToken cancellation)
    {
        try
        {
            await Qmp.ExecuteAsync("job-dismiss", new JsonObject { ["id"] = job }, cancellation);
        }
        catch (QmpRefusalException)
        {
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Qmp.DisposeAsync();
}
