using Coppice.Core;
using Coppice.Live.Tree;
using Coppice.Live.Witness;
using Coppice.Tests.Trees;
using Coppice.Victim;

namespace Coppice.Torture;

/// <summary>What must hold of a guest and its tree after each fault. Beside the operation the guest is listened to.</summary>
internal sealed class LiveChecks(LiveDomain domain, LiveOrchard orchard)
{
    private readonly ImageChecks _images = new();
    private WitnessClient? _listening;
    private string _boot = "";

    /// <summary>The tree before the operation.</summary>
    public Sight Before { get; private set; } = null!;

    public async Task BeginAsync()
    {
        Before = (await orchard.LookAsync()).Single();
        _listening = await domain.ConnectAsync();
        var status = await _listening.StatusAsync();
        _boot = status.BootId;
        await _listening.WaitForAckAsync(status.Acked + 1);
    }

    /// <summary>Checks what the fault left, and lets the guest run again if it does not.</summary>
    public async Task EndAsync(LiveOperation operation, string snapshot, LiveFault fault)
    {
        var acked = _listening!.LastAcked;
        await _listening.DisposeAsync();
        if (!fault.KilledQemu && !await IsSavedAsync(operation))
        {
            await Violation.CheckAsync(Harm.LeftPaused, () => Aftermath.RunsByItselfAsync(domain, operation.Name));
        }

        await SettleAsync();
        var all = await Violation.CheckAsync(Harm.Corrupt, orchard.LookAsync);
        var after = all.Single(d => d.Catalog.Name == LiveDomain.Name);
        var deed = Deed.All.Single(d => d.Name == operation.Name);
        CheckProcesses(all, after, operation, fault);
        Violation.Check(Harm.Orphan, () => orchard.CheckFiles(all));
        Violation.Check(Harm.Lost, () => CheckKept(after, deed.Drops is null ? null : snapshot));
        await _images.RequireWholeAsync(after.Catalog.LayersAtRest().Select(l => l.Path).Except(after.View.Hypervisor.ActiveImages.Values));
        if (!deed.Discards)
        {
            await CheckAcknowledgedAsync(after, acked);
        }

        await GoOnAsync(after);
        if (all.FirstOrDefault(d => d != after) is { } fork)
        {
            await new LiveFork(domain, fork).EndAsync(Before[snapshot]);
        }
    }

    /// <summary>Whether a save stands, also while its process has yet to be ended.</summary>
    private async Task<bool> IsSavedAsync(LiveOperation operation) =>
        operation.MaySave && (await domain.ShowAsync()).Catalog.Head.Saved is not null;

    /// <summary>The next command finishes or undoes what was interrupted, before it finds that there is nothing to do.</summary>
    private async Task SettleAsync()
    {
        domain.Reopen();
        foreach (var name in new[] { LiveDomain.Name, Operations.Fork })
        {
            try
            {
                await domain.RunAsync(new EditSnapshot(name, "no such snapshot", null, ""));
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
            {
            }
        }
    }

    private void CheckProcesses(IReadOnlyList<Sight> all, Sight after, LiveOperation operation, LiveFault fault)
    {
        var (state, processes) = (after.View.Hypervisor.State, domain.QemuProcesses.Length);
        var merging = after.Catalog.Jobs.Select(j => j.Process).OfType<ShortId>().Distinct().Count(p => p != after.Catalog.Head.Process);
        var alive = all.Count(d => d.View.Hypervisor.IsAlive);
        var waiting = after.Catalog.Spares.Length;
        if (processes < alive || processes > alive + merging + waiting)
        {
            throw new Violation(Harm.Orphan, $"{processes} QEMU processes of a domain that is {state}");
        }

        if (state is not DomainState.Running && !fault.KilledQemu && !(operation.MaySave && state is DomainState.Saved))
        {
            throw new Violation(Harm.LeftPaused, $"the domain is {state}");
        }
    }

    private void CheckKept(Sight after, string? dropped)
    {
        var gone = Before.Catalog.Snapshots.Values.Where(s => !after.Snapshots.ContainsKey(s.Id)).Select(s => s.Name);
        Assert.Equal([], gone.Where(n => n != dropped));
        foreach (var (id, held) in Before.Snapshots.Where(s => after.Snapshots.ContainsKey(s.Key)))
        {
            Assert.True(held.Agrees(after.Snapshots[id]), $"snapshot {after.Catalog.Snapshots[id].Name} held {held}, and holds {after.Snapshots[id]}");
        }

        foreach (var (id, held) in Before.Tips.Where(t => after.Tips.ContainsKey(t.Key)))
        {
            Assert.True(held.Agrees(after.Tips[id]), $"tip {id} held {held}, and holds {after.Tips[id]}");
        }
    }

    /// <summary>What the guest was told is safe is on the disks of the head, or of the tip that the head became.</summary>
    private async Task CheckAcknowledgedAsync(Sight after, long acked)
    {
        var tip = after.Catalog.Tips.FirstOrDefault(t => !Before.Tips.ContainsKey(t.Id));
        if (tip is null && after.View.Hypervisor.IsAlive)
        {
            await using var witness = await domain.ConnectAsync();
            var status = await witness.StatusAsync();
            Violation.Check(Harm.Lost, () => Assert.True(status.Acked >= acked && status.BootId == _boot, $"{acked} was acknowledged by {_boot}: {status}"));
            return;
        }

        var graph = LayerGraph.Of(after.Catalog);
        foreach (var disk in (tip?.Head ?? after.Catalog.Head).Disks)
        {
            var top = graph[disk.Layer];
            var found = WitnessSlots.Read(top.Path, top.Format);
            Violation.Check(Harm.Lost, () => Assert.True(
                found.Highest >= acked && found is { Missing: 0, Torn: 0 }, $"{acked} was acknowledged, {disk.Target} ({top.Path}) has {found}"));
        }
    }

    /// <summary>The guest agrees with its disks and its memory; one that is off goes on from a snapshot first.</summary>
    private async Task GoOnAsync(Sight after)
    {
        if (after.View.Hypervisor.State is DomainState.Saved)
        {
            await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        }
        else if (!after.View.Hypervisor.IsAlive)
        {
            await domain.RevertAsync(LiveOperation.Base);
        }

        await Violation.CheckAsync(Harm.Corrupt, async () =>
        {
            await using var witness = await domain.ConnectAsync();
            var first = (await witness.StatusAsync()).Acked;
            await witness.WaitForAckAsync(first + 1);
            var (bad, memory, status) = (await witness.VerifyAsync(), await witness.VerifyMemoryAsync(), await witness.StatusAsync());
            Assert.True(bad == 0 && memory.Bad == 0 && status is { Bad: 0, Errors: 0 }, $"{bad} bad blocks, {memory}, {status}");
        });
    }
}
