using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Coppice.Live.Qemu;

namespace Coppice.Live.Witness;

/// <summary>A witness guest under a bare QEMU, so that the witness is proved without any of the product's code.</summary>
internal sealed class PlainQemu : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly NetworkStream _stream;
    private readonly StreamReader _monitor;

    private PlainQemu(Process process, Socket monitor, string witnessPath)
    {
        _process = process;
        _stream = new NetworkStream(monitor, ownsSocket: true);
        _monitor = new StreamReader(_stream);
        WitnessPath = witnessPath;
    }

    public string WitnessPath { get; }

    /// <summary>Boots the guest, or starts it from a memory image.</summary>
    public static async Task<PlainQemu> StartAsync(
        string folder, string name, IEnumerable<string> disks, string? memory, CancellationToken cancellation)
    {
        var monitorPath = Path.Combine(folder, name + ".qmp");
        var witnessPath = Path.Combine(folder, name + ".witness");
        var start = new ProcessStartInfo(QemuPrograms.Usual, Arguments(monitorPath, witnessPath, disks, memory))
        {
            RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        try
        {
            var qemu = new PlainQemu(process, await ConnectAsync(process, monitorPath, cancellation), witnessPath);
            await qemu._monitor.ReadLineAsync(cancellation);
            await qemu.ExecuteAsync("qmp_capabilities", cancellation);
            return qemu;
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    public Task<WitnessClient> ConnectAsync(CancellationToken cancellation) =>
        WitnessClient.ConnectAsync(WitnessPath, TimeSpan.FromMinutes(2), TimeProvider.System, cancellation);

    public Task<JsonElement> ExecuteAsync(string command, CancellationToken cancellation) =>
        ExecuteAsync(command, null, cancellation);

    public async Task SaveMemoryAsync(string path, CancellationToken cancellation)
    {
        await ExecuteAsync("migrate", new { uri = $"exec:cat > '{path}'" }, cancellation);
        await WaitForMigrationAsync(cancellation);
    }

    public async Task WaitForMigrationAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var answer = await ExecuteAsync("query-migrate", cancellation);
            switch (answer.TryGetProperty("status", out var status) ? status.GetString() : null)
            {
                case "completed":
                    return;
                case "failed":
                    throw new InvalidOperationException($"The migration failed: {answer}");
            }

            await Task.Delay(PollInterval, cancellation);
        }
    }

    public Task WaitForExitAsync(CancellationToken cancellation) => _process.WaitForExitAsync(cancellation);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _monitor.Dispose();
        await _stream.DisposeAsync();
    }

    private static List<string> Arguments(string monitorPath, string witnessPath, IEnumerable<string> disks, string? memory)
    {
        List<string> arguments =
        [
            "-nodefaults", "-machine", "pc", "-accel", "tcg,thread=multi", "-m", "128", "-display", "none",
            "-kernel", WitnessGuest.KernelPath, "-initrd", WitnessGuest.InitrdPath, "-append", WitnessGuest.KernelCommandLine,
            "-qmp", $"unix:{monitorPath},server=on,wait=off", "-serial", "null",
            "-device", "virtio-serial-pci", "-chardev", $"socket,id=witness,path={witnessPath},server=on,wait=off",
            "-device", $"virtserialport,chardev=witness,name={WitnessGuest.PortName}",
        ];
        foreach (var (index, disk) in disks.Index())
        {
            arguments.AddRange(["-blockdev", $"driver=file,filename={disk},node-name=disk{index}"]);
            arguments.AddRange(["-device", $"virtio-blk-pci,drive=disk{index}"]);
        }

        if (memory is not null)
        {
            arguments.AddRange(["-incoming", $"exec:cat '{memory}'"]);
        }

        return arguments;
    }

    private static async Task<Socket> ConnectAsync(Process process, string path, CancellationToken cancellation)
    {
        while (!process.HasExited)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
                await Task.Delay(PollInterval, cancellation);
            }
        }

        throw new InvalidOperationException($"QEMU ended: {await process.StandardError.ReadToEndAsync(cancellation)}");
    }

    private async Task<JsonElement> ExecuteAsync(string command, object? arguments, CancellationToken cancellation)
    {
        var request = JsonSerializer.SerializeToUtf8Bytes(
            arguments is null ? new { execute = command } : (object)new { execute = command, arguments });
        await _stream.WriteAsync(request, cancellation);
        while (await _monitor.ReadLineAsync(cancellation) is { } line)
        {
            var answer = JsonDocument.Parse(line).RootElement;
            if (answer.TryGetProperty("return", out var value))
            {
                return value;
            }

            if (answer.TryGetProperty("error", out var error))
            {
                throw new InvalidOperationException($"QEMU refused {command}: {error}");
            }
        }

        throw new InvalidOperationException($"QEMU ended before it answered {command}.");
    }
}
