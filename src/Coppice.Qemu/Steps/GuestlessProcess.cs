using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// A QEMU without a machine, in which images are worked on while no guest uses them. It is started, found again and ended like
/// any other process, behind the same closed doors.
/// </summary>
internal sealed class GuestlessProcess(string binary, EndStep end, TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Connects to it, and starts it first if it does not run, with the images of a chain open for reading.</summary>
    /// <exception cref="CoppiceException">It cannot be started, or cannot open an image.</exception>
    public async Task<Machine> OpenAsync(
        ShortId id, ImmutableArray<Layer> chain, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, id);
        var machine = await Machine.ConnectAsync(folder, time, cancellation)
            ?? await StartAsync(id, chain[0].Disk, context, cancellation);
        try
        {
            // Whoever started it may have been killed before it had opened them.
            var nodes = await machine.Qmp.ExecuteAsync("query-named-block-nodes", new JsonObject { ["flat"] = true }, cancellation);
            if (!nodes.Items().Any(n => n.TextOrEmpty("node-name") == BlockNodes.NameOf(chain[0].Id)))
            {
                await machine.Qmp.ExecuteAsync("blockdev-add", BlockNodes.Chain(new DiskChain(chain[0].Disk, chain), readOnly: true, DriveMode.Default), cancellation);
            }

            return machine;
        }
        catch (Exception e)
        {
            await machine.DisposeAsync();
            if (e is QmpRefusalException refusal)
            {
                throw LaunchErrors.OfImages(refusal, $"disk '{chain[0].Disk}'", chain) ?? e;
            }

            throw;
        }
    }

    private async Task<Machine> StartAsync(ShortId id, string disk, StepContext context, CancellationToken cancellation)
    {
        await EndAsync(id, context, cancellation);
        var folder = RunFolder.Of(context.Folder.Home, id);
        DurableFolder.Create(folder.Path);
        await RunFolders.NoteAsync(folder, context.Folder, cancellation);
        var drives = ImmutableDictionary<string, DriveMode>.Empty.Add(disk, DriveMode.Default);
        await DriveModes.WriteAsync(folder, drives, cancellation);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        await process.StartAsync(binary, QemuCommandLine.Guestless, cancellation);
        return new Machine(await process.ConnectAsync(folder.Commands, $"process {id} without a guest", s_limit, cancellation), time);
    }

    /// <summary>Ends it; also one that is gone, or was never started.</summary>
    public Task EndAsync(ShortId id, StepContext context, CancellationToken cancellation) =>
        end.ApplyAsync(new EndArguments(id, []), context, cancellation);
}
