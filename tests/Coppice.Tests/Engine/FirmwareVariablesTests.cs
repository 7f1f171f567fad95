using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Where the variables of UEFI firmware come from, and where they go.</summary>
public sealed class FirmwareVariablesTests : IDisposable
{
    private const string Template = World.VariablesTemplate;

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Without_a_place_they_are_made_in_the_domains_folder_and_go_with_the_domain()
    {
        await _world.RunAsync(new DefineDomain(Uefi()));
        var path = (await _world.Open().ShowAsync(World.Name)).Definition.Os.Firmware!.Variables!;
        Assert.StartsWith(_world.Domain.Images("nvram") + "/nvram.", path, StringComparison.Ordinal);
        Assert.Contains(path, _world.Host.State.Images.Keys);
        Assert.Equal("nvram", _world.Catalog.Head.Disks[^1].Target);
        Inspection.CheckAll(_world);

        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false));
        Assert.DoesNotContain(path, _world.Host.State.Images.Keys);
        Assert.Contains(Template, _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task At_a_place_that_was_given_they_are_made_once_and_stay_the_users()
    {
        await _world.RunAsync(new DefineDomain(Uefi("/images/web-vars.fd")));
        Assert.Contains("/images/web-vars.fd", _world.Host.State.Images.Keys);
        await _world.RunAsync(new DefineDomain(Uefi("/images/web-vars.fd") with { VirtualCpus = 2 }));
        Inspection.CheckAll(_world);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false));
        Assert.Contains("/images/web-vars.fd", _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task Another_definition_without_a_place_keeps_those_that_the_domain_has()
    {
        await _world.RunAsync(new DefineDomain(Uefi()));
        var before = _world.Catalog.Head.Disks;
        await _world.RunAsync(new DefineDomain(Uefi() with { VirtualCpus = 2 }));
        Assert.Equal(before, _world.Catalog.Head.Disks);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Nothing_is_made_where_they_began_once_that_file_was_merged()
    {
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new DefineDomain(Uefi()));
        var began = (await _world.Open().ShowAsync(World.Name)).Definition.Os.Firmware!.Variables!;
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(new DeleteSnapshot(World.Name, ["one"]) { Direction = MergeDirection.Stream, Wait = true });
        Assert.DoesNotContain(began, _world.Host.State.Images.Keys);
        var head = _world.Catalog.Head.Disks;
        await _world.RunAsync(new DefineDomain(Uefi() with { VirtualCpus = 2 }));
        Assert.Equal(head, _world.Catalog.Head.Disks);
        await _world.RunAsync(new AttachDisk(World.Name, new NewDisk("/images/more.qcow2", ImageFormat.Qcow2)));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Variables_that_another_domain_uses_are_refused_naming_it()
    {
        await _world.RunAsync(new DefineDomain(Uefi("/images/web-vars.fd")));
        _world.AddImage("/images/thief-a.qcow2");
        _world.AddImage("/images/thief-b.raw");
        var thief = World.Definition("thief", 2) with { Os = Uefi("/images/web-vars.fd").Os };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(thief)));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.Contains("'web'", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_template_a_missing_file_is_named_and_nothing_is_left()
    {
        var definition = Uefi("/images/web-vars.fd");
        definition = definition with { Os = definition.Os with { Firmware = definition.Os.Firmware! with { Template = null } } };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(definition)));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains("/images/web-vars.fd", error.Subject, StringComparison.Ordinal);
        Assert.Contains("template=", error.NextStep, StringComparison.Ordinal);
        Assert.False(_world.Exists);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData((8 << 20) + 4096)]
    public async Task What_no_flash_chip_can_hold_is_refused(long size)
    {
        var image = FakeImage.Empty(ImageFormat.Raw, null, new ByteCount(size));
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.SetItem(Template, image).Add("/images/web-vars.fd", image) };
        foreach (var variables in new[] { null, "/images/web-vars.fd" })
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(Uefi(variables))));
            Assert.Equal(ErrorKind.InvalidInput, error.Kind);
            Assert.Contains($"{size} bytes", error.Problem, StringComparison.Ordinal);
            Assert.False(_world.Exists);
        }
    }

    [Fact]
    public async Task A_plan_makes_none_and_tells_of_them()
    {
        var planned = await _world.Open().RunAsync(new DefineDomain(Uefi("/images/web-vars.fd")), new RunOptions { PlanOnly = true });
        Assert.Contains(planned.Plan.Prepare.SelectMany(s => s.Files), f => f is { Effect: FileEffect.Create, Path: "/images/web-vars.fd" });
        Assert.DoesNotContain("/images/web-vars.fd", _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task A_snapshot_freezes_them_and_a_revert_goes_back_to_them()
    {
        await _world.RunAsync(new DefineDomain(Uefi()));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var snapshot = _world.Catalog.Find("one");
        Assert.Equal(DiskMode.External, snapshot.Disks.Single(d => d.Target == "nvram").Mode);
        await _world.RunAsync(new RevertSnapshot(World.Name, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        var graph = LayerGraph.Of(_world.Catalog);
        var head = graph[_world.Catalog.Head.Disks.Single(d => d.Target == "nvram").Layer];
        Assert.Equal(snapshot.Disks.Single(d => d.Target == "nvram").Layer, head.Parent);
        Inspection.CheckAll(_world);
        Assert.DoesNotContain((await _world.Open().ReadSnapshotAsync(World.Name, "one")).Disks, d => d.Target == "nvram");
    }

    [Fact]
    public async Task Another_disk_can_be_added_and_the_variables_stay()
    {
        await _world.RunAsync(new DefineDomain(Uefi()));
        var before = _world.Catalog.Head.Disks[^1];
        var more = new DiskDevice { Target = "vdc", Source = "/images/more.qcow2", Format = ImageFormat.Qcow2 };
        await _world.RunAsync(new DefineDomain(Uefi() with { Disks = World.Definition().Disks.Add(more) }));
        Assert.Equal(["vda", "vdb", "vdc", "nvram"], _world.Catalog.Head.Disks.Select(d => d.Target));
        Assert.Equal(before, _world.Catalog.Head.Disks[^1]);
        Assert.Equal(LayerOrigin.Coppice, LayerGraph.Of(_world.Catalog)[before.Layer].Origin);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_definition_that_forgets_the_firmware_is_refused_and_one_that_brings_it_is_taken()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new DefineDomain(Uefi()));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition())));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("firmware", error.NextStep, StringComparison.Ordinal);
        Assert.Equal("nvram", _world.Catalog.Head.Disks[^1].Target);
    }

    [Fact]
    public async Task What_was_written_over_the_users_variables_does_not_go_without_a_word()
    {
        await _world.RunAsync(new DefineDomain(World.Uefi()));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false)));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("nvram", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_define_that_fails_takes_back_what_it_made_at_the_users_place()
    {
        using var cancelled = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<Exception>(() => _world.Open().RunAsync(
            new DefineDomain(World.Uefi()),
            new RunOptions
            {
                OnEvent = e =>
                {
                    if (e.Point is OperationPoint.Committing)
                    {
                        cancelled.Cancel();
                    }
                },
            },
            cancelled.Token));
        Assert.DoesNotContain("/images/web-vars.fd", _world.Host.State.Images.Keys);
        Assert.False(_world.Exists);
    }

    [Fact]
    public async Task What_a_killed_define_left_in_the_domains_folder_is_removed_by_the_next()
    {
        var left = _world.Domain.Images("nvram");
        Directory.CreateDirectory(left);
        await File.WriteAllTextAsync($"{left}/nvram.0badcafe.fd.partial", "half");
        await _world.RunAsync(new DefineDomain(Uefi()));
        Assert.False(File.Exists($"{left}/nvram.0badcafe.fd.partial"));
    }

    [Fact]
    public async Task Among_what_Coppice_keeps_no_other_place_is_taken()
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(Uefi($"{_world.Path1}/domains/x/vars.fd"))));
        Assert.Equal(ErrorKind.Forbidden, error.Kind);
        Assert.False(_world.Exists);
    }

    [Fact]
    public void The_firmware_that_was_chosen_stays_until_something_else_is_asked_for()
    {
        var had = With(new FirmwareSettings
        {
            IsChosen = true, Code = "/fw/code.fd", Template = Template, Secure = true, Variables = "/var/web.fd", VariablesFormat = ImageFormat.Qcow2,
        });
        var asked = new FirmwareSettings { IsChosen = true };
        Assert.Equal(had.Os, FirmwareVariables.Kept(With(asked), had).Os);
        var other = asked with { Features = [new FirmwareFeature("secure-boot", false)] };
        Assert.Equal(other, FirmwareVariables.Kept(With(other), had).Os.Firmware);
        var named = new FirmwareSettings { Code = "/fw/other.fd" };
        Assert.Equal(named, FirmwareVariables.Kept(With(named), had).Os.Firmware);
        Assert.Null(FirmwareVariables.Kept(World.Definition(), had).Os.Firmware);
    }

    private static DomainDefinition With(FirmwareSettings firmware) => World.Definition() with { Os = new OsSettings { Firmware = firmware } };

    private static DomainDefinition Uefi(string? variables = null) => World.Uefi(variables);
}
