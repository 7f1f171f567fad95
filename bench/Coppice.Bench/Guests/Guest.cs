using Coppice.Bench.Host;
using Coppice.Live.Witness;

namespace Coppice.Bench.Guests;

/// <summary>A guest that runs, on either side, and the connection to the witness in it.</summary>
internal abstract class Guest : IAsyncDisposable
{
    /// <summary>How long a guest may take to boot, or a request to it. Filling 8 GiB under TCG is slow.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan s_beat = TimeSpan.FromMilliseconds(5);
    private WitnessClient? _witness;

    public WitnessClient Witness => _witness ?? throw new InvalidOperationException("nobody has connected to the guest");

    /// <summary>Lets it stand still, so that it takes no processor from the others.</summary>
    public abstract Task SuspendAsync(CancellationToken cancellation);

    public abstract Task ResumeAsync(CancellationToken cancellation);

    public virtual ValueTask DisposeAsync() => _witness?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Talks to the guest anew, as it takes once another process runs it, and until it has answered.</summary>
    public async Task ConnectAsync(CancellationToken cancellation)
    {
        if (_witness is not null)
        {
            await _witness.DisposeAsync();
        }

        _witness = await WitnessClient.ConnectAsync(await FindWitnessAsync(cancellation), Patience, TimeProvider.System, cancellation);
        _witness.AnswerLimit = Patience;
    }

    /// <summary>Talks to the guest at once, instead of <see cref="Witness"/>.</summary>
    public async Task<BareWitness> ConnectBareAsync(CancellationToken cancellation)
    {
        if (_witness is not null)
        {
            await _witness.DisposeAsync();
            _witness = null;
        }

        return await BareWitness.ConnectAsync(await FindWitnessAsync(cancellation), cancellation);
    }

    /// <summary>The socket of the witness.</summary>
    protected abstract Task<string> FindWitnessAsync(CancellationToken cancellation);

    /// <summary>Waits until it is up, writes to the part of its RAM that is to be in use, and has it send beats.</summary>
    protected async Task PrepareAsync(GuestSize size, CancellationToken cancellation)
    {
        await ConnectAsync(cancellation);
        await Witness.DirtyAsync(0, size.UsedBytes, cancellation);
        await Witness.BeatAsync(s_beat, cancellation);
    }

    /// <summary>Makes its disks.</summary>
    protected static async Task<string[]> NewDisksAsync(string folder, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        string[] disks = [$"{folder}/vda.qcow2", $"{folder}/vdb.qcow2"];
        foreach (var disk in disks)
        {
            await HostCommand.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "64M"], cancellation);
        }

        return disks;
    }
}
