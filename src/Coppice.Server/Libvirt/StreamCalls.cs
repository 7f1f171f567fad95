using System.Collections.Concurrent;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of consoles and screens, which go on as streams.</summary>
internal sealed class StreamCalls(Domains domains)
{
    // virDomainConsoleFlags.
    private const uint Force = 1, Safe = 2;

    // virDomainOpenGraphicsFlags.
    private const uint SkipPassword = 1;

    /// <summary>What is meant where none is named: the console is another name of it.</summary>
    private const string FirstConsole = "serial0";

    private const string PictureType = "image/x-portable-pixmap";

    private static readonly TimeSpan s_pictureLimit = TimeSpan.FromSeconds(10);

    /// <summary>Who is at each console, and how to have them leave it: a guest has one line, which two cannot share.</summary>
    private readonly ConcurrentDictionary<(DomainId Domain, string Device), CancellationTokenSource> _consoles = new();

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(DomainProcedures.OpenConsole, OpenConsoleAsync);
        calls.Changes(DomainProcedures.Screenshot, ScreenshotAsync);
        calls.Changes(DomainProcedures.OpenScreen, OpenScreenAsync);
    }

    private async Task<ValueTuple> OpenConsoleAsync(Caller caller, (RemoteDomain Domain, string? Device, uint Flags) asked)
    {
        Flags.Require(asked.Flags, Force | Safe, "console");
        var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
        var place = (catalog.Domain, asked.Device ?? FirstConsole);
        if (_consoles.TryGetValue(place, out var other))
        {
            if (!asked.Flags.Has(Force))
            {
                throw Taken();
            }

            await other.CancelAsync().ConfigureAwait(false);
            _consoles.TryRemove(KeyValuePair.Create(place, other));
        }

        var left = new CancellationTokenSource();
        if (!_consoles.TryAdd(place, left))
        {
            throw Taken();
        }

        try
        {
            var stream = await domains.Home.OpenConsoleAsync(catalog.Domain.ToString(), asked.Device, caller.Client.Ended).ConfigureAwait(false);
            caller.Client.Streams.Carry(caller, stream, () => _consoles.TryRemove(KeyValuePair.Create(place, left)), left.Token);
            return default;
        }
        catch
        {
            _consoles.TryRemove(KeyValuePair.Create(place, left));
            throw;
        }
    }

    private static RpcException Taken() => new(RpcCode.OperationFailed, RpcOrigin.Qemu, "operation failed: Active console session exists for this domain");

    private async Task<ValueTuple> OpenScreenAsync(Caller caller, (RemoteDomain Domain, uint Screen, uint Flags) asked)
    {
        // A screen with a password asks for it all the same.
        Flags.Require(asked.Flags, SkipPassword, "open graphics");
        var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
        if (asked.Screen > 0)
        {
            throw RpcException.InvalidArgument($"there is no screen {asked.Screen}: a domain has one");
        }

        caller.Connection = await domains.Home.ConnectToScreenAsync(catalog.Domain.ToString(), caller.Cancellation).ConfigureAwait(false);
        return default;
    }

    private async Task<string?> ScreenshotAsync(Caller caller, (RemoteDomain Domain, uint Screen, uint Flags) asked)
    {
        Flags.Require(asked.Flags, 0, "screenshot");
        var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(caller.Client.Ended);
        limit.CancelAfter(s_pictureLimit);
        try
        {
            var picture = await domains.Home.TakePictureAsync(catalog.Domain.ToString(), (int)asked.Screen, limit.Token).ConfigureAwait(false);
            caller.Client.Streams.Carry(caller, picture, () => { }, CancellationToken.None);
            return PictureType;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
            throw RpcException.OperationInvalid(e.Message);
        }
    }
}
