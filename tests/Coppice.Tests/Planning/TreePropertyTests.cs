using Coppice.Core;
using Coppice.Tests.Resolving;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Planning;

/// <summary>Random lives of a domain on paper. Whatever is done, no snapshot ever means something else than when it was taken.</summary>
public sealed class TreePropertyTests
{
    [Fact]
    public void Whatever_is_done_snapshots_keep_their_content_and_nothing_is_orphaned() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), Live).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static void Live(int seed)
    {
        var random = new Random(seed);
        var alive = random.Next(2) == 0;
        var model = new Model(new Scene
        {
            State = alive ? DomainState.Running : DomainState.Off,
            IsAlive = alive,
            Capabilities = Scene.Everything.Remove(Capability.MergeLayers),
        });
        var contents = new Dictionary<SnapshotId, string>();
        for (var i = 0; i < 30; i++)
        {
            Act(model, random);
            Verify(model, contents);
        }
    }

    private static void Act(Model model, Random random)
    {
        try
        {
            var plan = model.Plan(Request(model, random));
            var rolls = plan.RollForward is not null && random.Next(8) == 0;
            if (rolls || plan.Commit is not null)
            {
                model.Apply((rolls ? plan.RollForward : plan.Commit)!, plan.Id, rolls ? OperationEnd.RolledForward : OperationEnd.Committed);
            }

            VerifyRemovals(model, plan, rolls);
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            // Refused while planning: nothing has happened.
        }
    }

    private static DomainRequest Request(Model model, Random random)
    {
        var names = model.Catalog.Snapshots.Values.Select(s => s.Name).Order().ToArray();
        var name = names.Length == 0 ? "none" : names[random.Next(names.Length)];
        return random.Next(11) switch
        {
            0 or 1 => new CreateSnapshot("web") { Name = $"s{random.Next(1000)}" },
            2 => Mixed(random),
            9 => new SaveDomain("web"),
            10 => new StartDomain("web", Paused: false, Anew: random.Next(2) == 0),
            3 or 4 => new RevertSnapshot("web", name, (RevertState)random.Next(3), random.Next(2) == 0, Force: true),
            5 => new UndoRevert("web", Force: true),
            6 => new DeleteSnapshot("web", name, MetadataOnly: random.Next(3) == 0),
            7 => new EditSnapshot("web", name, $"r{random.Next(1000)}", null),
            _ => random.Next(2) == 0 ? new KillDomain("web") : new StartDomain("web", Paused: false),
        };
    }

    private static CreateSnapshot Mixed(Random random) => new("web")
    {
        Name = $"s{random.Next(1000)}",
        Memory = random.Next(2) == 0 ? null : new MemoryRequest((MemoryMode)random.Next(3)),
        Disks = [new DiskRequest("vda", (DiskMode)random.Next(4)), new DiskRequest("vdb", (DiskMode)random.Next(4))],
    };

    private static void Verify(Model model, Dictionary<SnapshotId, string> contents)
    {
        var frozen = model.Catalog.Snapshots.Values.SelectMany(s => s.Disks).Where(d => d.IsKept).Select(d => d.Layer).ToHashSet();
        Assert.DoesNotContain(model.Catalog.Head.Disks, d => frozen.Contains(d.Layer));
        Assert.DoesNotContain(model.Catalog.Head.Disks, d => model.Graph.All.Any(l => l.Parent == d.Layer));
        Assert.DoesNotContain(model.Graph.Unreached(), l => l is { Origin: LayerOrigin.Coppice, Inside: null });
        Assert.All(model.Graph.All.Where(l => l.Inside is not null), l => Assert.Equal(l.Path, model.Graph[l.Inside!.Holder].Path));
        Assert.True(model.Catalog.Current is null || model.Catalog.Snapshots.ContainsKey(model.Catalog.Current.Value));
        foreach (var snapshot in model.Catalog.Snapshots.Values)
        {
            contents.TryAdd(snapshot.Id, model.Content(snapshot));
            Assert.Equal(contents[snapshot.Id], model.Content(snapshot));
            Assert.True(snapshot.Parent is null || model.Catalog.Snapshots.ContainsKey(snapshot.Parent.Value));
        }
    }

    private static void VerifyRemovals(Model model, Plan plan, bool rolledForward)
    {
        var known = model.Graph.All.Select(l => l.Inside is { } place ? $"remove-inside {place.Tag} in {l.Path}" : $"remove {l.Path}").ToHashSet();
        known.UnionWith(model.Graph.All.Where(l => l.Inside is not null).Select(l => $"remove-inside-live {l.Inside!.Tag} in {l.Path}"));
        Assert.DoesNotContain(rolledForward ? [] : plan.CleanUp.Select(s => s.Summary), known.Contains);
    }
}
