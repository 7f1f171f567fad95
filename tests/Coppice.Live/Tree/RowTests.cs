using Coppice.Contracts;
using Coppice.Core;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>
/// The whole matrix on one real guest under load, row after row: each reverts across what the rows before it left, internal
/// snapshots over external ones and the other way round.
/// </summary>
public abstract class RowTests(RowGuest guest)
{
    private LiveDomain Domain => guest.Domain;

    protected async Task RunAsync(string rule, string @case)
    {
        Sampling.TellSeed();
        var row = SnapshotRow.Find(rule, @case);
        await guest.BootAsync();
        await guest.MakeAsync(row.Active);
        if (row.Oracle is RowOracle.Refused)
        {
            await RefuseAsync(row);
            return;
        }

        var before = await guest.NoteAsync("before");
        var name = $"{row.Rule} {row.Case}";
        var created = await Domain.RunAsync(row.Ask with { Name = name });
        Assert.Contains($"{row.Mechanism} ({row.Rule})", created.Plan.Mechanism, StringComparison.Ordinal);
        Assert.Equal(row.Active && row.Oracle is not RowOracle.StandsStill, created.Pause is not null);
        RowPage.Note(row, created);
        if (row.Oracle is RowOracle.StandsStill)
        {
            Assert.Equal(DomainState.Paused, (await Domain.ShowAsync()).Hypervisor.State);
            await Domain.RunAsync(new ResumeDomain(LiveDomain.Name));
        }

        await guest.NoteAsync("after");
        await (row.Oracle switch
        {
            RowOracle.Together => TogetherAsync(name, before),
            RowOracle.CrashConsistent => CrashConsistentAsync(name),
            _ => ByForceAsync(name, before),
        });
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(Domain));
    }

    private async Task RefuseAsync(SnapshotRow row)
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => Domain.RunAsync(row.Ask));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.NotEmpty(error.NextStep);
        RowPage.Note(row, error);
    }

    private async Task TogetherAsync(string name, string boot)
    {
        await Domain.RevertAsync(name, discard: true);
        await CheckpointTests.VerifyAsync(Domain, boot);
        Assert.Equal("before", await guest.HearAsync());
    }

    private async Task CrashConsistentAsync(string name)
    {
        await Domain.RunAsync(new RevertSnapshot(LiveDomain.Name, name, RevertState.Running, DiscardCurrent: true, Force: false));
        await using var witness = await Domain.ConnectAsync();
        Assert.Null(await witness.GetAsync("note"));
        Assert.Equal("before", await witness.ReadAsync("vda", 0));
        var (first, second) = (await witness.ScanAsync("vda"), await witness.ScanAsync("vdb"));
        Assert.InRange(first.Highest - second.Highest, 0, 1);
        Assert.Equal((0, 0), (first.Torn, second.Torn));
    }

    /// <summary>The guest's disks and its RAM do not fit each other afterwards: it is started afresh.</summary>
    private async Task ByForceAsync(string name, string boot)
    {
        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => Domain.RevertAsync(name, discard: true));
        Assert.Equal(ErrorKind.WouldLose, refusal.Kind);
        Assert.Contains("vdb", refusal.Message, StringComparison.Ordinal);
        await Domain.RunAsync(new RevertSnapshot(LiveDomain.Name, name, RevertState.AsTaken, DiscardCurrent: true, Force: true));
        await using (var witness = await Domain.ConnectAsync())
        {
            Assert.Equal((boot, "before"), ((await witness.StatusAsync()).BootId, await witness.GetAsync("note")));
        }

        await Domain.RunAsync(new KillDomain(LiveDomain.Name));
    }
}

/// <summary>The rows on the usual QEMU: a sample, or all of them, as for the page that they make.</summary>
public sealed class UsualRowTests(UsualRowGuest guest) : RowTests(guest), IClassFixture<UsualRowGuest>
{
    private const int Sample = 14;

    public static TheoryData<string, string> Rows =>
        [.. Sampling.Of(SnapshotRow.All, RowPage.IsWanted ? SnapshotRow.All.Length : Sample).Select(r => (r.Rule, r.Case))];

    [Theory]
    [MemberData(nameof(Rows), DisableDiscoveryEnumeration = true)]
    public Task Row(string rule, string @case) => RunAsync(rule, @case);
}

/// <summary>A sample of the rows, or all of them, on QEMU 10.0.</summary>
public sealed class BackportsRowTests(BackportsRowGuest guest) : RowTests(guest), IClassFixture<BackportsRowGuest>
{
    private const int Sample = 6;

    public static TheoryData<string, string> Rows =>
        [.. Sampling.Of(SnapshotRow.All.Where(r => r.Oracle is not RowOracle.Refused), Sample).Select(r => (r.Rule, r.Case))];

    [Theory]
    [MemberData(nameof(Rows), DisableDiscoveryEnumeration = true)]
    public Task Row(string rule, string @case) => RunAsync(rule, @case);
}

/// <summary>The guest that the rows share.</summary>
public abstract class RowGuest(string qemu) : IAsyncDisposable
{
    private LiveDomain? _domain;

    public LiveDomain Domain => _domain!;

    public async Task BootAsync()
    {
        LiveDomain.Require();
        QemuPrograms.Require(qemu);
        _domain ??= await LiveDomain.BootOpenAsync(qemu);
    }

    /// <summary>Makes the domain active, with a guest at work, or off.</summary>
    public async Task MakeAsync(bool active)
    {
        var state = (await Domain.ShowAsync()).Hypervisor.State;
        if (state is DomainState.Off)
        {
            await Domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        }

        if (!await IsWritingAsync())
        {
            await CheckpointTests.StartGentleLoadAsync(Domain);
        }

        if (!active)
        {
            await NoteAsync("before");
            await Domain.RunAsync(new KillDomain(LiveDomain.Name));
        }
    }

    private async Task<bool> IsWritingAsync()
    {
        await using var witness = await Domain.ConnectAsync();
        return (await witness.StatusAsync()).Writing;
    }

    /// <summary>Writes a note to RAM and disk, booting the guest for it if it is off.</summary>
    /// <returns>The boot id; empty if the note is there already and the domain stays off.</returns>
    public async Task<string> NoteAsync(string text)
    {
        if ((await Domain.ShowAsync()).Hypervisor.State is DomainState.Off)
        {
            if (text == "before")
            {
                return "";
            }

            await Domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        }

        await using var witness = await Domain.ConnectAsync();
        await witness.SetAsync("note", text);
        await witness.PutAsync("vda", 0, text);
        return (await witness.StatusAsync()).BootId;
    }

    public async Task<string?> HearAsync()
    {
        await using var witness = await Domain.ConnectAsync();
        var (memory, disk) = (await witness.GetAsync("note"), await witness.ReadAsync("vda", 0));
        return memory == disk ? memory : $"{memory} in RAM, {disk} on disk";
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_domain is not null)
        {
            await _domain.DisposeAsync();
        }
    }
}

public sealed class UsualRowGuest() : RowGuest(QemuPrograms.Usual)
{
    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await RowPage.WriteAsync();
    }
}

public sealed class BackportsRowGuest() : RowGuest(QemuPrograms.Backports);
