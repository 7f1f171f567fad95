using System.Diagnostics;
using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;
using Coppice.Tests.Trees;

namespace Coppice.Torture;

/// <summary>One operation on real images, and what goes wrong with it. Each gives the name of the fault, or null if it was not met.</summary>
internal sealed class OfflineFault(ImageOrchard orchard, Request request, int number)
{
    private const int Killed = 128 + 9;
    private bool _met;

    /// <summary>Why it was not done.</summary>
    public CoppiceException? Error { get; private set; }

    /// <summary>It was done, and said so.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Nothing was begun.</summary>
    public bool IsRefused => Error is not null && !_met;

    /// <summary>The point of the journal at which it was met; null if it is not about one.</summary>
    public int? Point { get; private set; }

    public async Task<string?> PassAsync()
    {
        await RunAsync(new RunOptions(), default);
        return null;
    }

    /// <summary>The manager stops where it is, as if it had died, but the process goes on.</summary>
    public Task<string?> AbandonAsync(int at) => MeetAsync(
        "manager gone", new RunOptions { OnEvent = At(at, () => throw new ManagerGoneException()) }, default);

    public async Task<string?> CancelAsync(int at)
    {
        using var source = new CancellationTokenSource();
        return await MeetAsync("cancelled", new RunOptions { OnEvent = At(at, source.Cancel) }, source.Token);
    }

    public async Task<string?> FailFilesAsync(string name, Func<int, bool> fails)
    {
        var count = 0;
        FileActs.Observer = (_, path) =>
        {
            if (fails(count++))
            {
                _met = true;
                throw FileException.Of(path, count % 2 == 0 ? Errno.NoSpace : Errno.Io);
            }
        };
        var met = await MeetAsync(name, new RunOptions(), default);
        FileActs.Observer = null;
        return met;
    }

    /// <summary>The file system is full until the operation is over.</summary>
    public async Task<string?> FillAsync(int left)
    {
        var filler = Path.Combine(orchard.Folder, "filler");
        Filler.Make(filler, left);
        var error = await MeetAsync("disk full", new RunOptions(), default);
        _met = Error is { Kind: ErrorKind.Storage };
        File.Delete(filler);
        return _met ? "disk full" : error;
    }

    /// <summary>A manager in a process of its own is killed at a point.</summary>
    public Task<string?> KillAtEventAsync(int at) => KillAsync("manager killed at a point", at, null);

    /// <summary>A manager in a process of its own is killed at some instant.</summary>
    public Task<string?> KillAtInstantAsync(TimeSpan after) => KillAsync("manager killed at an instant", null, after);

    private async Task<string?> KillAsync(string name, int? at, TimeSpan? after)
    {
        using var process = Process.Start(OfflineVictim.Command(orchard.Folder, number, at))!;
        if (await process.StandardOutput.ReadLineAsync() is not null && after is { } delay)
        {
            await Task.Delay(delay);
            process.Kill();
        }

        await process.WaitForExitAsync();
        _met = process.ExitCode == Killed;
        IsDone = process.ExitCode == 0;
        Point = _met ? at : null;
        Error = IsDone || _met ? null : new CoppiceException(ErrorKind.WrongState, "the operation", "was refused in another process");
        return _met ? name : null;
    }

    private async Task<string?> MeetAsync(string name, RunOptions options, CancellationToken cancellation)
    {
        await RunAsync(options, cancellation);
        return _met ? name : null;
    }

    private async Task RunAsync(RunOptions options, CancellationToken cancellation)
    {
        try
        {
            await orchard.Open().RunAsync(request, options, cancellation);
            IsDone = true;
        }
        catch (ManagerGoneException)
        {
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            Error = e;
        }
    }

    private Action<OperationEvent> At(int at, Action act)
    {
        var count = 0;
        return _ =>
        {
            if (count++ == at)
            {
                (_met, Point) = (true, at);
                act();
            }
        };
    }

    private sealed class ManagerGoneException : Exception;
}

/// <summary>This program as a manager that is killed: it makes one operation, the same that the number gave its parent.</summary>
internal sealed record OfflineVictim(string Folder, int Number, int? Event)
{
    private const string Flag = "--victim";

    public static OfflineVictim? Parse(string[] args) => args is [Flag, var folder, var number, var at]
        ? new OfflineVictim(folder, ParseNumber(number), at is "" ? null : ParseNumber(at))
        : null;

    public static ProcessStartInfo Command(string folder, int number, int? at) => new(
        Environment.ProcessPath!, [Flag, folder, $"{number}", $"{at}"])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["DOTNET_EnableDiagnostics"] = "0" }, // Killed, it would leave its sockets.
    };

    public async Task<int> RunAsync()
    {
        var orchard = ImageOrchard.Enter(Folder, OfflineRoom.Qemu(Folder));
        var (_, _, request) = await OfflineRoom.ChooseAsync(Number, orchard);
        Console.Out.WriteLine("begins");
        var count = 0;
        try
        {
            await orchard.Open().RunAsync(request, new RunOptions { OnEvent = _ => Pass() });
            return 0;
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            return 1;
        }

        void Pass()
        {
            if (count++ == Event)
            {
                Process.GetCurrentProcess().Kill();
            }
        }
    }

    private static int ParseNumber(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
