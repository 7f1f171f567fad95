namespace Coppice.Live.Witness;

/// <summary>
/// The boot id is random at boot: the same after a revert to a memory image, another one after a reboot. The counter goes up
/// ten times a second. All disks have flushed the sequence up to <see cref="Acked"/>. <see cref="Bad"/> counts the blocks that
/// did not hold what RAM expected when they were about to be rewritten. The first error ends the writing.
/// </summary>
public sealed record WitnessStatus(
    string BootId, long Counter, bool Writing, long Sequence, long Acked, long Bad, long Errors, long DirtiedBytes, int Disks);

/// <summary>
/// What a disk holds, whatever RAM says. Missing are the slots that hold another sequence than the writer put there, torn are
/// the records whose checksum is wrong.
/// </summary>
public sealed record DiskScan(long Highest, int Valid, int Missing, int Torn);

/// <summary>Bad are the pages that are not of the generation that the guest remembers.</summary>
public sealed record MemoryReport(long Pages, long Bad, long DirtiedBytes, ulong Checksum);

/// <summary>The witness refused a request.</summary>
public sealed class WitnessException(string message) : Exception(message);
