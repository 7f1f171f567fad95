using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What a guest has used since its process began, and uses now. A process that follows another, as after a revert, counts anew.
/// </summary>
public sealed record GuestFigures
{
    /// <summary>The time that the host's processors have spent on the process, its guest included.</summary>
    public required ProcessorTime Processor { get; init; }

    /// <summary>The memory of the host that it has now, what it shares with other processes included.</summary>
    public required ByteCount ResidentMemory { get; init; }

    /// <summary>What a balloon leaves of the guest's memory; null if there is none.</summary>
    public ByteCount? Balloon { get; init; }

    /// <summary>The virtual processors, by number.</summary>
    public ImmutableArray<VcpuFigures> Vcpus { get; init; } = [];

    /// <summary>The disks of the definition that the process has, in the definition's order.</summary>
    public ImmutableArray<DiskFigures> Disks { get; init; } = [];

    /// <summary>The network cards of the definition, in its order.</summary>
    public ImmutableArray<CardFigures> Cards { get; init; } = [];
}

/// <summary>Time on processors, in steps of 10 ms.</summary>
/// <param name="User">In programs; what a guest does counts here or there, depending on how it is run.</param>
/// <param name="System">In the kernel.</param>
public readonly record struct ProcessorTime(TimeSpan User, TimeSpan System)
{
    /// <summary>Both.</summary>
    public TimeSpan Total => User + System;
}

/// <summary>A virtual processor.</summary>
/// <param name="Number">Its number, from 0.</param>
/// <param name="Processor">
/// The time of its thread; null if it has just gone. Where one thread does the work of all, each has the time of all.
/// </param>
public sealed record VcpuFigures(int Number, ProcessorTime? Processor);

/// <summary>What a guest has asked of a disk.</summary>
/// <param name="Target">The disk.</param>
/// <param name="Reads">What it read.</param>
/// <param name="Writes">What it wrote.</param>
/// <param name="Flushes">How often it had all made durable; these have no bytes.</param>
public sealed record DiskFigures(string Target, RequestFigures Reads, RequestFigures Writes, RequestFigures Flushes);

/// <summary>Requests of one kind.</summary>
/// <param name="Requests">How many succeeded.</param>
/// <param name="Bytes">How many bytes that were.</param>
/// <param name="Time">How long they took, one after another.</param>
/// <param name="Errors">How many failed.</param>
public sealed record RequestFigures(long Requests, ByteCount Bytes, TimeSpan Time, long Errors);

/// <summary>What went through a network card.</summary>
/// <param name="Place">Its place among those of the definition, from 0.</param>
/// <param name="Mac">Its address; null if the definition leaves it open.</param>
public sealed record CardFigures(int Place, string? Mac)
{
    /// <summary>The tap device of the host that it is connected to; null if it is on user networking, or has none now.</summary>
    public string? Device { get; init; }

    /// <summary>What the guest received; null where no tap device counts it.</summary>
    public TrafficFigures? Received { get; init; }

    /// <summary>What the guest sent; null where no tap device counts it.</summary>
    public TrafficFigures? Sent { get; init; }
}

/// <summary>What went one way through a network card, as its tap device has counted since that was made.</summary>
/// <param name="Bytes">How many bytes.</param>
/// <param name="Packets">How many packets.</param>
/// <param name="Errors">How many were damaged.</param>
/// <param name="Drops">How many were dropped, as when nobody takes them.</param>
public sealed record TrafficFigures(ByteCount Bytes, long Packets, long Errors, long Drops);
