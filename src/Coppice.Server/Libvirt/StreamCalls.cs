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

    private const string PictureType = "image/x-portable-pixmap";

    /// <summary>Who is at each console, and how to have them leave it: a guest has one line, which two cannot share.</summary>
    private readonly ConcurrentDictionary<(DomainId Domain, string Device), CancellationTokenSource> _consoles = new();

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Changes(DomainProcedures.OpenConsole, OpenConsoleAsync);
        calls.Reads(DomainProcedures.Screenshot, ScreenshotAsync);
        calls.Changes(DomainProcedures.OpenScreen, OpenScreenAsync);
    }

    private async Task<ValueTuple> OpenConsoleAsync(Caller caller, (RemoteDomain Domain, string? Device, uint Flags) asked)
    {
        Flags.Require(asked.Flags, Force | Safe, "console");
        var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
        var place = (catalog.Domain, asked.Device ?? "");
        if (_consoles.TryGetValue(place, out var other))
        {
            if (!asked.Flags.Has(Force))
            {
                throw new RpcException(RpcCode.OperationFailed, RpcOrigin.Qemu, "operation failed: Active console session exists for this domain");
            }

            await other.CancelAsync().ConfigureAwait(false);
        }

        var stream = await domains.Home.OpenConsoleAsync(catalog.Domain.ToString(), asked.Device, caller.Cancellation).ConfigureAwait(false);
        var left = CancellationTokenSource.CreateLinkedTokenSource(caller.Client.Ended);
        _consoles[place] = left;
        caller.Client.Streams.Carry(caller, stream, () => _consoles.TryRemove(KeyValuePair.Create(place, left)), left.Token);
        return default;
    }

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
        var picture = await domains.Home.TakePictureAsync(catalog.Domain.ToString(), (int)asked.Screen, caller.Cancellation).ConfigureAwait(false);
        caller.Client.Streams.Carry(caller, picture, () => { }, CancellationToken.None);
        return PictureType;
    }
}
