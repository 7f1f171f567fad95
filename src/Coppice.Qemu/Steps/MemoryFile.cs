using System.Text;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>
/// The file that the memory of a standing guest goes to: under a name of the operation's own until it is whole. QEMU writes a stream into
/// it; or, behind the place of the RAM, what devices keep, and the RAM is a clone of the file that the guest has it in.
/// </summary>
internal sealed class MemoryFile : IDisposable
{
    private const int MaximumPathBytes = 1 << 16;

    // A flush of what the guest has just written takes as long as it has written much: what is left then is little.
    private const int MostFlushes = 6;
    private static readonly TimeSpan s_shortFlush = TimeSpan.FromMilliseconds(20);

    // What QEMU says when the write itself fails; other reasons have nothing to do with the file.
    private const string CannotWrite = "Unable to write to";

    private readonly MemoryImage _memory;
    private readonly SafeFileHandle _file;
    private readonly string _partial;
    private readonly (SafeFileHandle File, string Path, long Bytes, DeviceState Devices)? _ram;
    private StreamDrain? _drain;

    private MemoryFile(MemoryImage memory, string partial, string? ram, DeviceState devices)
    {
        (_memory, _partial) = (memory, partial);
        _file = DurableFile.OpenNew(partial);
        if (ram is null)
        {
            return;
        }

        try
        {
            var source = DurableFile.OpenAt(ram, 0);
            _ram = (source, ram, FileCopy.LengthOf(source), devices);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Whether QEMU writes all of it, RAM too, into a file.</summary>
    public static bool IsStream(MemoryImage memory) => memory is { Mode: MemoryMode.External, Format: MemoryFormat.Stream };

    /// <summary>Makes the file and hands it to QEMU; null if no memory goes to a file.</summary>
    /// <param name="machine">The guest, which may run.</param>
    /// <param name="process">Its process.</param>
    /// <param name="memory">Where its memory goes.</param>
    /// <param name="context">What the step is about.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <param name="runsOn">Whether the guest goes on while a stream is written.</param>
    /// <exception cref="CoppiceException">
    /// The name is taken (<see cref="ErrorKind.AlreadyExists"/>), or the RAM of the process is in no file that could be cloned
    /// (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    public static async Task<MemoryFile?> OpenAsync(
        Machine machine, ShortId process, MemoryImage memory, StepContext context, CancellationToken cancellation, bool runsOn = false)
    {
        if (memory.Mode is not MemoryMode.External)
        {
            return null;
        }

        if (Path.Exists(memory.File))
        {
            throw Taken(memory.File!);
        }

        var ram = memory.Format is MemoryFormat.Mapped ? context.Folder.Ram(process) : null;
        if (ram is not null && !File.Exists(ram))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"RAM of process {process}", "is in no file that could be cloned", "repeat the command, which then takes a stream");
        }

        DurableFolder.Create(Path.GetDirectoryName(memory.File!)!);
        var devices = new DeviceState(machine, RunFolder.Of(context.Folder.Home, process), context);
        var file = new MemoryFile(memory, PartialOf(memory, context), ram, devices);
        try
        {
            await (ram is not null ? devices.PrepareAsync(cancellation)
                : runsOn ? file.PrepareDrainAsync(machine, cancellation)
                : machine.PrepareMigrationAsync(file._file, withRam: true, cancellation));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Puts most of the RAM on disk while the guest runs: a clone has to wait for what is not there yet.</summary>
    public async Task FlushRamAsync(TimeProvider time, CancellationToken cancellation)
    {
        for (var count = 0; _ram is { } ram && count < MostFlushes; count++)
        {
            var start = time.GetTimestamp();
            await Task.Run(() => DurableFile.Flush(ram.Path), cancellation);
            if (time.GetElapsedTime(start) < s_shortFlush)
            {
                return;
            }
        }
    }

    /// <summary>Lets QEMU write, or clones the RAM and has what devices keep saved. The guest must stand still.</summary>
    /// <exception cref="CoppiceException">There is no room for it (<see cref="ErrorKind.Storage"/>).</exception>
    public async Task SaveAsync(Machine machine, Stopwatches parts, StepContext context, CancellationToken cancellation)
    {
        if (_ram is not { } ram)
        {
            await parts.TimeAsync("migrate", () => SaveAsync(machine, context, cancellation));
            return;
        }

        // In this order: if a device ever wrote to the RAM of a guest that stands, one that knows of more than the RAM would only lose that.
        await parts.TimeAsync("clone", () => Task.Run(() => Clone(ram.File, ram.Path, ram.Bytes), CancellationToken.None));
        await parts.TimeAsync("devices", () => ram.Devices.SaveAsync(cancellation));
    }

    /// <summary>Has QEMU begin to write a stream of the guest as it is, and lets it go on.</summary>
    public Task BeginAsync(Machine machine) => NamedAsync(() => machine.BeginSavingAsync(CancellationToken.None));

    /// <summary>Waits until the stream is written, while the guest runs. If that is cancelled, it is written on, for nobody.</summary>
    /// <exception cref="CoppiceException">There was no room for it (<see cref="ErrorKind.Storage"/>).</exception>
    public async Task EndAsync(Machine machine, StepContext context, CancellationToken cancellation)
    {
        await NamedAsync(() => machine.EndSavingAsync(context.Progress, cancellation));
        if (await _drain!.EndAsync() is { } why)
        {
            throw Unwritten(why, null);
        }
    }

    /// <summary>Makes the file durable and gives it its name.</summary>
    /// <returns>Its size, without the bytes that it shares with the RAM.</returns>
    /// <exception cref="CoppiceException">The name was taken meanwhile (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public async Task<ByteCount> FinishAsync(RunFolder folder, StepContext context, CancellationToken cancellation)
    {
        var path = _memory.File!;
        await (_ram is { } saved ? saved.Devices.MoveToAsync(_file, _partial, saved.Bytes, cancellation) : Task.CompletedTask);
        await Task.Run(() => DurableFile.Flush(_partial), cancellation);

        // Once the partial file is gone, this alone tells the undo that the file is ours to remove.
        await DurableFile.ReplaceAsync(folder.Finished(context.Operation), Encoding.UTF8.GetBytes(path), cancellation);
        try
        {
            File.Move(_partial, path, overwrite: false);
        }
        catch (IOException) when (Path.Exists(_partial) && Path.Exists(path))
        {
            throw Taken(path);
        }

        DurableFolder.Flush(Path.GetDirectoryName(path)!);
        return new ByteCount(new FileInfo(path).Length - (_ram?.Bytes ?? 0));
    }

    /// <summary>Removes a memory file that is not going to be used, but nothing that the operation did not make.</summary>
    public static void Remove(MemoryImage memory, RunFolder folder, StepContext context)
    {
        if (memory.Mode is not MemoryMode.External)
        {
            return;
        }

        var (partial, finished) = (PartialOf(memory, context), folder.Finished(context.Operation));
        var recorded = File.Exists(finished);
        if (recorded && !File.Exists(partial)
            && DurableFile.ReadTextBounded(finished, MaximumPathBytes) == memory.File)
        {
            DurableFile.Remove(memory.File!);
        }

        if (recorded)
        {
            // It goes before the partial file, also on disk: without that one it would lay claim to whatever has the name.
            DurableFile.Remove(finished);
            DurableFolder.Flush(folder.Path);
        }

        DurableFile.Remove(partial);
        DurableFile.Remove(folder.DeviceState(context.Operation));
    }

    /// <summary>Lets go of what QEMU has open for a file that is not going to be.</summary>
    public static Task AbandonAsync(Machine machine, MemoryImage memory, RunFolder folder, StepContext context, CancellationToken cancellation) =>
        memory switch
        {
            { Format: MemoryFormat.Mapped } => new DeviceState(machine, folder, context).RemoveAsync(cancellation),
            { Mode: MemoryMode.External } => machine.CloseMemoryAsync(cancellation),
            _ => Task.CompletedTask,
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _ram?.File.Dispose();
        _drain?.Dispose();
    }

    private async Task PrepareDrainAsync(Machine machine, CancellationToken cancellation)
    {
        _drain = StreamDrain.Start(_file);
        try
        {
            await machine.ChooseRamAsync(withRam: true, cancellation, runsOn: true);
        }
        catch (QmpRefusalException e)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"RAM of the guest whose memory goes to {_memory.File}",
                $"cannot be written while it changes (QEMU: {e.Description})", "leave live out: the guest stands still then, as the plan says", e);
        }

        await machine.PrepareMigrationAsync(_drain.Input, withRam: true, cancellation, runsOn: true);
        _drain.CloseInput();
    }

    private Task SaveAsync(Machine machine, StepContext context, CancellationToken cancellation) =>
        NamedAsync(() => machine.SaveMemoryAsync(context.Progress, cancellation));

    private async Task NamedAsync(Func<Task> save)
    {
        try
        {
            await save();
        }
        catch (QmpRefusalException e) when (e.Description.StartsWith(CannotWrite, StringComparison.Ordinal))
        {
            throw Unwritten($"QEMU: {e.Description}", e);
        }
    }

    private CoppiceException Unwritten(string why, Exception? cause) => new(
        ErrorKind.Storage, $"memory image {_memory.File}", $"cannot be written ({why})",
        "free some space or mend the file system, and try again", cause);

    private void Clone(SafeFileHandle source, string path, long bytes)
    {
        if (!FileClone.TryRange(source, _file, _partial, bytes))
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"RAM {path}", $"cannot be cloned into {_memory.File}: the memory volume is not what it was",
                "see what is mounted there: coppice pool list");
        }
    }

    private static string PartialOf(MemoryImage memory, StepContext context) => $"{memory.File}.{context.Operation}.partial";

    private static CoppiceException Taken(string file) => new(
        ErrorKind.AlreadyExists, $"file {file}", "is there already, and memory is written to a new file only", "name another file");
}
