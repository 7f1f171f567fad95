using Coppice.Core;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Networks;

/// <summary>
/// Takes tap devices of the host, or makes them. What is made goes when the last process closes it: nothing is left behind,
/// however that process ends.
/// </summary>
internal sealed class HostTaps(BridgeHelper helper, TimeProvider time)
{
    // A process that was killed lets go of its files an instant after it is gone.
    private static readonly TimeSpan s_settlingLimit = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_settlingInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>Opens the device that belongs into a plug.</summary>
    /// <exception cref="CoppiceException">
    /// It, or its bridge, is missing (<see cref="ErrorKind.NotFound"/>), taken (<see cref="ErrorKind.WrongState"/>), of another
    /// kind (<see cref="ErrorKind.InvalidInput"/>), or forbidden to this user (<see cref="ErrorKind.Hypervisor"/>); or its name
    /// is taken (<see cref="ErrorKind.AlreadyExists"/>).
    /// </exception>
    public async Task<SafeFileHandle> OpenAsync(TapPlug plug, CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); ; await Task.Delay(s_settlingInterval, time, cancellation))
        {
            try
            {
                return await TryOpenAsync(plug, cancellation);
            }
            catch (NetworkCallException e) when (e.ErrorNumber is NetworkCallException.Busy && plug.Tap.Name is not null)
            {
                if (TapHolder.Of(plug.Tap.Name) is { } holder)
                {
                    throw Taken(plug, $"has process {holder.Pid} ({holder.Program}) at its other end");
                }

                if (time.GetElapsedTime(start) > s_settlingLimit)
                {
                    throw plug.Tap.Exists ? Taken(plug, "is in use by another process") : new CoppiceException(
                        ErrorKind.AlreadyExists, plug.Subject, "is to be made, and this host has a network device of that name",
                        "name another one, or use it as it is: <interface type='ethernet'> with managed='no' in <target>");
                }
            }
        }
    }

    /// <summary>Opens it unless a process has it that ends before it is needed.</summary>
    /// <param name="plug">The plug.</param>
    /// <param name="beside">That process; null if there is none.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>The device; null if that process has it.</returns>
    /// <exception cref="CoppiceException">As of the other.</exception>
    public async Task<SafeFileHandle?> OpenBesideAsync(TapPlug plug, int? beside, CancellationToken cancellation)
    {
        RequireDevices(plug);
        var comesLater = beside is { } pid && plug.Tap.Name is { } name && TapHolder.Has(pid, name);
        return comesLater ? null : await OpenAsync(plug, cancellation);
    }

    private async Task<SafeFileHandle> TryOpenAsync(TapPlug plug, CancellationToken cancellation)
    {
        RequireDevices(plug);
        try
        {
            return Open(plug);
        }
        catch (NetworkCallException e) when (e.IsForbidden)
        {
            return plug.Tap switch
            {
                { Exists: true } => throw new CoppiceException(
                    ErrorKind.Hypervisor, plug.Subject, $"belongs to another user, or {NetworkCalls.Source} does ({e.Message})",
                    $"as root, make it anew: ip tuntap add dev {plug.Tap.Name} mode tap user {Environment.UserName}", e),
                { Bridge: not null, Name: null } => await helper.OpenAsync(plug, cancellation),
                _ => throw new CoppiceException(
                    ErrorKind.Hypervisor, plug.Subject, $"only root makes tap devices and gives them names ({e.Message})",
                    "remove the name in <target> of an interface on a bridge; else let root make one, and use it by managed='no'", e),
            };
        }
    }

    private static SafeFileHandle Open(TapPlug plug)
    {
        var (file, device) = Take(plug);
        try
        {
            if (plug.Tap.Bridge is { } bridge)
            {
                Join(plug, device, bridge);
            }

            if (!plug.Tap.Exists)
            {
                NetworkCalls.SwitchOn(device);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static (SafeFileHandle File, string Device) Take(TapPlug plug)
    {
        try
        {
            return (NetworkCalls.OpenTap(plug.Tap.Name, !plug.Tap.Exists, out var device), device);
        }
        catch (NetworkCallException e) when (e.ErrorNumber is NetworkCallException.Invalid)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, plug.Subject, "is no tap device, or one with several queues",
                "make one with a name of its own: ip tuntap add dev NAME mode tap", e);
        }
        catch (NetworkCallException e) when (e.ErrorNumber is NetworkCallException.NoDevice)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, plug.Subject, $"the kernel makes no tap devices ({e.Message})",
                "load the module: modprobe tun", e);
        }
    }

    private static void Join(TapPlug plug, string device, string bridge)
    {
        try
        {
            NetworkCalls.Join(device, bridge);
        }
        catch (NetworkCallException e) when (!e.IsForbidden)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, plug.Subject, $"'{bridge}' is no bridge of Linux, or takes no port ({e.Message})",
                "name a bridge; tap devices of other switches are made by hand and named with type='ethernet' and managed='no'",
                e);
        }
    }

    private static void RequireDevices(TapPlug plug)
    {
        if (plug.Tap.Bridge is { } bridge && !NetworkCalls.Exists(bridge))
        {
            throw new CoppiceException(
                ErrorKind.NotFound, $"bridge '{bridge}' of {plug.Owner}", "does not exist on this host",
                $"make it (ip link add {bridge} type bridge; ip link set {bridge} up), or name another one");
        }

        if (plug.Tap is { Exists: true, Name: { } name } && !NetworkCalls.Exists(name))
        {
            throw new CoppiceException(
                ErrorKind.NotFound, plug.Subject, "does not exist on this host",
                $"make it (ip tuntap add dev {name} mode tap; ip link set {name} up), or name another one");
        }
    }

    private static CoppiceException Taken(TapPlug plug, string problem) => new(
        ErrorKind.WrongState, plug.Subject, problem, "stop the domain or program that has it, or name another one");
}
