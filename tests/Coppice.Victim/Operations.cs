using Coppice.Core;

namespace Coppice.Victim;

/// <summary>What a victim can be told to do, by one word and at most one name, of a snapshot or tip: what is also drawn for live guests.</summary>
internal static class Operations
{
    /// <summary>What a fork is called.</summary>
    public const string Fork = "fork";

    public static DomainRequest Of(string operation, string domain, string? snapshot) => operation switch
    {
        "create" => new CreateSnapshot(domain) { Name = snapshot },
        "create live" => new CreateSnapshot(domain) { Name = snapshot, Live = true },
        "create disk-only" => new CreateSnapshot(domain) { Name = snapshot, DiskOnly = true },
        "create quiesced" => new CreateSnapshot(domain) { Name = snapshot, DiskOnly = true, Quiesce = true },
        "create inside" => new CreateSnapshot(domain)
        {
            Name = snapshot,
            Memory = new MemoryRequest(MemoryMode.Internal),
            Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", DiskMode.Internal)],
        },
        "revert" => new RevertSnapshot(domain, snapshot, RevertState.AsTaken, DiscardCurrent: false, Force: false),
        "revert, discarding" => new RevertSnapshot(domain, snapshot, RevertState.AsTaken, DiscardCurrent: true, Force: false),
        "undo" => new UndoRevert(domain),
        "tips revert" => new RevertToTip(domain, snapshot!, Force: false),
        "tips drop" => new DropTips(domain) { Tips = [snapshot!] },
        "create a branch" => new CreateSnapshot(domain) { Branch = new BranchRequest(snapshot!, IsCurrent: false) },
        "create a branch, current" => new CreateSnapshot(domain) { Branch = new BranchRequest(snapshot!, IsCurrent: true) },
        "warm" => new WarmSnapshot(domain, snapshot!, 1),
        "fork and start" => new ForkSnapshot(domain, snapshot!, Fork) { State = ForkState.Running },
        "delete" => new DeleteSnapshot(domain, snapshot!, metadataOnly: false),
        "edit" => new EditSnapshot(domain, snapshot!, null, "said"),
        "save" => new SaveDomain(domain),
        "start" => new StartDomain(domain, Paused: false),
        _ => throw new ArgumentException($"unknown operation '{operation}'"),
    };
}
