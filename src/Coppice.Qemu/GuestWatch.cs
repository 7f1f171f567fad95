using System.Globalization;
using Coppice.Core;
using Coppice.Qemu.Agent;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>
/// Lets a guest go on and watches it. The monitor for commands is held from before the first instruction on, so that no event is
/// missed; readers have one of their own.
/// </summary>
internal sealed class GuestWatch(TimeProvider time)
{
    // A boot sector is 512 bytes, and what firmware looks at to find one some tens of KiB. A kernel alone is larger.
    private const long BytesOfABoot = 1 << 20;

    // Boot loaders reset a machine once or twice, having changed its variables.
    private const int MostResets = 2;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_agentLimit = TimeSpan.FromSeconds(2);

    /// <summary>Watches a guest; see <see cref="IHypervisor.TryGuestAsync"/>.</summary>
    public async Task<GuestTrial> WatchAsync(
        RunFolder folder, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation)
    {
        try
        {
            await using var machine = await Machine.ConnectAsync(folder, time, cancellation);
            return machine is null
                ? new GuestTrial(TrialEnd.Failed, "its process has ended")
                : await WatchAsync(machine, folder, definition, boots, patience, cancellation);
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException { Kind: ErrorKind.Hypervisor or ErrorKind.Damaged })
        {
            return new GuestTrial(TrialEnd.Failed, e.Message);
        }
    }

    private async Task<GuestTrial> WatchAsync(
        Machine machine, RunFolder folder, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation)
    {
        machine.Qmp.ForgetEvents();
        await machine.ResumeAsync();
        var agent = AgentOf(definition);
        var resets = boots ? MostResets : 0;
        var start = time.GetTimestamp();
        while (Left() > TimeSpan.Zero)
        {
            if (await machine.Qmp.WaitEventAsync(IsBad, s_interval, cancellation) is { } told)
            {
                return new GuestTrial(TrialEnd.Failed, await WordsAsync(machine, told, cancellation));
            }

            if (agent is not null && Left() is var left && left > TimeSpan.Zero
                && await AnswersAsync(agent, machine, folder, left < s_agentLimit ? left : s_agentLimit, cancellation))
            {
                return new GuestTrial(TrialEnd.Answers);
            }
        }

        // What QEMU told before it answers this has come, also while nobody waited for it.
        var status = await machine.StatusAsync(cancellation);
        return machine.Qmp.TakeEvent(IsBad) is { } late
            ? new GuestTrial(TrialEnd.Failed, await WordsAsync(machine, late, cancellation))
            : await JudgeAsync(machine, status, definition, boots, agent is not null, patience, cancellation);

        TimeSpan Left() => patience - time.GetElapsedTime(start);

        bool IsBad(QmpEvent told) => IsTelling(told) && (!IsReset(told) || --resets < 0);
    }

    /// <summary>The time is over, and nothing bad was told.</summary>
    private static async Task<GuestTrial> JudgeAsync(
        Machine machine, string status, DomainDefinition definition, bool boots, bool hasAgent, TimeSpan patience,
        CancellationToken cancellation)
    {
        if (status is not "running")
        {
            return new GuestTrial(TrialEnd.Failed, $"QEMU has stopped it ({status})");
        }

        var seconds = patience.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
        var silent = hasAgent ? $"its agent has not answered in {seconds} s" : "";
        if (!boots || definition.Os.Kernel is not null || !definition.Disks.Any(IsBootable))
        {
            return new GuestTrial(TrialEnd.Runs, silent);
        }

        var read = await ReadBytesAsync(machine, definition, cancellation);
        return read >= BytesOfABoot
            ? new GuestTrial(TrialEnd.Runs, silent)
            : new GuestTrial(
                TrialEnd.Failed, $"it has read only {new ByteCount(read)} of its disks in {seconds} s{(hasAgent ? $", and {silent}" : "")}");
    }

    private static AgentChannel? AgentOf(DomainDefinition definition)
    {
        try
        {
            return Endpoints.OfAgent(definition);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.MissingCapability)
        {
            return null;
        }
    }

    private async Task<bool> AnswersAsync(
        AgentChannel channel, Machine machine, RunFolder folder, TimeSpan limit, CancellationToken cancellation)
    {
        try
        {
            await using var agent = await channel.OpenAsync(machine, folder, time, cancellation);
            await agent.ReadTimeAsync(limit, cancellation);
            return true;
        }
        catch (AgentRefusalException)
        {
            return true;
        }
        catch (CoppiceException)
        {
            return false;
        }
    }

    private static bool IsTelling(QmpEvent told) =>
        IsReset(told) || told.Name is "GUEST_PANICKED" or "GUEST_CRASHLOADED" or "SHUTDOWN" or "STOP" or "BLOCK_IO_ERROR" or "WATCHDOG";

    private static bool IsReset(QmpEvent told) => told.Name is "RESET" && told.Data.IsTrue("guest");

    private static async Task<string> WordsAsync(Machine machine, QmpEvent told, CancellationToken cancellation) => told.Name switch
    {
        "RESET" => "it has reset itself",
        "GUEST_PANICKED" or "GUEST_CRASHLOADED" => "its kernel has panicked",
        "SHUTDOWN" when told.Text("reason") is "guest-reset" => "it has reset itself",
        "SHUTDOWN" when told.Text("reason") is "guest-shutdown" => "it has powered off",
        "SHUTDOWN" => "its process was ended",
        "BLOCK_IO_ERROR" => $"an image cannot be {(told.Text("operation") is "write" ? "written" : "read")} ({told.Text("reason")})",
        "WATCHDOG" => "its watchdog has bitten",
        _ => $"QEMU has stopped it ({await machine.StatusAsync(cancellation)})",
    };

    private static bool IsBootable(DiskDevice disk) => disk is { Source: not null, IsWritten: true };

    private static async Task<long> ReadBytesAsync(Machine machine, DomainDefinition definition, CancellationToken cancellation)
    {
        var ids = definition.Disks.Where(IsBootable).Select(d => Machine.DiskId(d.Target)).ToHashSet(StringComparer.Ordinal);
        var devices = await machine.Qmp.ExecuteAsync("query-blockstats", null, cancellation);
        return devices.Items().Where(d => d.TextOrEmpty("qdev").Split('/').Any(ids.Contains))
            .Sum(d => d.Find("stats") is { } stats ? stats.NumberOrZero("rd_bytes") : 0);
    }
}
