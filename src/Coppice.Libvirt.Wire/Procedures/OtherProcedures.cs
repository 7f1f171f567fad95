using System.Collections.Immutable;
using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>A list that clients walk at the start, of things beside domains.</summary>
/// <param name="ListAll">All of them as objects; of what kind does not matter where there are none.</param>
/// <param name="Count">How many are active; null where libvirt has no such call.</param>
/// <param name="ListNames">Their names.</param>
/// <param name="CountDefined">How many are not active.</param>
/// <param name="ListDefinedNames">Their names.</param>
public sealed record ListProcedures(
    Procedure<(int NeedResults, uint Flags), (ImmutableArray<string> Names, uint Count)> ListAll,
    Procedure<ValueTuple, int>? Count = null,
    Procedure<int, ImmutableArray<string>>? ListNames = null,
    Procedure<ValueTuple, int>? CountDefined = null,
    Procedure<int, ImmutableArray<string>>? ListDefinedNames = null);

/// <summary>What is asked of things beside domains.</summary>
public static class OtherProcedures
{
    private static readonly XdrType<ImmutableArray<string>> s_names = List(Text, DomainProcedures.MostListed);

    /// <summary>Networks.</summary>
    public static ListProcedures Networks { get; } = new(All(283), CountOf(52), Names(38), CountOf(50), Names(36));

    /// <summary>Storage pools.</summary>
    public static ListProcedures Pools { get; } = new(All(281), CountOf(71), Names(72), CountOf(73), Names(74));

    /// <summary>Interfaces of the host.</summary>
    public static ListProcedures Interfaces { get; } = new(All(284), CountOf(126), Names(127), CountOf(137), Names(138));

    /// <summary>Network filters.</summary>
    public static ListProcedures Filters { get; } = new(All(286), CountOf(178), Names(179));

    /// <summary>What binds network filters to ports.</summary>
    public static ListProcedures FilterBindings { get; } = new(All(401));

    /// <summary>Secrets.</summary>
    public static ListProcedures Secrets { get; } = new(All(287), CountOf(139), Names(140));

    /// <summary>Devices of the host.</summary>
    public static ListProcedures NodeDevices { get; } = new(All(285));

    /// <summary>How many devices the host has that can do something, or all.</summary>
    public static Procedure<(string? Capability, uint Flags), int> CountNodeDevices { get; } = new(111, Of(OptionalText, Unsigned), Integer);

    /// <summary>Their names.</summary>
    public static Procedure<(string? Capability, int Most, uint Flags), ImmutableArray<string>> ListNodeDeviceNames { get; } =
        new(112, Of(OptionalText, Integer, Unsigned), s_names);

    /// <summary>Finds a network by name.</summary>
    public static Procedure<string, RemoteObject> LookupNetwork { get; } = new(46, Text, RemoteObject.Type);

    /// <summary>Finds a storage pool by name.</summary>
    public static Procedure<string, RemoteObject> LookupPool { get; } = new(84, Text, RemoteObject.Type);

    /// <summary>Finds the storage pool of a folder.</summary>
    public static Procedure<string, RemoteObject> LookupPoolByPath { get; } = new(391, Text, RemoteObject.Type);

    private static Procedure<(int NeedResults, uint Flags), (ImmutableArray<string> Names, uint Count)> All(int number) =>
        new(number, Of(Integer, Unsigned), Of(s_names, Unsigned));

    private static Procedure<ValueTuple, int> CountOf(int number) => new(number, Nothing, Integer);

    private static Procedure<int, ImmutableArray<string>> Names(int number) => new(number, Integer, s_names);
}
