using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Qemu.Probing;

/// <summary>Which commands of QEMU each capability takes.</summary>
internal static class CapabilityTable
{
    private static readonly string[] s_switching =
        ["stop", "cont", "transaction", "blockdev-add", "blockdev-del", "blockdev-snapshot"];
    private static readonly string[] s_marking =
        ["stop", "cont", "transaction", "blockdev-snapshot-internal-sync", "blockdev-snapshot-delete-internal-sync"];
    private static readonly string[] s_plugging = ["device_add", "device_del", "blockdev-add", "blockdev-del"];
    private static readonly string[] s_merging =
        ["block-commit", "block-stream", "blockdev-reopen", "query-block-jobs", "job-cancel", "job-complete", "job-finalize"];
    private static readonly string[] s_mirroring = ["blockdev-mirror", "blockdev-add", "blockdev-del", "block-job-cancel"];
    private static readonly string[] s_savingInside = ["snapshot-save", "query-jobs", "job-dismiss", "migrate-incoming", "getfd"];
    private static readonly string[] s_saving =
        ["stop", "cont", "getfd", "migrate", "migrate-incoming", "migrate_cancel", "query-migrate"];

    /// <summary>What such a QEMU can do, as far as Coppice knows how.</summary>
    public static ImmutableHashSet<Capability> Of(QemuInventory inventory)
    {
        var commands = inventory.Commands;
        var (switches, marks) = (s_switching.All(commands.Contains), s_marking.All(commands.Contains));
        var (saves, savesInside) = (s_saving.All(commands.Contains), marks && s_savingInside.All(commands.Contains));
        var found = ImmutableHashSet.Create(
            Capability.OfflineExternalDisk, Capability.OfflineInternalDisk, Capability.MixedDisks, Capability.ManualDisk,
            Capability.SavedDomain);
        return found
            .Union(When(commands.Contains("block_resize"), Capability.OnlineResize))
            .Union(When(s_merging.All(commands.Contains), Capability.MergeLayers))
            .Union(When(s_merging.Concat(s_mirroring).All(commands.Contains), Capability.MirrorDisk))
            .Union(When(s_plugging.All(commands.Contains), Capability.HotPlug))
            .Union(When(commands.Contains("query-chardev"), Capability.GuestTime))
            .Union(When(commands.Contains("query-chardev") && (switches || marks), Capability.Quiesce))
            .Union(When(SharesImages(inventory.RamFile), Capability.SharedMemoryImage))
            .Union(When(switches, Capability.OnlineExternalDiskOnly))
            .Union(When(marks, Capability.OnlineInternalDiskOnly))
            .Union(When(saves, Capability.ExternalMemory))
            .Union(When(saves && inventory.WritesInBackground, Capability.LiveMemory))
            .Union(When(saves && marks, Capability.ExternalMemoryInternalDisk))
            .Union(When(savesInside, Capability.InternalMemory))
            .Union(When(savesInside && switches, Capability.InternalMemoryExternalDisk));
    }

    // Without the second a guest could not write to RAM that is open for reading.
    private static bool SharesImages(ImmutableHashSet<string> ramFile) => ramFile.Contains("readonly") && ramFile.Contains("rom");

    private static IEnumerable<Capability> When(bool can, Capability capability) => can ? [capability] : [];
}
