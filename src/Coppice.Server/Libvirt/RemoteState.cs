using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>What a domain is doing, and why, in libvirt's numbers (virDomainState and the reasons that belong to each).</summary>
internal readonly record struct RemoteState(int State, int Reason)
{
    public const int Running = 1, Paused = 3, Off = 5, Crashed = 6, Suspended = 7;

    private const int Booted = 1, Restored = 3, RunsFromSnapshot = 4, Unpaused = 5, WokenUp = 8;
    private const int ByUser = 1, IoError = 5, PausedFromSnapshot = 7;
    private const int Unknown = 0, ShutDown = 1, Destroyed = 2, StoppedByCrash = 3, Saved = 5, Failed = 6, OffFromSnapshot = 7, Panicked = 1;

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

    /// <summary>The state after a change that was seen; null if the change says nothing of it.</summary>
    /// <param name="change">The change.</param>
    /// <param name="hasBooted">A domain that began from a snapshot has booted, since that has no memory.</param>
    public static RemoteState? After(LifecycleChange change, bool hasBooted) =>
        change == LifecycleChange.Started ? new(Running, Booted)
        : change == LifecycleChange.Restored ? new(Running, Restored)
        : change == LifecycleChange.StartedFromSnapshot ? new(Running, hasBooted ? Booted : RunsFromSnapshot)
        : change == LifecycleChange.WokenUp ? new(Running, WokenUp)
        : change == LifecycleChange.Resumed ? new(Running, Unpaused)
        : change == LifecycleChange.Paused ? new(Paused, ByUser)
        : change == LifecycleChange.PausedFromSnapshot ? new(Paused, hasBooted ? ByUser : PausedFromSnapshot)
        : change == LifecycleChange.Failed ? new(Paused, IoError)
        : change == LifecycleChange.ShutDown ? new(Off, ShutDown)
        : change == LifecycleChange.Destroyed ? new(Off, Destroyed)
        : change == LifecycleChange.StoppedByCrash ? new(Off, StoppedByCrash)
        : change == LifecycleChange.Saved ? new(Off, Saved)
        : change == LifecycleChange.StoppedByFailure ? new(Off, Failed)
        : change == LifecycleChange.StoppedFromSnapshot ? new(Off, OffFromSnapshot)
        : null;
}
