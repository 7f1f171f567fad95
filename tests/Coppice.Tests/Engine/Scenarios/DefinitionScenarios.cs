using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>How a domain begins, changes and ends being known.</summary>
internal static class DefinitionScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["define"] = new(new DefineDomain(World.Definition()), null),
        ["define, UEFI"] = new(new DefineDomain(World.Uefi()), null),
        ["define, TPM"] = new(new DefineDomain(World.Tpm()), null),
        ["redefine"] = new(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }), Off),
        ["redefine as UEFI"] = new(new DefineDomain(World.Uefi()), Off),
        ["redefine with a TPM"] = new(new DefineDomain(World.Tpm()), Off),
        ["redefine with a block device"] = new(new DefineDomain(World.Device()), Off),
        ["redefine with another disk"] = new(new DefineDomain(World.More()), OffWithSnapshot),
        ["redefine without a disk"] = new(new DefineDomain(World.Definition()), async w =>
        {
            await OffWithSnapshot(w);
            await w.RunAsync(new DefineDomain(World.More()));
        }),
        ["run transient"] = new(new RunTransient(World.Definition(), Paused: false), null),
        ["run transient, TPM, paused"] = new(new RunTransient(World.Tpm(), Paused: true), null),
        ["kill transient"] = new(new KillDomain(Name), Transient, Discards: true),
        ["stop transient"] = new(new StopDomain(Name, TimeSpan.FromSeconds(5)), Transient, Discards: true),
        ["kill transient with a snapshot"] = new(new KillDomain(Name), TransientWithSnapshot),
        ["revert transient"] = new(Revert("one"), TransientWithSnapshot),
        ["persist"] = new(new PersistDomain(Name), Transient),
        ["release"] = new(new ReleaseDomain(Name), w => w.ThreeAsync(runs: true)),
        ["autostart"] = new(new SetAutostart(Name, IsOn: true), WithSnapshots),
        ["redefine as it runs"] = new(new DefineDomain(World.Definition() with { Title = "A title" }), w => w.ThreeAsync(runs: true)),
        ["redefine a transient one"] = new(new DefineDomain(World.Definition()), Transient),
        ["edit domain"] = new(new EditDomain(Name, "A title", "What it is for"), Running),
        ["edit domain with snapshots"] = new(new EditDomain(Name, "A title"), WithSnapshots),
        ["rename"] = new(new RenameDomain(Name, "shop"), WithSnapshots),
        ["undefine"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); await w.RunAsync(new KillDomain(Name)); },
            Discards: true),
        ["edit the size"] = new(new EditDomain(Name) { VirtualCpus = 3 }, w => w.ThreeAsync(runs: false)),
        ["undefine, TPM"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await TpmWithSnapshot(w); await w.RunAsync(new KillDomain(Name)); }, Discards: true),
        ["undefine with snapshots inside"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w =>
            {
                await w.RunAsync(new CreateSnapshot(Name) { Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)] });
                await w.RunAsync(new CreateSnapshot(Name) { Disks = [.. External("vda", "vdb")] });
                await WithInternals(w);
                await w.RunAsync(new KillDomain(Name));
            },
            Discards: true),
    };

    /// <summary>A domain that exists only as long as it runs, with the name and the disks of the usual one.</summary>
    private static async Task Transient(World world)
    {
        await world.RunAsync(new UndefineDomain(Name, Snapshots: false));
        await world.RunAsync(new RunTransient(World.Definition(), Paused: false));
        world.Host.Tick();
    }

    private static async Task TransientWithSnapshot(World world)
    {
        await Transient(world);
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }
}
