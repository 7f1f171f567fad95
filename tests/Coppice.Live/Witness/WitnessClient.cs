namespace Coppice.Live.Witness;

/// <summary>
/// One connection to the agent in a witness guest. The protocol is in lab/guest/README.md.
/// A client outlives stop, continue and a revert inside the same QEMU; for another QEMU process, connect again.
/// </summary>
public sealed class WitnessClient : IAsyncDisposable
{
    private readonly WitnessConnection _connection;
    private readonly TimeProvider _clock;

    private WitnessClient(WitnessConnection connection, TimeProvider clock)
    {
        _connection = connection;
        _clock = clock;
    }

    /// <summary>How long to wait for an answer. Generous, because an emulated guest on a busy host is slow.</summary>
    public TimeSpan AnswerLimit { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The last sequence that the guest said it has flushed. A revert sets it back.</summary>
    public long LastAcked => _connection.LastAcked;

    /// <summary>Waits until the socket exists and the agent behind it answers, so until the guest has booted.</summary>
    public static async Task<WitnessClient> ConnectAsync(
        string socketPath, TimeSpan limit, TimeProvider clock, CancellationToken cancellation) =>
        new(await WitnessConnection.OpenAsync(socketPath, limit, clock, cancellation), clock);

    public async Task<WitnessStatus> StatusAsync(CancellationToken cancellation = default)
    {
        var answer = await AskAsync("status", cancellation);
        return new WitnessStatus(
            answer["boot"], answer.Number("counter"), answer.Number("running") != 0, answer.Number("sequence"),
            answer.Number("acked"), answer.Number("bad"), answer.Number("errors"), answer.Number("dirtied"),
            (int)answer.Number("disks"));
    }

    /// <summary>The size in bytes of each disk that the guest sees, by name.</summary>
    public async Task<IReadOnlyDictionary<string, long>> DisksAsync(CancellationToken cancellation = default)
    {
        var answer = await AskAsync("disks", cancellation);
        return answer.Values.ToDictionary(disk => disk.Key, disk => WitnessAnswer.ParseNumber(disk.Value));
    }

    /// <summary>Writes the sequence to all disks, with this pause after each record.</summary>
    public Task StartWritingAsync(TimeSpan interval = default, CancellationToken cancellation = default) =>
        AskAsync($"start {(long)interval.TotalMicroseconds}", cancellation);

    /// <summary>Returns the last sequence, which is then on all disks.</summary>
    public async Task<long> StopWritingAsync(CancellationToken cancellation = default) =>
        (await AskAsync("stop", cancellation)).Number("acked");

    /// <summary>Waits until the guest has flushed this sequence.</summary>
    public async Task WaitForAckAsync(long sequence, CancellationToken cancellation = default)
    {
        var begin = _clock.GetTimestamp();
        while (LastAcked < sequence)
        {
            if (_clock.GetElapsedTime(begin) > AnswerLimit)
            {
                throw new TimeoutException(
                    $"The witness on {_connection.SocketPath} acknowledged {LastAcked}, not {sequence}, "
                    + $"within {AnswerLimit.TotalSeconds:0.#} s.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), _clock, cancellation);
        }
    }

    /// <summary>Compares every slot of every disk with RAM and returns how many differ.</summary>
    public async Task<long> VerifyAsync(CancellationToken cancellation = default) =>
        (await AskAsync("verify", cancellation)).Number("bad");

    public async Task<DiskScan> ScanAsync(string disk, CancellationToken cancellation = default)
    {
        var answer = await AskAsync($"scan {disk}", cancellation);
        return new DiskScan(
            answer.Number("highest"), (int)answer.Number("valid"), (int)answer.Number("missing"), (int)answer.Number("torn"));
    }

    /// <summary>The sequence in each slot of a disk, 0 where there is none.</summary>
    public async Task<IReadOnlyList<long>> SlotsAsync(string disk, CancellationToken cancellation = default) =>
        [.. (await AskAsync($"slots {disk}", cancellation))["slots"].Split(',').Select(WitnessAnswer.ParseNumber)];

    /// <summary>CRC-64/XZ of a range in whole 4 KiB blocks, as the guest reads it.</summary>
    public async Task<ulong> ChecksumAsync(string disk, long offset, long bytes, CancellationToken cancellation = default) =>
        (await AskAsync($"checksum {disk} {offset} {bytes}", cancellation)).Checksum("crc64");

    /// <summary>Writes pseudo-random data to a range from 4 MiB on.</summary>
    public Task FillAsync(string disk, long offset, long bytes, long seed, CancellationToken cancellation = default) =>
        AskAsync($"fill {disk} {offset} {bytes} {seed}", cancellation);

    /// <summary>Writes a short text to the disk and flushes it. Notes are numbered 0 to 63.</summary>
    public Task PutAsync(string disk, int note, string text, CancellationToken cancellation = default) =>
        AskAsync($"put {disk} {note} {text}", cancellation);

    public async Task<string> ReadAsync(string disk, int note, CancellationToken cancellation = default) =>
        (await AskAsync($"read {disk} {note}", cancellation))["value"];

    /// <summary>Keeps a named value in RAM, and only there.</summary>
    public Task SetAsync(string name, string value, CancellationToken cancellation = default) =>
        AskAsync($"set {name} {value}", cancellation);

    public async Task<string?> GetAsync(string name, CancellationToken cancellation = default) =>
        (await AskAsync($"get {name}", cancellation)).Values.GetValueOrDefault("value");

    /// <summary>Sets a variable of the guest's UEFI firmware.</summary>
    public Task SetVariableAsync(string name, string value, CancellationToken cancellation = default) =>
        AskAsync($"setvar {name} {value}", cancellation);

    public async Task<string?> GetVariableAsync(string name, CancellationToken cancellation = default) =>
        (await AskAsync($"getvar {name}", cancellation)).Values.GetValueOrDefault("value");

    /// <summary>Lets the guest's TPM keep a text of up to 63 bytes.</summary>
    public Task PutIntoTpmAsync(string text, CancellationToken cancellation = default) => AskAsync($"tpmput {text}", cancellation);

    public async Task<string?> ReadFromTpmAsync(CancellationToken cancellation = default) =>
        (await AskAsync("tpmread", cancellation)).Values.GetValueOrDefault("value");

    /// <summary>
    /// Measures a word into a register of the guest's TPM, or nothing, and returns a checksum of the register. It is in the
    /// TPM's RAM, so to speak: a boot clears it.
    /// </summary>
    public async Task<ulong> MeasureAsync(string word = "", CancellationToken cancellation = default) =>
        (await AskAsync($"measure {word}".TrimEnd(), cancellation)).Checksum("crc64");

    /// <summary>Whether the gateway behind the guest's Intel card (e1000) answers the guest.</summary>
    public async Task<bool> CardAnswersAsync(CancellationToken cancellation = default) =>
        (await AskAsync("card", cancellation)).Number("answered") != 0;

    /// <summary>Dirties RAM. A working set of 0 keeps the pages there are; a rate of 0 stops.</summary>
    public Task DirtyAsync(long bytesPerSecond, long workingSetBytes = 0, CancellationToken cancellation = default) =>
        AskAsync($"dirty {bytesPerSecond} {workingSetBytes}", cancellation);

    /// <summary>Checks every page of the working set against what the guest remembers of it.</summary>
    public async Task<MemoryReport> VerifyMemoryAsync(CancellationToken cancellation = default)
    {
        var answer = await AskAsync("memory", cancellation);
        return new MemoryReport(
            answer.Number("pages"), answer.Number("bad"), answer.Number("dirtied"), answer.Checksum("crc64"));
    }

    /// <summary>
    /// The longest gap of a 10 ms heartbeat since the last question, in the guest's own clock, which may stand still while
    /// the guest is stopped. See <see cref="TakeLongestBeatGap"/>.
    /// </summary>
    public async Task<TimeSpan> LongestGapAsync(CancellationToken cancellation = default) =>
        TimeSpan.FromMicroseconds((await AskAsync("gap", cancellation)).Number("longest_us"));

    /// <summary>What the guest's clock says, and what its hardware clock says, in whole seconds.</summary>
    public async Task<(DateTimeOffset Wall, DateTimeOffset Hardware)> ReadClocksAsync(CancellationToken cancellation = default)
    {
        var answer = await AskAsync("clocks", cancellation);
        return (
            DateTimeOffset.UnixEpoch.AddMicroseconds(answer.Number("wall_us")),
            DateTimeOffset.FromUnixTimeSeconds(answer.Number("rtc_s")));
    }

    /// <summary>Lets the guest send a beat at this interval; zero ends it.</summary>
    public async Task BeatAsync(TimeSpan interval, CancellationToken cancellation = default)
    {
        await AskAsync($"beat {(long)interval.TotalMilliseconds}", cancellation);
        _connection.ForgetBeats();
    }

    /// <summary>The longest time between two beats since the last call, in the host's clock.</summary>
    public TimeSpan TakeLongestBeatGap() => _connection.TakeLongestBeatGap();

    public Task PowerOffAsync(CancellationToken cancellation = default) => AskAsync("poweroff", cancellation);

    public Task RebootAsync(CancellationToken cancellation = default) => AskAsync("reboot", cancellation);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private Task<WitnessAnswer> AskAsync(string request, CancellationToken cancellation) =>
        _connection.AskAsync(request, AnswerLimit, cancellation);
}
