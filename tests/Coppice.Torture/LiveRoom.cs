using Coppice.Core;
using Coppice.Live.Cli;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;
using Coppice.Live.Witness;
using Coppice.Tests.Images;

namespace Coppice.Torture;

/// <summary>
/// Real guests that write numbers to their disks and are told which are safe. They are resumed from one that was booted once, and the
/// next fault comes as soon as the last one was looked into.
/// </summary>
internal sealed class LiveRoom : Room
{
    private const int Operations = 16;
    private const int FileActs = 60;
    private const int Calls = 30;
    private const string RoomForMemory = "700M";
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_operation = TimeSpan.FromSeconds(1.5);

    public override string Name => "live";

    public override int Lanes => 2;

    public override string? Missing => WitnessGuest.Missing
        ?? (!Tool.Exists(QemuPrograms.Usual) ? "QEMU is not installed" : Tool.HasQemuImg ? null : Tool.NoQemuImg);

    public override async Task RoundAsync(Random random, CancellationToken over)
    {
        var isMapped = random.Next(2) == 0 && LiveVolume.Missing is null;
        await using var domain = await (isMapped ? LiveDomain.BootMappedAsync() : LiveDomain.BootAsync());
        var folder = (await domain.ShowAsync()).Folder;
        await using var small = random.Next(2) == 0 && !isMapped ? await SmallDisk.MountAsync(folder.MemoryFolder, RoomForMemory) : null;
        try
        {
            await CheckpointTests.StartGentleLoadAsync(domain);
            await domain.CreateAsync(LiveOperation.Base);
            using var orchard = new LiveOrchard(domain);
            var checks = new LiveChecks(domain, orchard);
            for (var i = 0; i < Operations && !over.IsCancellationRequested; i++)
            {
                await OperateAsync(domain, checks, random, folder, small is not null);
            }
        }
        finally
        {
            await domain.KillQemuAsync();
        }
    }

    public override async ValueTask CloseAsync()
    {
        await new Cradle().DisposeAsync();
        await new LiveVolume().DisposeAsync();
    }

    private async Task OperateAsync(LiveDomain domain, LiveChecks checks, Random random, DomainFolder folder, bool isSmall)
    {
        await checks.BeginAsync();
        var operation = LiveOperation.Pick(random, checks.Before.Catalog);
        var snapshot = operation.Draw(random, checks.Before.Catalog);
        var fault = new LiveFault(domain, operation, snapshot);
        string? met = null;
        try
        {
            met = await MeetAsync(fault, operation, random, folder, isSmall);
            await checks.EndAsync(operation, snapshot, fault);
        }
        catch (Exception e)
        {
            throw new Violation(
                (e as Violation)?.Harm ?? Harm.Other,
                $"{operation.Name} {snapshot}, {met ?? "no fault"}, {fault.Error?.Message ?? "no error"}: {e.Message}", e);
        }

        if (fault.Error is not null && met is null)
        {
            Tally.Refused();
        }
        else
        {
            Tally.Operation(operation.Name, met, fault.Point is { } point ? $"{operation.Name} {point}" : null);
        }
    }

    private static Task<string?> MeetAsync(LiveFault fault, LiveOperation operation, Random random, DomainFolder folder, bool isSmall)
    {
        var (at, into, after) = (random.Next(operation.Events), s_pause * random.NextDouble(), s_operation * random.NextDouble());
        return random.Next(16) switch
        {
            <= 3 => fault.KillManagerAsync(at, into, withQemu: false),
            4 or 5 => fault.KillManagerAsync(operation.Stands ? null : at, into, withQemu: false),
            6 => fault.KillManagerAsync(at, into, withQemu: true),
            7 => fault.KillManagerAsync(operation.Stands ? null : at, into, withQemu: true),
            8 or 9 => fault.KillQemuAtAsync(at),
            10 => fault.KillQemuAfterAsync(after),
            11 => fault.FailFilesAsync(random.Next(FileActs), once: true),
            12 => fault.FailFilesAsync(random.Next(FileActs), once: false),
            13 => fault.CancelAsync(at),
            14 when isSmall && operation.Stands => fault.FillAsync(folder, random.Next(8 << 20)),
            _ => fault.RefuseCallAsync(random.Next(Calls)),
        };
    }
}
