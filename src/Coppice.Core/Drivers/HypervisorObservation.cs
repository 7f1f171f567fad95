using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a hypervisor says about a domain.</summary>
public sealed record HypervisorObservation
{
    /// <summary>The domain is off.</summary>
    public static HypervisorObservation Off { get; } = new() { State = DomainState.Off };

    /// <summary>What the domain is doing now.</summary>
    public required DomainState State { get; init; }

    /// <summary>The process that was recorded is alive. Domains that are off have none.</summary>
    public bool IsAlive { get; init; }

    /// <summary>The host's id of the process; null if there is none.</summary>
    public int? Pid { get; init; }

    /// <summary>The version of the hypervisor in the process, as it says itself; null if it tells none.</summary>
    public string? Version { get; init; }

    /// <summary>The path of the image each disk writes to now, by target, as the process itself says.</summary>
    public ImmutableDictionary<string, string> ActiveImages { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>
    /// The disks of the definition that the process does not have: its guest let go of them after nobody waited for it any more.
    /// </summary>
    public ImmutableHashSet<string> Unplugged { get; init; } = [];

    /// <summary>
    /// The network cards of the definition, by place from 0, that the process does not have, for the same reason.
    /// </summary>
    public ImmutableSortedSet<int> GoneCards { get; init; } = [];

    /// <summary>The file on a memory volume that is the RAM of the process; null if its RAM is nowhere else.</summary>
    public string? Ram { get; init; }

    /// <summary>The RAM of the process is a file of any kind, so that its pages cannot be watched while a stream is written.</summary>
    public bool HasRamInFile { get; init; }

    /// <summary>About how many bytes a memory image would have that is a stream.</summary>
    public ByteCount MemoryEstimate { get; init; }

    /// <summary>
    /// What that means for a head: without a process, a domain whose memory was saved is saved rather than off.
    /// </summary>
    public HypervisorObservation For(Head head)
    {
        ArgumentNullException.ThrowIfNull(head);
        return !IsAlive && head.Saved is not null ? this with { State = DomainState.Saved } : this;
    }
}
