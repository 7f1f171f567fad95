using Coppice.Core;
using static Coppice.Tests.Engine.Before;

namespace Coppice.Tests.Engine;

/// <summary>A domain starts, stands still, is saved and ends.</summary>
internal static class PowerScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["start"] = new(new StartDomain(Name, Paused: false), Off),
        ["start mapped"] = new(new StartDomain(Name, Paused: false), Mapped(Off)),
        ["start saved, mapped"] = new(new StartDomain(Name, Paused: false), Mapped(Saved)),
        ["save mapped"] = new(new SaveDomain(Name), Mapped(WithSnapshots)),
        ["start paused"] = new(new StartDomain(Name, Paused: true), Off),
        ["start, tap device"] = new(new StartDomain(Name, Paused: false), w => w.RunAsync(new DefineDomain(World.OnNetworks()))),
        ["start, clean"] = new(new StartDomain(Name, Paused: false), async w => { await Clean(w); await w.RunAsync(new KillDomain(Name)); }),
        ["start saved"] = new(new StartDomain(Name, Paused: false), Saved),
        ["start saved anew"] = new(new StartDomain(Name, Paused: false, Anew: true), Saved),
        ["start saved, setting the clock"] = new(
            new StartDomain(Name, Paused: false) { SyncTime = true }, async w => { await WithAgent(w); await w.RunAsync(new SaveDomain(Name)); }),
        ["pause"] = new(new PauseDomain(Name), Running),
        ["resume"] = new(new ResumeDomain(Name), Paused),
        ["resume, clean"] = new(new ResumeDomain(Name), Clean),
        ["reboot, clean"] = new(new RebootDomain(Name), Clean),
        ["reset, clean"] = new(new ResetDomain(Name), Clean),
        ["kill"] = new(new KillDomain(Name), Running),
        ["stop"] = new(new StopDomain(Name, TimeSpan.FromSeconds(5)), Running),
        ["stop without waiting"] = new(new StopDomain(Name, Limit: null), Running),
        ["save"] = new(new SaveDomain(Name), WithSnapshots),
        ["save, to stand still"] = new(new SaveDomain(Name) { Paused = true }, WithSnapshots),
        ["save paused"] = new(new SaveDomain(Name), Paused),
        ["save, clean"] = new(new SaveDomain(Name), Clean),
        ["save and discard"] = new(new DiscardSavedMemory(Name), Saved),
    };
}
