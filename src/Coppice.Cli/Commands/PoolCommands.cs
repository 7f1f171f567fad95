using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words below <c>pool</c>: where the RAM of guests lies, so that checkpoints do not wait for it.</summary>
internal static class PoolCommands
{
    public static Command Pool() => new CoppiceCommand(
        "pool", "Make, list and remove the memory volume of the home: with one, checkpoints, reverts and forks do not wait for RAM",
        CreateMemory(), List(), Mount(), DeleteMemory());

    /// <summary><c>memory</c>.</summary>
    public static Command Memory()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("memory", "Tell how the memory of a domain is kept", new CoppiceCommand(
            "status", "Tell which way checkpoints of a domain take, now and after its next start, and what would make them faster", domain)
            .Does(async (run, cancellation) =>
                run.Output.Memory(MemoryStatusReport.Of(await run.Home.ShowMemoryAsync(run.Get(domain), cancellation)))));
    }

    private static CoppiceCommand CreateMemory()
    {
        var size = Values.Option<ByteCount?>(
            "--size", "SIZE", "How large, such as 16G: the RAM of all guests that run at once, twice, and what their snapshots keep; taken in full at once",
            text => Values.Size(text));
        var isVolatile = new Option<bool>("--volatile")
        {
            Description = "In the host's memory: nothing is written to a disk, and checkpoints on it do not survive a loss of power",
        };
        var folder = new Option<string?>("--folder")
        {
            Description = "Make this folder on a file system that clones files (XFS, btrfs) instead; it needs no root", HelpName = "FOLDER",
        };
        var command = new CoppiceCommand(
            "create-memory", "Make the memory volume; domains that are started from then on have their RAM there", size, isVolatile, folder);
        SnapshotCommands.Exclude(command, folder, size);
        SnapshotCommands.Exclude(command, folder, isVolatile);
        command.Validators.Add(result =>
        {
            if (new Option[] { size, folder }.All(o => result.GetResult(o) is not { Implicit: false }))
            {
                result.AddError("say how large (--size), or where (--folder)");
            }
        });
        return command.Does(async (run, cancellation) =>
        {
            await run.Home.MakeVolumeAsync(new NewMemoryVolume(run.Get(size), run.Get(isVolatile), run.Path(folder)), cancellation);
            await ListAsync(run, cancellation);
        });
    }

    private static CoppiceCommand List() =>
        new CoppiceCommand("list", "Show the memory volume, and how much of it is promised to guests").Does(ListAsync);

    private static CoppiceCommand Mount() =>
        new CoppiceCommand("mount", "Mount the memory volume again after a restart of the host; other commands that need it do so by themselves")
            .Does(async (run, cancellation) =>
            {
                await run.Home.MountVolumeAsync(cancellation);
                await ListAsync(run, cancellation);
            });

    private static CoppiceCommand DeleteMemory()
    {
        var command = new CoppiceCommand("delete-memory", "Remove the memory volume, if no domain runs on it or keeps memory there");
        return command.Asks(_ => "Remove the memory volume?").Does(async (run, cancellation) =>
        {
            command.Confirm(run, "Remove the memory volume? Checkpoints then wait for RAM.");
            await run.Home.RemoveVolumeAsync(cancellation);
            await ListAsync(run, cancellation);
        });
    }

    private static async Task ListAsync(Invocation run, CancellationToken cancellation)
    {
        var volume = await run.Home.ShowVolumeAsync(cancellation);
        run.Output.Volumes(volume is null ? [] : [VolumeReport.Of(volume)], run.Home.HasVolume);
    }
}
