using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Qemu.Probing;

/// <summary>Which commands of QEMU each capability takes.</summary>
internal static class CapabilityTable
{
    private static readonly string[] s_switching =
        ["stop", "cont", "transaction", "blockdev-add", "blockdev-del", "blockdev-snapshot"];
    private static readonly string[] s_saving =
        ["stop", "cont", "getfd", "migrate", "migrate-incoming", "migrate_cancel", "query-migrate"];

    /// <summary>What a QEMU with these commands can do, as far as Coppice knows how.</summary>
    public static ImmutableHashSet<Capability> Of(IReadOnlySet<string> commands)
    {
        var found = ImmutableHashSet.Create(Capability.OfflineExternalDisk);
        found = s_switching.All(commands.Contains) ? found.Add(Capability.OnlineExternalDiskOnly) : found;
        return s_saving.All(commands.Contains) ? found.Add(Capability.ExternalMemory) : found;
    }
}
