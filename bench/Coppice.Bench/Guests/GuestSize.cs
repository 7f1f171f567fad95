namespace Coppice.Bench.Guests;

/// <summary>How large a guest is.</summary>
/// <param name="RamMiB">Its RAM.</param>
/// <param name="UsedMiB">What of it was written once the guest is up, by a program in it.</param>
internal sealed record GuestSize(int RamMiB, int UsedMiB)
{
    public static GuestSize Small { get; } = new(512, 256);

    public static GuestSize Middle { get; } = new(2048, 1024);

    public static GuestSize Large { get; } = new(8192, 2048);

    public long RamBytes => (long)RamMiB << 20;

    public long UsedBytes => (long)UsedMiB << 20;

    /// <summary>More than it dirties under load until it is checkpointed again.</summary>
    public long RoundBytes => Math.Min(UsedBytes, 1L << 30);

    public override string ToString() => RamMiB < 1024 ? $"{RamMiB} MiB" : $"{RamMiB >> 10} GiB";
}
