using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>The file that a merge leaves has the name that the user chose (R199, R201).</summary>
public sealed class FinalNameTests : IDisposable
{
    private const string Name = World.Name;

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task The_file_that_stays_has_the_chosen_name_and_all_that_builds_on_it_names_that(MergeDirection direction)
    {
        await _world.ThreeAsync(runs: false);
        var kept = Inspection.Kept(_world);
        var result = await WaitAsync(Delete("two", direction, new FinalName("vda", "final.qcow2")));
        Assert.Empty(result.Catalog!.Jobs);
        Assert.Empty(result.Catalog.Renames);
        Assert.Single(Files("vda"), f => f == "final.qcow2");
        Assert.DoesNotContain("final.qcow2", Files("vdb"));
        Assert.Equal(kept, Inspection.Kept(_world));
        Inspection.CheckAll(_world);
        await _world.RunAsync(new StartDomain(Name, Paused: false));
        Assert.DoesNotContain(await _world.Open().CheckAsync(null), f => f.Severity is not Severity.Note);
    }

    [Fact]
    public async Task The_name_of_the_file_that_goes_can_be_taken()
    {
        await _world.ThreeAsync(runs: false);
        var lower = Path.GetFileName(LayerGraph.Of(_world.Catalog)[_world.Catalog.Find("two").Disks[0].Layer].Path);
        await WaitAsync(Delete("two", MergeDirection.Stream, new FinalName("vda", lower)));
        Assert.Contains(lower, Files("vda"));
        Assert.Equal(Path.GetFileName(LayerGraph.Of(_world.Catalog)[_world.Catalog.Find("three").Disks[0].Layer].Path), lower);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_file_that_the_domain_has_open_is_renamed_when_it_is_off_and_until_then_that_is_told()
    {
        await _world.ThreeAsync(runs: true);
        var result = await _world.RunAsync(Delete("two", MergeDirection.Commit, new FinalName("vda", "final.qcow2")) with { Wait = false });
        Assert.Single(result.Plan.Warnings, w => w.EndsWith("it is called final.qcow2 when that is off: coppice gc web", StringComparison.Ordinal));
        await WaitAsync(new WaitForJobs(Name, null));
        Assert.DoesNotContain("final.qcow2", Files("vda"));
        var rename = Assert.Single((await _world.Open().ShowAsync(Name)).Renames);
        Assert.Equal(("final.qcow2", "the domain has the file open: it is renamed when it is off"), (rename.Name, rename.Reason));
        Inspection.CheckAll(_world);

        await _world.RunAsync(new KillDomain(Name));
        Assert.Null(Assert.Single((await _world.Open().ShowAsync(Name)).Renames).Reason);
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Contains("final.qcow2", Files("vda"));
        Assert.Empty((await _world.Open().ShowAsync(Name)).Renames);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_is_merged_once_more_before_it_has_its_name_takes_it_along()
    {
        await _world.ThreeAsync(runs: true);
        await WaitAsync(Delete("two", MergeDirection.Stream, new FinalName("vda", "final.qcow2")));
        await WaitAsync(Delete("three", MergeDirection.Stream));
        Assert.Equal(_world.Catalog.Head.Disks[0].Layer, Assert.Single(_world.Catalog.Renames).Layer);
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.EndsWith("/final.qcow2", LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer].Path, StringComparison.Ordinal);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_name_that_was_taken_meanwhile_waits_and_what_others_rely_on_is_not_written()
    {
        await _world.ThreeAsync(runs: true);
        await WaitAsync(Delete("two", MergeDirection.Commit, new FinalName("vda", "final.qcow2")));
        await _world.RunAsync(new KillDomain(Name));
        var layer = LayerGraph.Of(_world.Catalog)[_world.Catalog.Renames[0].Layer];
        var path = $"{Path.GetDirectoryName(layer.Path)}/final.qcow2";
        _world.AddImage(path);
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Equal($"{path} exists already", Assert.Single((await _world.Open().ShowAsync(Name)).Renames).Reason);
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Remove(path) };

        var above = Assert.Single(LayerGraph.Of(_world.Catalog).BuiltOn(layer.Id)).Path;
        _world.Host.Link(above, "/images/second-name");
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Contains($"{above}, which builds on it", Assert.Single((await _world.Open().ShowAsync(Name)).Renames).Reason, StringComparison.Ordinal);
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Remove("/images/second-name") };
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Contains("final.qcow2", Files("vda"));
    }

    [Fact]
    public async Task A_loan_that_is_over_keeps_no_file_from_having_its_name()
    {
        await WaitingAsync();
        var lent = new Loan(_world.Catalog.Renames[0].Layer, new DomainId(Guid.Parse("11111111-2222-3333-4444-555555555555")));
        await CommitAsync(_world.Domain, _world.Catalog, c => c with { PutLoans = [lent] });
        Assert.Null(Assert.Single((await _world.Open().ShowAsync(Name)).Renames).Reason);
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Contains("final.qcow2", Files("vda"));
    }

    [Fact]
    public async Task A_plan_foresees_that_a_file_is_renamed_first()
    {
        await WaitingAsync();
        var before = _world.Host.State;
        var planned = await _world.Open().RunAsync(new CollectGarbage(Name), new RunOptions { PlanOnly = true });
        Assert.Single(planned.Plan.Warnings, w => w.StartsWith("a merged layer is named final.qcow2 first: ", StringComparison.Ordinal));
        Assert.Same(before, _world.Host.State);
        var done = await _world.RunAsync(new CollectGarbage(Name));
        Assert.DoesNotContain(done.Plan.Warnings, w => w.Contains("final.qcow2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_was_to_have_a_name_keeps_that_when_another_one_goes_into_it()
    {
        await _world.ThreeAsync(runs: false);
        var graph = LayerGraph.Of(_world.Catalog);
        var upper = graph[_world.Catalog.Head.Disks[0].Layer];
        var lower = graph[upper.Parent!.Value];
        var catalog = _world.Catalog with { Renames = [new(lower.Id, "below.qcow2"), new(upper.Id, "above.qcow2")] };
        foreach (var (direction, name) in new[] { (MergeDirection.Commit, "below.qcow2"), (MergeDirection.Stream, "above.qcow2") })
        {
            var job = new MergeJob { Id = new ShortId("0000abcd"), Disk = "vda", Lower = lower.Id, Upper = upper.Id, Direction = direction };
            Assert.Equal(name, Assert.Single(MergedCatalog.After(catalog, job).PutRenames).Name);
        }
    }

    [Fact]
    public async Task A_file_that_a_definition_names_keeps_its_name_and_that_is_told()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Scenario.Fork("three"));
        var (folder, catalog) = _world.Fork("copy");
        var source = DefinitionStore.Read(folder, catalog, catalog.Head.Definition).Disks.First().Source;
        var layer = Assert.Single(LayerGraph.Of(catalog).All, l => l.Path == source && l.Origin is LayerOrigin.Coppice);
        await CommitAsync(folder, catalog, c => c with { PutRenames = [new LayerRename(layer.Id, "final.qcow2")] });
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        await _world.RunAsync(new CollectGarbage("copy"));
        Assert.Empty(_world.Fork("copy").Catalog.Renames);
        Assert.Equal(layer.Path, LayerGraph.Of(_world.Fork("copy").Catalog)[layer.Id].Path);
        await _world.RunAsync(new StartDomain("copy", Paused: false));
    }

    [Theory]
    [InlineData("../final", ErrorKind.InvalidInput, "has a folder")]
    [InlineData("..", ErrorKind.InvalidInput, "no file name")]
    [InlineData("a\nb", ErrorKind.InvalidInput, "control character")]
    public async Task A_name_that_is_none_is_refused(string name, ErrorKind kind, string problem)
    {
        await _world.ThreeAsync(runs: false);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Delete("two", MergeDirection.Commit, new FinalName("vda", name))));
        Assert.Equal(kind, error.Kind);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_refused_that_is_taken_or_for_several_files_or_for_an_image_of_the_user()
    {
        await _world.ThreeAsync(runs: false);
        var three = Path.GetFileName(LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer].Path);
        (DeleteSnapshot Request, ErrorKind Kind, string Problem)[] refused =
        [
            (Delete("two", MergeDirection.Commit, new FinalName("vda", three)), ErrorKind.AlreadyExists, "exists already"),
            (Delete("two", MergeDirection.Commit, new FinalName(null, "final")), ErrorKind.WrongState, "2 merges come of this"),
            (Delete("two", MergeDirection.Commit, new FinalName("vdz", "final")), ErrorKind.WrongState, "no layers of disk 'vdz' are merged"),
            (Delete("one", MergeDirection.Commit, new FinalName("vda", "final")), ErrorKind.WrongState, "it is yours"),
            (Delete("two", MergeDirection.Commit, new FinalName("vda", "a"), new FinalName("vda", "b")), ErrorKind.InvalidInput, "be called 'a' too"),
        ];
        var before = _world.Host.State;
        foreach (var (request, kind, problem) in refused)
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(kind, error.Kind);
            Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        }

        Assert.Same(before, _world.Host.State);
    }

    [Fact]
    public async Task One_name_for_the_files_of_two_disks_in_one_folder_is_refused()
    {
        await _world.DefineAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await _world.RunAsync(new CreateSnapshot(Name)
            {
                Name = name,
                Disks =
                [
                    new("vda", DiskMode.External, $"/elsewhere/a-{name}.qcow2"), new("vdb", DiskMode.External, $"/elsewhere/b-{name}.qcow2"),
                ],
            });
        }

        var error = await HomeTests.FailAsync(() => _world.RunAsync(
            Delete("two", MergeDirection.Commit, new FinalName("vda", "same"), new FinalName("vdb", "same"))));
        Assert.Equal((ErrorKind.AlreadyExists, "the file of disk 'vda' is to be /elsewhere/same too"), (error.Kind, error.Problem));
    }

    /// <summary>A domain that is off, and a merged layer that has not its name yet.</summary>
    private async Task WaitingAsync()
    {
        await _world.ThreeAsync(runs: true);
        await WaitAsync(Delete("two", MergeDirection.Commit, new FinalName("vda", "final.qcow2")));
        await _world.RunAsync(new KillDomain(Name));
    }

    private static async Task CommitAsync(DomainFolder folder, Catalog catalog, Func<CatalogChange, CatalogChange> change)
    {
        var store = new CatalogStore(folder);
        await store.CommitAsync(await store.StageAsync(
            change(new CatalogChange { Head = catalog.Head, Current = catalog.Current }), catalog.Last));
    }

    private static DeleteSnapshot Delete(string name, MergeDirection direction, params FinalName[] names) =>
        new(Name, name, metadataOnly: false) { Direction = direction, FinalNames = [.. names], Wait = true };

    /// <summary>The names of the files of a disk.</summary>
    private string[] Files(string disk) => [.. LayerGraph.Of(_world.Catalog).All.Where(l => l.Disk == disk).Select(l => Path.GetFileName(l.Path))];

    private async Task<OperationResult> WaitAsync(Request request)
    {
        _world.Host.Asked = _world.Host.Tick;
        try
        {
            return await _world.RunAsync(request);
        }
        finally
        {
            _world.Host.Asked = null;
        }
    }
}
