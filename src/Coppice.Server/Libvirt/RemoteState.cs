using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>What a domain is doing, and why, in libvirt's numbers (virDomainState and the reasons that belong to each).</summary>
internal readonly record struct RemoteState(int State, int Reason)
{
    public const int Running = 1, Paused = 3, Off = 5, Crashed = 6, Suspended = 7;

    private const int Booted = 1, ByUser = 1, IoError = 5, Unknown = 0, Shutdown = 1, Saved = 5, Panicked = 1;

    /// <summary>As far as it can be told by looking.</summary>
    public static RemoteState Of(DomainState state) => state switch
    {
        DomainState.Running => new(Running, Booted),
        DomainState.Paused => new(Paused, ByUser),
        DomainState.IoError => new(Paused, IoError),
        DomainState.Suspended => new(Suspended, Unknown),
        DomainState.Crashed => new(Crashed, Panicked),
        DomainState.Saved => new(Off, Saved),
        _ => new(Off, Unknown),
    };
}
