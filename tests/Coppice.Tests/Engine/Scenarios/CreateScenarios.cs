using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>Snapshots are taken, of files of their own and inside images.</summary>
internal static class CreateScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["create running"] = new(new CreateSnapshot(Name) { Name = "new" }, Running),
        ["create mapped"] = new(new CreateSnapshot(Name) { Name = "new" }, Mapped(Running)),
        ["create mapped, TPM"] = new(new CreateSnapshot(Name) { Name = "new" }, Mapped(Tpm)),
        ["create paused"] = new(new CreateSnapshot(Name) { Name = "new" }, Paused),
        ["create off"] = new(new CreateSnapshot(Name) { Name = "new", Disks = [.. External("vda", "vdb")] }, Off),
        ["create halt"] = new(new CreateSnapshot(Name) { Name = "new", Halt = true }, Running),
        ["create saved"] = new(new CreateSnapshot(Name) { Name = "new" }, Saved),
        ["create clean"] = new(new CreateSnapshot(Name) { Name = "new" }, Clean),
        ["create disk-only"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, Running),
        ["create quiesced"] = new(Quiesced("new"), WithAgent),
        ["create quiesced, inside"] = new(Quiesced("new") with { Disks = [new DiskRequest("vda", DiskMode.Internal)] }, WithAgent),
        ["create without metadata"] = new(new CreateSnapshot(Name) { DiskOnly = true, NoMetadata = true }, WithSnapshots),
        ["create on prepared overlays"] = new(Prepared("new"), async w => { await Running(w); MakeOverlays(w); }),
        ["create on prepared overlays, off"] = new(Prepared("new"), w => { MakeOverlays(w); return Task.CompletedTask; }),
        ["create with a manual disk"] = new(
            new CreateSnapshot(Name) { Name = "new", Disks = [new DiskRequest("vdb", DiskMode.Manual)] }, Running),
        ["create running, UEFI"] = new(new CreateSnapshot(Name) { Name = "new" }, Uefi),
        ["create running, TPM"] = new(new CreateSnapshot(Name) { Name = "new" }, Tpm),
        ["create disk-only, TPM"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, Tpm),
        ["create off, TPM"] = new(
            new CreateSnapshot(Name) { Name = "new", Disks = [.. External("vda", "vdb")] },
            async w => { await Tpm(w); await w.RunAsync(new KillDomain(Name)); }),
        ["create running, block device"] = new(new CreateSnapshot(Name) { Name = "new" }, Device),
        ["create inside, off"] = new(Inside("new", "vda") with { Memory = null }, Off),
        ["create inside, disk-only"] = new(Inside("new", "vda") with { Memory = null, DiskOnly = true }, Running),
        ["create inside, with memory"] = new(Inside("new", "vda"), Running),
        ["create inside, with memory in a file"] = new(
            Inside("new", "vda") with { Memory = new MemoryRequest(MemoryMode.External) }, Running),
        ["create with memory in a disk that moves"] = new(
            new CreateSnapshot(Name) { Name = "new", Memory = new MemoryRequest(MemoryMode.Internal) }, Running),
        ["create a branch"] = new(new CreateSnapshot(Name) { Name = "new", Branch = new BranchRequest("one", IsCurrent: false) }, WithSnapshots),
        ["create a branch, current"] = new(Branch("one"), WithSnapshots),
        ["create a branch, current, with a checkpoint"] = new(
            Branch("one", b => b with { Checkpoint = "left", LeftMemory = new MemoryRequest(MemoryMode.External, "/images/left.mem") }), WithSnapshots),
        ["create a branch, current, with a checkpoint and memory of its own"] = new(
            Branch("one", b => b with { Checkpoint = "left", LeftMemory = new MemoryRequest(MemoryMode.External, "/images/left.mem") }) with
            {
                Memory = new MemoryRequest(MemoryMode.External, "/images/new.mem"),
            },
            WithSnapshots),
        ["create a branch inside, with memory of its own"] = new(
            new CreateSnapshot(Name)
            {
                Name = "new", Memory = new MemoryRequest(MemoryMode.External), Branch = new BranchRequest("inside", IsCurrent: false),
            },
            WithInternals),
        ["create a branch, current, discarding"] = new(
            Branch("one", b => b with { LeftMemory = new MemoryRequest(MemoryMode.None) }), WithSnapshots, Discards: true),
        ["create a branch inside, current"] = new(Branch("inside"), WithInternals),
    };
}
