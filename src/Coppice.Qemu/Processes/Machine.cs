using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Processes;

/// <summary>A running QEMU, in terms of what is done to a virtual machine.</summary>
internal sealed class Machine(QmpConnection qmp, TimeProvider time) : IAsyncDisposable
{
    private const long UnlimitedBandwidth = 1L << 40;

    private static readonly TimeSpan s_jobLimit = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_settlingLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_abandoningLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_settlingInterval = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan s_progressInterval = TimeSpan.FromMilliseconds(250);

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
    public static async Task<bool> HasDeviceAsync(QmpConnection qmp, string id, CancellationToken cancellation)
    {
        try
        {
            await qmp.ExecuteAsync(
                "qom-get", new JsonObject { ["path"] = $"/machine/peripheral/{id}", ["property"] = "type" }, cancellation);
            return true;
        }
        catch (QmpRefusalException e) when (e.ErrorClass is NoSuchDevice)
        {
            return false;
        }
    }

    /// <summary>What QEMU's errors about a device that is not there have as their class.</summary>
    public const string NoSuchDevice = "DeviceNotFound";

    // The second of two chips on the board; the first holds the firmware's code.
    private static string PathOf(string target) =>
        target == DiskDevice.FlashTarget ? "/machine/system.flash1" : $"/machine/peripheral/{DiskId(target)}";

    /// <summary>What QEMU calls the device of a disk.</summary>
    public static string DiskId(string target) => $"disk-{target}";

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
    /// Gives up a migration that is under way, in or out, and waits until it has ended. One in the background is only waited for: QEMU 7.2
    /// would leave pages of its guest locked for ever.
    /// </summary>
    /// <exception cref="CoppiceException">It does not end, as one whose file hangs
    /// (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task AbandonMigrationAsync()
    {
        var isInBackground = (await MigrationAsync()).IsUnderWay && await IsInBackgroundAsync();
        if (!isInBackground)
        {
            await Qmp.ExecuteAsync("migrate_cancel");
        }

        for (var start = time.GetTimestamp(); (await MigrationAsync()).IsUnderWay; await Task.Delay(s_settlingInterval, time))
        {
            if (time.GetElapsedTime(start) > (isInBackground ? s_jobLimit : s_abandoningLimit))
            {
                throw new CoppiceException(
                    ErrorKind.Hypervisor, "saving or loading memory", "was cancelled and does not end",
                    "see whether the storage of the memory file hangs; 'coppice kill' ends the process all the same");
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

    /// <summary>Gets ready to write or load memory, so that less is left to do when the guest stands still.</summary>
    /// <param name="file">Where it is written or read, from its position on.</param>
    /// <param name="withRam">Whether RAM is in it, or only what devices keep, beside RAM in a file of its own.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <param name="runsOn">Whether the guest goes on meanwhile.</param>
    public async Task PrepareMigrationAsync(SafeFileHandle file, bool withRam, CancellationToken cancellation, bool runsOn = false)
    {
        await ChooseRamAsync(withRam, cancellation, runsOn);
        await Qmp.ExecuteAsync("migrate-set-parameters", new JsonObject { ["max-bandwidth"] = UnlimitedBandwidth }, cancellation);
        await Qmp.SendFileAsync(MemoryFile, file, cancellation);
    }

    /// <summary>Whether what is saved or loaded next has RAM in it, or only what devices keep.</summary>
    public Task ChooseRamAsync(bool withRam, CancellationToken cancellation, bool runsOn = false)
    {
        var capabilities = new JsonArray(Capability("events", true), Capability("x-ignore-shared", !withRam), Capability(Background, runsOn));
        return Qmp.ExecuteAsync("migrate-set-capabilities", new JsonObject { ["capabilities"] = capabilities }, cancellation);
    }

    /// <summary>The switch that lets a guest run on while its RAM is written.</summary>
    public const string Background = "background-snapshot";

    /// <summary>A switch of a migration.</summary>
    public static JsonNode Capability(string name, bool isOn) => new JsonObject { ["capability"] = name, ["state"] = isOn };

    /// <summary>
    /// Begins to write device state and RAM as they are, and lets the guest go on as soon as that stands fast. Whatever reads it must
    /// read to the end.
    /// </summary>
    public async Task BeginSavingAsync(CancellationToken cancellation)
    {
        Qmp.ForgetEvents();
        await BeginMigrationAsync("migrate", cancellation);
        while (true)
        {
            // That it is active says nothing yet. QEMU 7.2 lets the guest go on by itself; from the first page that is written 10 allows it.
            var migration = await MigrationAsync();
            RequireSound("migrate", migration);
            if (migration.Status is "completed" || migration.Pages > 0 || await StatusAsync(cancellation) is "running")
            {
                await ResumeAsync();
                return;
            }

            await Task.Delay(s_settlingInterval, time, cancellation);
        }
    }

    /// <summary>Waits until all is written that was begun with <see cref="BeginSavingAsync"/>.</summary>
    public Task EndSavingAsync(IProgress<StepProgress> progress, CancellationToken cancellation) =>
        WaitForMigrationAsync("migrate", progress, cancellation);

    /// <summary>Has QEMU close the file that memory was to be written to or read from; nothing happens if it has none.</summary>
    public async Task CloseMemoryAsync(CancellationToken cancellation)
    {
        try
        {
            await Qmp.ExecuteAsync("closefd", new JsonObject { ["fdname"] = MemoryFile }, cancellation);
        }
        catch (QmpRefusalException)
        {
        }
    }

    /// <summary>Writes device state and RAM to the file that was prepared.</summary>
    public Task SaveMemoryAsync(IProgress<StepProgress> progress, CancellationToken cancellation) =>
        MigrateAsync("migrate", progress, cancellation);

    /// <summary>Loads device state and RAM from the file that was prepared.</summary>
    public Task LoadMemoryAsync(IProgress<StepProgress> progress, CancellationToken cancellation) =>
        MigrateAsync("migrate-incoming", progress, cancellation);

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

    private const string MemoryFile = "memory";

    // QEMU 10 takes a migration off its list of what can be yanked after it has told that it is complete.
    private const string PreviousNotGone = "duplicate yank instance";

    private async Task MigrateAsync(string command, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        Qmp.ForgetEvents();
        await BeginMigrationAsync(command, cancellation);
        await WaitForMigrationAsync(command, progress, cancellation);
    }

    private async Task WaitForMigrationAsync(string command, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        while (true)
        {
            var told = await Qmp.WaitEventAsync(
                e => e.Name == "MIGRATION" && HasEnded(e.Text("status")), s_progressInterval, cancellation);
            var migration = told?.Text("status") == "completed" ? new Migration("completed", "", 0, 0, 0) : await MigrationAsync();
            if (migration.Status == "completed")
            {
                return;
            }

            RequireSound(command, migration);
            progress.Report(new StepProgress(new ByteCount(migration.Done), new ByteCount(migration.Total)));
        }
    }

    private static void RequireSound(string command, Migration migration)
    {
        if (migration.Status is not "completed" && HasEnded(migration.Status))
        {
            throw new QmpRefusalException(
                command, migration.Status, migration.Error is "" ? "it failed without a reason" : migration.Error);
        }
    }

    private async Task<bool> IsInBackgroundAsync()
    {
        var capabilities = await Qmp.ExecuteAsync("query-migrate-capabilities");
        return capabilities.Items().Any(c => c.TextOrEmpty("capability") is Background && c.IsTrue("state"));
    }

    private async Task BeginMigrationAsync(string command, CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); ; await Task.Delay(s_settlingInterval, time, cancellation))
        {
            try
            {
                await Qmp.ExecuteAsync(command, new JsonObject { ["uri"] = $"fd:{MemoryFile}" }, cancellation);
                return;
            }
            catch (QmpRefusalException e) when (
                e.Description.Contains(PreviousNotGone, StringComparison.Ordinal)
                && time.GetElapsedTime(start) < s_settlingLimit)
            {
                // QEMU leaves the refused one in "setup", in the way of the next. It has not touched the file yet.
                await AbandonMigrationAsync();
            }
        }
    }

    private static bool HasEnded(string status) => status is "completed" or "failed" or "cancelled";

    private async Task<Migration> MigrationAsync()
    {
        var answer = await Qmp.ExecuteAsync("query-migrate");
        var ram = answer.Find("ram") ?? default;
        var total = ram.NumberOrZero("total");
        return new Migration(
            answer.TextOrEmpty("status"), answer.TextOrEmpty("error-desc"), total - ram.NumberOrZero("remaining"), total,
            ram.NumberOrZero("normal") + ram.NumberOrZero("duplicate"));
    }

    private sealed record Migration(string Status, string Error, long Done, long Total, long Pages)
    {
        public bool IsUnderWay => Status is "setup" or "active" or "device" or "cancelling";
    }
}
