using System.Collections.Concurrent;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu;
using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>No link, and no note about one, is worth a guest that stands still or a process that cannot be ended.</summary>
public sealed class LinkTests : IAsyncLifetime
{
    private static readonly ShortId s_process = new("00000001");

    private readonly QemuHypervisor _hypervisor = new(new QemuOptions(), TimeProvider.System);
    private readonly HomeFolder _home = new(Directory.CreateTempSubdirectory("cl-").FullName);
    private readonly ConcurrentQueue<string> _sent = new();

    private RunFolder Run => RunFolder.Of(_home, s_process);

    private string Link => $"{_home.Path}/link";

    private DomainDefinition Definition => new()
    {
        Id = new DomainId(Guid.Empty),
        Name = "web",
        Memory = new ByteCount(64 << 20),
        Devices =
        [
            new CharacterDevice
            {
                Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Port = 0, Backend = CharacterBackend.Unix, Path = Link,
            },
        ],
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Run.Path);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).KillAsync(CancellationToken.None);
        Directory.Delete(_home.Path, recursive: true);
    }

    [Fact]
    public async Task A_guest_goes_on_although_its_links_cannot_be_noted_and_the_step_is_tried_again()
    {
        Directory.CreateDirectory(Run.Links);
        var error = await Assert.ThrowsAsync<UnauthorizedAccessException>(TakeOverAsync);
        Assert.Contains(Run.Links, error.Message, StringComparison.Ordinal);
        Assert.Single(_sent, "cont");
        Assert.True(File.Exists(Run.WentOn));
        Assert.Equal(Run.Socket("serial0.sock"), new FileInfo(Link).LinkTarget);
    }

    [Fact]
    public async Task A_guest_that_cannot_be_noted_as_gone_on_is_let_go_on_once_since_nothing_asks_for_the_step_again()
    {
        Directory.CreateDirectory(Run.Links);
        Directory.CreateDirectory(Run.WentOn);
        var report = await TakeOverAsync();
        Assert.Single(_sent, "cont");
        Assert.NotNull(report.WentOnAfter);
        Assert.Contains(Run.WentOn, report.Mechanism, StringComparison.Ordinal);
        Assert.Contains(Run.Links, report.Mechanism, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_ends_although_its_link_cannot_be_removed_and_that_is_told()
    {
        Linked();
        FileActs.Observer = (_, path) =>
        {
            if (path == Link)
            {
                throw new IOException("read-only");
            }
        };
        var report = await EndAsync(successor: null);
        FileActs.Observer = null;
        Assert.Equal($"link {Link} not removed (read-only)", report.Mechanism);
        Assert.False(Directory.Exists(Run.Path));
    }

    [Fact]
    public async Task A_link_that_the_successor_has_too_stays_until_that_one_replaces_it()
    {
        Linked();
        await EndAsync(Definition);
        Assert.Equal(Run.Socket("serial0.sock"), new FileInfo(Link).LinkTarget);
    }

    [Fact]
    public async Task A_link_that_the_successor_has_not_goes_with_its_process()
    {
        Linked();
        await EndAsync(Definition with { Devices = [] });
        Assert.Null(new FileInfo(Link).LinkTarget);
    }

    private void Linked()
    {
        File.WriteAllText(Run.Links, Link);
        File.CreateSymbolicLink(Link, Run.Socket("serial0.sock"));
    }

    private async Task<StepReport> TakeOverAsync()
    {
        await new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System).StartAsync("/bin/sleep", ["60"], Cancellation);
        await using var monitor = new FakeMonitor(
            line =>
            {
                _sent.Enqueue(System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("execute").GetString()!);
                return FakeMonitor.Ok(line);
            },
            path: Run.Commands);
        return await _hypervisor.ApplyAsync(_hypervisor.TakeOver(s_process, Definition, run: true), Context(), Cancellation);
    }

    private Task<StepReport> EndAsync(DomainDefinition? successor) =>
        _hypervisor.ApplyAsync(_hypervisor.End(s_process, successor), Context(), Cancellation);

    private StepContext Context() =>
        new(_home.Domain(Definition.Id), new ShortId("0badcafe"), new Progress<StepProgress>());
}
