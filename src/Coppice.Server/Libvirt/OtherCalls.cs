using System.Collections.Immutable;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers what is asked of networks, storage pools, host devices, filters and secrets, of which there are none: clients list them when they
/// connect, and go on.
/// </summary>
internal static class OtherCalls
{
    /// <summary>Adds them.</summary>
    public static void AddTo(CallTable calls)
    {
        ListProcedures[] lists =
        [
            OtherProcedures.Networks, OtherProcedures.Pools, OtherProcedures.Interfaces, OtherProcedures.Filters, OtherProcedures.FilterBindings,
            OtherProcedures.Secrets, OtherProcedures.NodeDevices,
        ];
        foreach (var list in lists)
        {
            AddTo(calls, list);
        }

        calls.Reads(OtherProcedures.CountNodeDevices, _ => 0);
        calls.Reads(OtherProcedures.ListNodeDeviceNames, _ => []);
        calls.Reads<string, RemoteObject>(OtherProcedures.LookupNetwork, name => throw new RpcException(
            RpcCode.NoNetwork, RpcOrigin.Network, $"Network not found: no network with matching name '{name}'"));
        calls.Reads<string, RemoteObject>(OtherProcedures.LookupPool, name => throw NoPool($"no storage pool with matching name '{name}'"));
        calls.Reads<string, RemoteObject>(
            OtherProcedures.LookupPoolByPath, path => throw NoPool($"no storage pool with matching target path '{path}'"));
    }

    private static void AddTo(CallTable calls, ListProcedures list)
    {
        calls.Reads(list.ListAll, _ => ([], 0u));
        foreach (var count in new[] { list.Count, list.CountDefined }.OfType<Procedure<ValueTuple, int>>())
        {
            calls.Reads(count, _ => 0);
        }

        foreach (var names in new[] { list.ListNames, list.ListDefinedNames }.OfType<Procedure<int, ImmutableArray<string>>>())
        {
            calls.Reads(names, _ => []);
        }
    }

    private static RpcException NoPool(string problem) => new(RpcCode.NoStoragePool, RpcOrigin.StoragePool, $"Storage pool not found: {problem}");
}
