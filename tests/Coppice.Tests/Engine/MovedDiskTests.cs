using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>A block job that somebody started by hand has moved the process of a domain to another image than the catalog says.</summary>
public sealed class MovedDiskTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    public static TheoryData<string, Request> Requests => new()
    {
        { "create", new CreateSnapshot(World.Name) { Name = "two" } },
        { "create disk-only", new CreateSnapshot(World.Name) { Name = "two", DiskOnly = true } },
        { "revert", Scenario.Revert("one") },
        { "revert by force", Scenario.Revert("one") with { Force = true, DiscardCurrent = true } },
        { "delete", new DeleteSnapshot(World.Name, "one", metadataOnly: false) },
        { "save", new SaveDomain(World.Name) },
        { "resize", new ResizeDisk(World.Name, "vda", new ByteCount(4 << 20)) },
    };

    [Theory, MemberData(nameof(Requests))]
    public async Task Whatever_relies_on_where_the_guest_writes_is_refused_and_the_guest_goes_on(string name, Request request)
    {
        await MoveAsync("/images/web-a.qcow2");
        var (before, host) = (Inspection.Tree(_world.Catalog), _world.Host.State);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
        Assert.True(error.Kind is ErrorKind.WrongState, name);
        Assert.Contains("disk 'vda'", error.Subject, StringComparison.Ordinal);
        Assert.Contains("/images/web-a.qcow2", error.Problem, StringComparison.Ordinal);
        Assert.Contains("coppice stop web", error.NextStep, StringComparison.Ordinal);
        Assert.Equal((before, host), (Inspection.Tree(_world.Catalog), _world.Host.State));
    }

    [Fact]
    public async Task The_domain_can_be_paused_resumed_and_stopped_all_the_same()
    {
        await MoveAsync("/images/web-a.qcow2");
        await _world.RunAsync(new PauseDomain(World.Name));
        await _world.RunAsync(new ResumeDomain(World.Name));
        await _world.RunAsync(new EditSnapshot(World.Name, "one", "uno", null));
        await _world.RunAsync(new StopDomain(World.Name, TimeSpan.FromSeconds(5)));
        Assert.Equal(DomainState.Off, Inspection.StateOf(_world));
    }

    private async Task MoveAsync(string path)
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var (id, process) = _world.Host.State.Processes.Single();
        var moved = process with { Drives = [.. process.Drives.Select(d => d.Target == "vda" ? d with { Path = path } : d)] };
        _world.Host.State = _world.Host.State with { Processes = _world.Host.State.Processes.SetItem(id, moved) };
    }
}
