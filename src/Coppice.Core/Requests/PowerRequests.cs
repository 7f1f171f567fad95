namespace Coppice.Core;

/// <summary>Start a domain that is off, or let one that was saved go on.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Paused">Stand still before the first or next instruction.</param>
/// <param name="Anew">Boot it also if it was saved; the saved memory goes.</param>
/// <param name="Force">Also if an image was written after a snapshot froze it; it counts as frozen from then on.</param>
public sealed record StartDomain(string Domain, bool Paused, bool Anew = false, bool Force = false)
    : DomainRequest("start", Domain)
{
    /// <summary>Set the guest's clock if it goes on from saved memory.</summary>
    public bool SyncTime { get; init; }

    /// <summary>Map the memory image that it goes on from for reading, and share what is cached of it with others that do.</summary>
    public bool SharesMemory { get; init; }
}

/// <summary>
/// Keep the memory of an active domain in a file and switch it off, so that the next start goes on from there (R37).
/// </summary>
public sealed record SaveDomain(string Domain) : DomainRequest("save", Domain)
{
    /// <summary>Whether it stands still when it is started again; null as it does now.</summary>
    public bool? Paused { get; init; }
}

/// <summary>
/// Let go of the memory of a domain that was saved: it is off then, and the next start boots it. What its guest had not written to
/// disk is lost.
/// </summary>
public sealed record DiscardSavedMemory(string Domain) : DomainRequest("save --discard", Domain);

/// <summary>Press the power button, and wait until the domain is off.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Limit">How long to wait; null to press it and leave the rest to the guest.</param>
public sealed record StopDomain(string Domain, TimeSpan? Limit) : DomainRequest("stop", Domain);

/// <summary>End a domain at once, as if its power failed.</summary>
public sealed record KillDomain(string Domain) : DomainRequest("kill", Domain)
{
    /// <summary>Only if it is still run by this process; null for whichever runs it.</summary>
    public ShortId? Process { get; init; }

    /// <summary>Whether it is meant if a process runs it.</summary>
    public bool Means(ShortId? process) => Process is null || Process == process;
}

/// <summary>Let a running domain stand still. Nothing happens if it does already.</summary>
public sealed record PauseDomain(string Domain) : DomainRequest("pause", Domain);

/// <summary>Let a paused domain go on. Nothing happens if it runs.</summary>
public sealed record ResumeDomain(string Domain) : DomainRequest("resume", Domain);

/// <summary>Reboot the guest.</summary>
public sealed record RebootDomain(string Domain) : DomainRequest("reboot", Domain);

/// <summary>
/// Press the reset button: the guest boots at once, whatever it was doing, and what it had not written to disk is lost. One that
/// stands still goes on standing.
/// </summary>
public sealed record ResetDomain(string Domain) : DomainRequest("reset", Domain);
