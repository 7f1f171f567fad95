using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Which domains are listed (virConnectListAllDomainsFlags): of each group of flags, none lets all through, and several let each through.
/// </summary>
internal readonly record struct DomainFilter(uint Flags)
{
    public const uint Active = 1, Inactive = 2;

    private const uint Persistent = 4, Transient = 8, Running = 16, Paused = 32, Off = 64, Other = 128, Saved = 256, NotSaved = 512,
        Autostarted = 1024, NotAutostarted = 2048, WithSnapshots = 4096, WithoutSnapshots = 8192, WithCheckpoints = 16384, WithoutCheckpoints = 32768;

    /// <summary>What each domain is doing has to be asked of its process, to know whether it passes.</summary>
    public bool IsOfState => (Flags & (Running | Paused | Off | Other)) != 0;

    public bool Passes(DomainView view) =>
        Passes(view.Catalog, view.Hypervisor.IsAlive) && Passes(OfState(view.Hypervisor.State), Running | Paused | Off | Other);

    /// <summary>Whether one passes, whatever it is doing.</summary>
    public bool Passes(Catalog catalog, bool isAlive) =>
        Passes(isAlive ? Active : Inactive, Active | Inactive)
            && Passes(catalog.Persistence is Persistence.Transient or Persistence.Trial ? Transient : Persistent, Persistent | Transient)
            && Passes(catalog.Head.Saved is null ? NotSaved : Saved, Saved | NotSaved)
            && Passes(catalog.Persistence is Persistence.Autostart ? Autostarted : NotAutostarted, Autostarted | NotAutostarted)
            && Passes(catalog.Snapshots.Count > 0 ? WithSnapshots : WithoutSnapshots, WithSnapshots | WithoutSnapshots)
            && Passes(WithoutCheckpoints, WithCheckpoints | WithoutCheckpoints);

    private bool Passes(uint flag, uint group) => (Flags & group) == 0 || (Flags & flag) != 0;

    private static uint OfState(DomainState state) => state switch
    {
        DomainState.Running => Running,
        DomainState.Paused or DomainState.IoError => Paused,
        DomainState.Off or DomainState.Saved => Off,
        _ => Other,
    };
}
