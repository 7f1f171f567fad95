using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What is done to domains that run, or are to run.</summary>
internal static class ProcessDeeds
{
    public static IReadOnlyList<Deed> All { get; } =
    [
        new("start", d => new StartDomain(d.Domain, Paused: d.Chance(4), Anew: d.Chance(4)) { SyncTime = d.Chance(4) })
        {
            Weight = 3, NeedsMachine = true, When = s => !s.IsAlive,
        },
        Alive("kill", d => new KillDomain(d.Domain)),
        Alive("stop", d => new StopDomain(d.Domain, TimeSpan.FromSeconds(5))),
        Alive("pause", d => new PauseDomain(d.Domain)),
        Alive("resume", d => new ResumeDomain(d.Domain)),
        Alive("reboot", d => new RebootDomain(d.Domain)),
        Alive("reset", d => new ResetDomain(d.Domain)),
        new("discard saved", d => new DiscardSavedMemory(d.Domain)) { When = s => !s.IsAlive },
        Alive("save", d => new SaveDomain(d.Domain)),
        new("link", d => new SetLink(d.Domain, "net0", d.Chance(2))) { NeedsMachine = true },
        new("link renew", d => new RenewCard(d.Domain, "net0", d.Chance(2))) { NeedsMachine = true },
        new("verify by booting", d => new TrySnapshot(d.Domain, d.Snapshot, TimeSpan.Zero)) { NeedsMachine = true, When = s => s.HasSnapshots },
    ];

    private static Deed Alive(string name, Func<Draw, Request> ask) => new(name, ask) { NeedsMachine = true, When = s => s.IsAlive };
}
