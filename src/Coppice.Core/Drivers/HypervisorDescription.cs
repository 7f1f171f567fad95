using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a definition can ask of a hypervisor on this host.</summary>
public sealed record HypervisorDescription
{
    /// <summary>The absolute path of its program; null if it is not a program on this host.</summary>
    public string? Emulator { get; init; }

    /// <summary>Its version, three numbers.</summary>
    public required Version Version { get; init; }

    /// <summary>It runs guests on the host's processors (<c>&lt;domain type='kvm'&gt;</c>), rather than by emulation alone.</summary>
    public bool HasKvm { get; init; }

    /// <summary>Its machine types by name, a versioned one by itself and others by the versioned one that they mean.</summary>
    public ImmutableSortedDictionary<string, string> Machines { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>The CPU models that a guest can be given.</summary>
    public ImmutableSortedSet<string> CpuModels { get; init; } = [];
}
