using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Cli;
using Coppice.Live.Tree;
using Coppice.Qemu;
using Coppice.Tests.Images;
using Coppice.Tests.Trees;

namespace Coppice.Torture;

/// <summary>
/// Real images of domains that are off, on a file system with little room: the manager dies or is killed, files cannot be written
/// or flushed, the disk is full.
/// </summary>
internal sealed class OfflineRoom : Room
{
    private const int Operations = 12;
    private const int FileActs = 40;
    private const int Events = 14;
    private const int MostLeftFree = 400 << 10;

    public override string Name => "offline";

    public override string? Missing => Tool.HasQemuImg ? null : Tool.NoQemuImg;

    public override async Task RoundAsync(Random random, CancellationToken over)
    {
        var folder = Directory.CreateTempSubdirectory("co-").FullName;
        try
        {
            await using var small = await SmallDisk.MountAsync($"{folder}/d", "64M");
            using var orchard = await ImageOrchard.PlantAsync(
                Directory.CreateDirectory($"{folder}/d").FullName, Qemu($"{folder}/d"), keepsDocuments: false);

            // What QEMU can do is asked once, in a folder of its own that a killed manager would leave.
            await Qemu($"{folder}/d").CapabilitiesAsync(over);
            var images = new ImageChecks();
            for (var i = 0; i < Operations && !over.IsCancellationRequested; i++)
            {
                var domains = await orchard.LookAsync();
                if (domains.IsEmpty)
                {
                    return;
                }

                await orchard.WriteAsync(random, domains);
                await OperateAsync(orchard, images, random, isSmall: small is not null);
            }
        }
        finally
        {
            await LiveDomain.EndAllAsync(folder);
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What merges layers without a guest.</summary>
    internal static QemuHypervisor Qemu(string folder) =>
        new(new QemuOptions { CacheFile = $"{folder}/home/cache/qemu.json" }, TimeProvider.System);

    /// <summary>Another process draws the same from the same number.</summary>
    internal static async Task<(Scene Scene, Deed Deed, Request Request)> ChooseAsync(int number, ImageOrchard orchard)
    {
        var (random, home) = (new Random(number), await orchard.LookAsync());
        var scene = new Scene(orchard, home, home[random.Next(home.Length)]);
        var deed = Deed.Pick(random, scene);
        return (scene, deed, await deed.AskAsync(new Draw(random, scene)));
    }

    private async Task OperateAsync(ImageOrchard orchard, ImageChecks images, Random random, bool isSmall)
    {
        var number = random.Next();
        var (scene, deed, request) = await ChooseAsync(number, orchard);
        var fault = new OfflineFault(orchard, request, number);
        var met = await (random.Next(isSmall ? 12 : 11) switch
        {
            0 or 1 or 2 or 3 => fault.AbandonAsync(random.Next(Events)),
            4 => fault.CancelAsync(random.Next(Events)),
            5 or 6 => FailAsync(fault, random.Next(FileActs), once: true),
            7 => FailAsync(fault, random.Next(FileActs), once: false),
            8 => fault.KillAtEventAsync(random.Next(Events)),
            9 => fault.KillAtInstantAsync(TimeSpan.FromMilliseconds(random.NextDouble() * 150)),
            10 => fault.PassAsync(),
            _ => fault.FillAsync(random.Next(MostLeftFree)),
        });
        try
        {
            await CheckAsync(scene, deed, request, fault, images);
        }
        catch (Exception e)
        {
            throw new Violation((e as Violation)?.Harm ?? Harm.Other, $"{request}, {met ?? "no fault"}, {fault.Error?.Message ?? "no error"}: {e.Message}", e);
        }

        if (fault.IsRefused)
        {
            Tally.Refused();
        }
        else
        {
            Tally.Operation(deed.Name, met, fault.Point is { } point ? $"{deed.Name} {point}" : null);
        }
    }

    private static Task<string?> FailAsync(OfflineFault fault, int point, bool once) => once
        ? fault.FailFilesAsync("one act on a file failed", n => n == point)
        : fault.FailFilesAsync("all acts on files failed from a point on", n => n >= point);

    private static async Task CheckAsync(Scene scene, Deed deed, Request request, OfflineFault fault, ImageChecks images)
    {
        foreach (var domain in scene.Home)
        {
            await SettleAsync(scene.Orchard, domain.Catalog.Domain);
        }

        var after = await Violation.CheckAsync(Harm.Corrupt, scene.Orchard.LookAsync);
        Violation.Check(Harm.Orphan, () => scene.Orchard.CheckFiles(after, deed));
        Violation.Check(Harm.Lost, () => TreeRules.Check(scene, after, deed, request, fault.IsDone ? true : null));
        await images.RequireWholeAsync(Images(after));
    }

    /// <summary>The next command finishes or undoes what was interrupted, before it finds that there is nothing to do.</summary>
    private static async Task SettleAsync(Orchard orchard, DomainId domain)
    {
        try
        {
            await orchard.Open().RunAsync(new EditSnapshot(domain.ToString(), "no such snapshot", null, ""), new RunOptions());
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
        }
    }

    private static IEnumerable<string> Images(ImmutableArray<Sight> domains) =>
        domains.SelectMany(d => d.Catalog.LayersAtRest()).Where(l => l.Format is ImageFormat.Qcow2).Select(l => l.Path);
}
