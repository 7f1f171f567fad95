using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Processes;

/// <content>How its memory goes out and comes in, which QEMU calls a migration.</content>
internal sealed partial class Machine
{
    private const long UnlimitedBandwidth = 1L << 40;
    private const string MemoryFile = "memory";

    // QEMU 10 takes a migration off its list of what can be yanked after it has told that it is complete.
    private const string PreviousNotGone = "duplicate yank instance";

    private static readonly TimeSpan s_abandoningLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_beginningLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_progressInterval = TimeSpan.FromMilliseconds(250);

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
    /// <exception cref="CoppiceException">
    /// Memory of an interrupted snapshot is still being written (<see cref="ErrorKind.Busy"/>).
    /// </exception>
    public async Task ChooseRamAsync(bool withRam, CancellationToken cancellation, bool runsOn = false)
    {
        await WaitForBackgroundAsync(cancellation);
        var capabilities = new JsonArray(Capability("events", true), Capability("x-ignore-shared", !withRam), Capability(Background, runsOn));
        await Qmp.ExecuteAsync("migrate-set-capabilities", new JsonObject { ["capabilities"] = capabilities }, cancellation);
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
        for (var start = time.GetTimestamp(); time.GetElapsedTime(start) < s_beginningLimit; await Task.Delay(s_settlingInterval, time, cancellation))
        {
            // That it is active says nothing yet. QEMU 7.2 lets the guest go on by itself; from the first page that is written 10 allows it.
            var migration = await MigrationAsync();
            RequireSound("migrate", migration);
            if (migration.Status is "completed" || migration.Pages > 0 || await StatusAsync(cancellation) is "running")
            {
                await ResumeAsync();
                return;
            }
        }

        throw new CoppiceException(
            ErrorKind.Hypervisor, "saving memory", $"has not begun within {s_beginningLimit.TotalSeconds} s", "try again without --live");
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
    /// Gives up a migration that is under way, in or out, and waits until it has ended. One in the background goes on, into a file
    /// that nobody wants any more: if it were cancelled, QEMU 7.2 would leave pages of its guest locked for ever.
    /// </summary>
    /// <exception cref="CoppiceException">It does not end, as one whose file hangs
    /// (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task AbandonMigrationAsync()
    {
        if (!await WritesInBackgroundAsync())
        {
            await CancelMigrationAsync();
        }
    }

    private async Task CancelMigrationAsync()
    {
        await Qmp.ExecuteAsync("migrate_cancel");
        for (var start = time.GetTimestamp(); (await MigrationAsync()).IsUnderWay; await Task.Delay(s_settlingInterval, time))
        {
            if (time.GetElapsedTime(start) > s_abandoningLimit)
            {
                throw new CoppiceException(
                    ErrorKind.Hypervisor, "saving or loading memory", "was cancelled and does not end",
                    "see whether the storage of the memory file hangs; 'coppice kill' ends the process all the same");
            }
        }
    }

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

    private async Task<bool> WritesInBackgroundAsync()
    {
        if (!(await MigrationAsync()).IsUnderWay)
        {
            return false;
        }

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
                // QEMU leaves the refused one in "setup", in the way of the next. It has touched neither file nor guest yet.
                await CancelMigrationAsync();
            }
        }
    }

    /// <summary>A command that was killed after its guest had gone on may have left one; it ends by itself.</summary>
    private async Task WaitForBackgroundAsync(CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); await WritesInBackgroundAsync(); await Task.Delay(s_progressInterval, time, cancellation))
        {
            if (time.GetElapsedTime(start) > s_abandoningLimit)
            {
                throw new CoppiceException(
                    ErrorKind.Busy, "memory of the guest", "is still being written for a snapshot that was interrupted, and thrown away then",
                    "try again in a while; a snapshot of disks alone (--disk-only) need not wait");
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
