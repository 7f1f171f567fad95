namespace Coppice.Core;

/// <summary>What becomes of a domain that nothing runs.</summary>
public enum Persistence
{
    /// <summary>It stays, off or saved, until it is undefined.</summary>
    Persistent,

    /// <summary>It stays, and is started with the host.</summary>
    Autostart,

    /// <summary>It goes: it exists only as long as it runs (R166).</summary>
    Transient,

    /// <summary>
    /// It goes with all that it has, running or not, once nobody holds <see cref="DomainFolder.Trial"/>: a fork that was made to
    /// see whether its guest comes up.
    /// </summary>
    Trial,
}
