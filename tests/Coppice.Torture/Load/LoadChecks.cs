using System.Globalization;
using Coppice.Contracts.Libvirt;
using Coppice.Libvirt.Wire;

namespace Coppice.Torture.Load;

/// <summary>What must hold when all clients have gone.</summary>
internal sealed class LoadChecks(LoadRound round)
{
    private const int Lifecycle = 0;
    private const double MostGrowth = 1.2;
    private const int MostMoreMiB = 16;
    private const int MostMoreFiles = 2;
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(60), s_telling = TimeSpan.FromSeconds(20);

    /// <exception cref="Violation">Something does not.</exception>
    public async Task CheckAsync(bool judgesMemory)
    {
        if (round.Server.IsGone)
        {
            throw new Violation(Harm.Other, $"the server ended by itself: {round.Server.Said}");
        }

        await CheckSnapshotsAsync();
        await CheckStartsAsync();
        await CheckFilesAsync();
        await CheckHomeAsync();
        if (judgesMemory)
        {
            CheckMemory();
        }
    }

    /// <summary>What was made and not deleted is there; what was deleted is not.</summary>
    private async Task CheckSnapshotsAsync()
    {
        await using var client = await WireClient.OpenAsync(round.Server.Socket);
        foreach (var domain in round.Domains)
        {
            var (found, _) = await client.CallAsync(SnapshotProcedures.ListAll, (domain.Remote, 1, 0u));
            var present = found.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
            if (round.Ledger.Lost(domain.Name, present).ToArray() is { Length: > 0 } lost)
            {
                throw new Violation(Harm.Lost, $"{domain.Name} has lost snapshots that nobody deleted: {string.Join(", ", lost)}");
            }

            if (round.Ledger.Risen(domain.Name, present).ToArray() is { Length: > 0 } risen)
            {
                throw new Violation(Harm.Other, $"{domain.Name} has snapshots that were deleted: {string.Join(", ", risen)}");
            }
        }

        round.Tally.Note($"snapshots: {round.Ledger.Made} told to be made, {round.Ledger.Gone} told to be deleted, none lost");
    }

    /// <summary>Every domain can be started, and who listens is told.</summary>
    private async Task CheckStartsAsync()
    {
        await using var client = await WireClient.OpenAsync(round.Server.Socket);
        await client.CallAsync(EventProcedures.Register, (Lifecycle, null));
        foreach (var domain in round.Domains)
        {
            await round.CommandAsync("kill", domain.Name, "--yes");
            await MustAsync("start", domain.Name);
            await ToldAsync(client, domain);
            await MustAsync("kill", domain.Name, "--yes");
        }
    }

    private static async Task ToldAsync(WireClient client, LoadDomain domain)
    {
        using var patience = new CancellationTokenSource(s_telling);
        try
        {
            (int, RemoteDomain Domain, int Event, int) told;
            do
            {
                told = await client.ToldAsync(EventProcedures.Lifecycle, patience.Token);
            }
            while (told.Domain.Name != domain.Name || told.Event != 2);
        }
        catch (OperationCanceledException e)
        {
            throw new Violation(Harm.Other, $"nobody was told that {domain.Name} was started", e);
        }
    }

    /// <summary>The server has no more open than one that has just been started, over the same domains.</summary>
    private async Task CheckFilesAsync()
    {
        var left = await SettledAsync(round.Server.Id, new OpenFiles(0, 0));
        await round.Server.StopAsync();
        await round.Server.StartAsync();
        var fresh = await SettledAsync(round.Server.Id, left);
        round.Tally.Note($"open in the server when all had gone: {left.Sockets} sockets and {left.Others} other files; in a new one {fresh.Sockets} and {fresh.Others}");
        if (left.Sockets > fresh.Sockets || left.Others > fresh.Others + MostMoreFiles)
        {
            throw new Violation(Harm.Orphan, $"the server keeps {left} when its clients have gone; one that is new has {fresh}");
        }
    }

    /// <summary>What is open once that has not changed for a while.</summary>
    private static async Task<OpenFiles> SettledAsync(int process, OpenFiles atMost)
    {
        var (begin, last, same) = (TimeProvider.System.GetTimestamp(), OpenFiles.Of(process), 0);
        while (same < 12 && TimeProvider.System.GetElapsedTime(begin) < s_settling)
        {
            await Task.Delay(250);
            var now = OpenFiles.Of(process);
            (same, last) = (now == last ? same + 1 : 0, now);
        }

        return last;
    }

    private async Task CheckHomeAsync()
    {
        await round.Server.StopAsync();
        await MustAsync("gc", "--all");
        var check = await round.CommandAsync("check");
        if (check.ExitCode != 0)
        {
            throw new Violation(Harm.Corrupt, $"coppice check: {check.Output}{check.Errors}");
        }

        var orphans = check.Output.Split('\n').Where(l => l.Contains("orphan", StringComparison.OrdinalIgnoreCase)).ToArray();
        foreach (var domain in round.Domains.Where(d => !d.ForgetsFiles))
        {
            var found = await round.CommandAsync("check", domain.Name, "--json");
            if (found.Output.Contains("\"orphan\"", StringComparison.Ordinal))
            {
                throw new Violation(Harm.Orphan, $"coppice check {domain.Name}: {found.Output}");
            }
        }

        round.Tally.Note($"coppice check: no damage, no fault{(orphans.Length > 0 ? $", and {orphans.Length} files of forgotten snapshots" : "")}");
    }

    private void CheckMemory()
    {
        var (second, last, time) = round.Figures.Memory();
        if (last > (second * MostGrowth) + MostMoreMiB)
        {
            throw new Violation(Harm.Other, string.Create(
                CultureInfo.InvariantCulture, $"the server's memory grew from {second:0} to {last:0} MiB in {time.TotalMinutes:0.0} min"));
        }
    }

    private async Task MustAsync(params string[] arguments)
    {
        var run = await round.CommandAsync(arguments);
        if (run.ExitCode != 0)
        {
            throw new Violation(Harm.Lost, $"coppice {string.Join(' ', arguments)} ended with {run.ExitCode}: {run.Errors}{run.Output}");
        }
    }
}

/// <summary>A server under the load of many clients, on real guests.</summary>
internal sealed class LoadRoom(LoadSize size) : Room
{
    public override string Name => "load";

    /// <summary>Once in a short run.</summary>
    public override double Rest => 3;

    public override string? Missing => new LiveRoom().Missing;

    public override async Task RoundAsync(Random random, CancellationToken over)
    {
        await using var round = new LoadRound(size, random, Tally);
        await round.RunAsync(over);
    }
}
