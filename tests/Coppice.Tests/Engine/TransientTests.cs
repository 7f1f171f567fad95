using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>Domains that exist only as long as they run (R166).</summary>
public sealed class TransientTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task It_runs_at_once_and_is_gone_when_it_was_killed_but_the_images_of_the_user_stay()
    {
        var run = await RunAsync();
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        Assert.Equal(Persistence.Transient, run.Catalog!.Persistence);
        var images = _world.Host.State.Images.Keys;

        var killed = await _world.RunAsync(new KillDomain(World.Name));
        Assert.Null(killed.Catalog);
        Assert.Contains("transient", killed.Mechanism, StringComparison.Ordinal);
        Assert.Empty(killed.Warnings);
        AssertGone();
        Assert.Equal(images, _world.Host.State.Images.Keys);
        await RunAsync();
    }

    [Fact]
    public async Task It_is_gone_when_it_was_stopped()
    {
        await RunAsync();
        Assert.Null((await _world.RunAsync(new StopDomain(World.Name, TimeSpan.FromSeconds(5)))).Catalog);
        AssertGone();
    }

    [Fact]
    public async Task It_may_stand_still_at_first()
    {
        await _world.RunAsync(new RunTransient(World.Definition(), Paused: true));
        Assert.Equal(DomainState.Paused, Inspection.StateOf(_world));
    }

    [Theory]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("start")]
    [InlineData("define")]
    [InlineData("undefine")]
    [InlineData("rename")]
    public async Task Whichever_command_sees_next_that_its_process_has_died_undefines_it(string command)
    {
        await RunAsync();
        _world.Host.LosePower();
        var home = _world.Open();
        switch (command)
        {
            case "list":
                Assert.Empty((await home.ListAsync()).Domains);
                break;
            case "define":
                // Its name and its images are free for another one.
                await _world.RunAsync(new DefineDomain(World.Definition() with { Id = new DomainId(Guid.NewGuid()) }));
                break;
            default:
                Request request = command switch
                {
                    "start" => new StartDomain(World.Name, Paused: false),
                    "undefine" => new UndefineDomain(World.Name, Snapshots: false),
                    _ => new RenameDomain(World.Name, "shop"),
                };
                var error = await HomeTests.FailAsync(() => command == "show" ? home.ShowAsync(World.Name) : _world.RunAsync(request));
                Assert.Equal(ErrorKind.NotFound, error.Kind);
                break;
        }

        Assert.False(Directory.Exists(_world.Domain.Path));
    }

    [Fact]
    public async Task One_that_does_not_start_leaves_nothing()
    {
        _world.Host.Acting = what =>
        {
            if (what.StartsWith("launch", StringComparison.Ordinal))
            {
                throw new CoppiceException(ErrorKind.Hypervisor, "the process", "does not start");
            }
        };
        Assert.Contains("does not start", (await HomeTests.FailAsync(RunAsync)).Message, StringComparison.Ordinal);
        AssertGone();
    }

    [Fact]
    public async Task A_plan_of_it_makes_and_starts_nothing()
    {
        var planned = await _world.Open().RunAsync(
            new RunTransient(World.Definition(), Paused: false), new RunOptions { PlanOnly = true });
        Assert.False(planned.Executed);
        AssertGone();
    }

    [Fact]
    public async Task With_a_snapshot_it_stays_off_and_is_told_and_starts_again()
    {
        await RunAsync();
        await _world.SnapshotAsync("one");
        var killed = await _world.RunAsync(new KillDomain(World.Name));
        Assert.Contains("it stays, off, because it has a snapshot", Assert.Single(killed.Warnings), StringComparison.Ordinal);
        Assert.Equal(Persistence.Persistent, killed.Catalog!.Persistence);
        Inspection.CheckAll(_world);
        await _world.StartAsync();
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.True(_world.Exists);
    }

    [Theory]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("a request that fails")]
    [InlineData("a definition that fails")]
    public async Task Whoever_finds_that_it_stays_is_told(string command)
    {
        await RunAsync();
        await _world.SnapshotAsync("one");
        _world.Host.LosePower();
        var home = _world.Open();
        var told = command switch
        {
            "list" => Assert.Single((await home.ListAsync()).Warnings),
            "show" => Assert.Single((await home.ShowAsync(World.Name)).Warnings),
            "a request that fails" => (await HomeTests.FailAsync(() => _world.RunAsync(new PauseDomain(World.Name)))).Problem,
            _ => (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition(number: 2))))).Problem,
        };
        Assert.Contains("it stays, off, because it has a snapshot", told, StringComparison.Ordinal);
        Assert.Empty((await home.ListAsync()).Warnings);
        Assert.Equal(Persistence.Persistent, _world.Catalog.Persistence);
    }

    [Fact]
    public async Task A_tip_and_what_the_guest_wrote_into_layers_of_ours_keep_it_as_well()
    {
        await RunAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        _world.Host.Tick();
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: true));
        var before = _world.Host.State.Images;
        _world.Host.LosePower();
        var domain = Assert.Single((await _world.Open().ListAsync()).Domains);
        Assert.Equal((Persistence.Persistent, DomainState.Off), (domain.Catalog.Persistence, domain.Hypervisor.State));
        Assert.Equal(before, _world.Host.State.Images);
        await _world.RunAsync(new UndoRevert(World.Name, Force: true));
    }

    [Fact]
    public async Task What_would_leave_it_off_is_refused_and_the_error_says_how_to_let_it_stay()
    {
        await RunAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "disks", DiskOnly = true });
        _world.Host.Tick();
        Request[] requests =
        [
            new SaveDomain(World.Name),
            new CreateSnapshot(World.Name) { Halt = true },
            Scenario.Revert("disks"),
            new SetAutostart(World.Name, IsOn: true),
        ];
        foreach (var request in requests)
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(ErrorKind.WrongState, error.Kind);
            Assert.Contains("is transient", error.Problem, StringComparison.Ordinal);
            Assert.Contains("coppice persist web", error.NextStep, StringComparison.Ordinal);
            Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        }

        await _world.RunAsync(Scenario.Revert("disks") with { State = RevertState.Running });
        Assert.Equal((DomainState.Running, Persistence.Transient), (Inspection.StateOf(_world), _world.Catalog.Persistence));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Once_it_is_persistent_it_is_a_domain_like_any_other()
    {
        await RunAsync();
        await _world.RunAsync(new PersistDomain(World.Name));
        await _world.RunAsync(new SaveDomain(World.Name));
        Assert.True(_world.Exists);
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(new PersistDomain(World.Name));
        Assert.Equal(revision, _world.Catalog.Revision);
    }

    [Fact]
    public async Task A_uuid_that_is_taken_is_refused_and_so_is_another_definition_while_it_runs()
    {
        await _world.DefineAsync();
        Assert.Equal(ErrorKind.AlreadyExists, (await HomeTests.FailAsync(RunAsync)).Kind);
        Assert.Equal(Persistence.Persistent, _world.Catalog.Persistence);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false));
        await RunAsync();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 7 })));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("coppice persist web", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_does_not_answer_is_not_taken_for_one_that_has_ended()
    {
        await RunAsync();
        _world.Host.ProcessesAnswer = false;
        Assert.Equal(ErrorKind.Hypervisor, (await HomeTests.FailAsync(() => _world.Open().ShowAsync(World.Name))).Kind);
        await _world.RunAsync(new PersistDomain(World.Name));
        _world.Host.ProcessesAnswer = true;
        Assert.Equal(DomainState.Running, (await _world.Open().ShowAsync(World.Name)).Hypervisor.State);
    }

    [Theory]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("define another")]
    [InlineData("pause")]
    public async Task One_that_is_only_out_of_sight_is_left_alone(string command)
    {
        await RunAsync();
        _world.Host.ProcessesAreVisible = false;
        switch (command)
        {
            case "list":
                await _world.Open().ListAsync();
                break;
            case "show":
                await _world.Open().ShowAsync(World.Name);
                break;
            case "pause":
                await HomeTests.FailAsync(() => _world.RunAsync(new PauseDomain(World.Name)));
                break;
            default:
                var other = World.Definition("other", 2);
                AddImages(other);
                await _world.RunAsync(new DefineDomain(other));
                break;
        }

        _world.Host.ProcessesAreVisible = true;
        Assert.Equal((DomainState.Running, Persistence.Transient), (Inspection.StateOf(_world), _world.Catalog.Persistence));
    }

    [Fact]
    public async Task Others_are_defined_at_once_while_one_does_not_answer()
    {
        await RunAsync();
        _world.Host.ProcessesAnswer = false;
        var other = World.Definition("other", 2);
        AddImages(other);
        var asked = 0;
        _world.Host.Asked = () => asked++;
        await _world.RunAsync(new DefineDomain(other));
        Assert.Equal(0, asked);
        _world.Host.ProcessesAnswer = true;
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
    }

    [Fact]
    public async Task A_plan_does_not_guess_what_is_left_of_one_that_has_ended()
    {
        await RunAsync();
        _world.Host.LosePower();
        var error = await HomeTests.FailAsync(() => _world.Open().RunAsync(
            new StartDomain(World.Name, Paused: false), new RunOptions { PlanOnly = true }));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.True(_world.Exists);
    }

    [Theory]
    [InlineData("define")]
    [InlineData("define --transient")]
    [InlineData("rename")]
    public async Task Nor_does_a_plan_of_another_domain_that_may_take_its_name_or_images(string command)
    {
        var other = World.Definition("other", 2);
        AddImages(other);
        await _world.RunAsync(new DefineDomain(other));
        await RunAsync();
        _world.Host.LosePower();
        Request request = command switch
        {
            "define" => new DefineDomain(World.Definition(number: 3)),
            "define --transient" => new RunTransient(World.Definition(number: 3), Paused: false),
            _ => new RenameDomain("other", World.Name),
        };
        var error = await HomeTests.FailAsync(() => _world.Open().RunAsync(request, new RunOptions { PlanOnly = true }));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("without --plan", error.NextStep, StringComparison.Ordinal);
        Assert.True(_world.Exists);
        await _world.RunAsync(request);
        Assert.False(_world.Exists);
    }

    [Fact]
    public async Task While_somebody_defines_a_domain_a_reader_leaves_it_alone()
    {
        await RunAsync();
        _world.Host.LosePower();
        using (FileLock.TryAcquire(_world.Folder.Lock))
        {
            Assert.Equal(DomainState.Off, Assert.Single((await _world.Open().ListAsync()).Domains).Hypervisor.State);
        }

        Assert.Empty((await _world.Open().ListAsync()).Domains);
    }

    private async Task<OperationResult> RunAsync()
    {
        var result = await _world.RunAsync(new RunTransient(World.Definition(), Paused: false));
        _world.Host.Tick();
        return result;
    }

    private void AddImages(DomainDefinition definition)
    {
        foreach (var disk in definition.Disks)
        {
            _world.AddImage(disk.Source!);
        }
    }

    private void AssertGone()
    {
        Assert.False(_world.Exists);
        Inspection.CheckAll(_world);
    }
}
