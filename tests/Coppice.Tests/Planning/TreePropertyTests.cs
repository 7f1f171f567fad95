using System.Collections.Immutable;
using Coppice.Contracts;
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
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), Live).Check(Config.QuickThrowOnFailure.WithMaxTest(Sampling.Everything ? 1000 : 80));

    private static void Live(int seed)
    {
        var random = new Random(seed);
        var alive = random.Next(2) == 0;
        var model = new Model(new Scene
        {
            State = alive ? DomainState.Running : DomainState.Off,
            IsAlive = alive,
            Capabilities = random.Next(4) == 0 ? Scene.Everything.Remove(Capability.MergeLayers) : Scene.Everything,
        })
        {
            CostOf = _ => new MergeCost(new ByteCount(random.Next(3)), new ByteCount(random.Next(3))),
            KnowsWrites = true,
        };
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
            var request = Request(model, random);
            var plan = model.Plan(request);
            if (plan.Mark is { } mark)
            {
                model.Apply(mark, plan.Id, OperationEnd.Committed);
            }

            if (request is PauseDomain or ResumeDomain)
            {
                model.Steer(request is PauseDomain ? DomainState.Paused : DomainState.Running);
            }

            var before = model.Graph.All.Select(l => l.Id).ToHashSet();
            var keeps = model.Catalog.TipRetention == TipRetention.Forever && !MayLose(request) && model.Catalog.Jobs.IsEmpty;
            var (job, heads) = (model.Catalog.Jobs.FirstOrDefault(j => request is FinishJob f && f.Job == j.Id), Heads(model));
            var rolls = plan.RollForward is not null && random.Next(8) == 0;
            if (rolls || plan.Commit is not null)
            {
                if (job is not null)
                {
                    model.Merge(job);
                }

                model.Apply((rolls ? plan.RollForward : plan.Commit)!, plan.Id, rolls ? OperationEnd.RolledForward : OperationEnd.Committed);
            }

            VerifyRemovals(model, plan, rolls);
            Assert.True(!keeps || model.Written.Where(before.Contains).All(model.Graph.Has), $"{request} loses what a guest has written");
            VerifyMerges(model, rolls ? [] : plan.Steps);
            if (job is not null && plan.Commit is not null)
            {
                Assert.Equal(heads, Heads(model));
                Assert.DoesNotContain(model.Catalog.Jobs, j => j.Id == job.Id);
            }
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
        var tips = model.Catalog.Tips.Select(t => t.Id.Value).ToArray();
        var tip = tips.Length == 0 ? "none" : tips[random.Next(tips.Length)];
        return random.Next(22) switch
        {
            11 => new PauseDomain("web"),
            12 => new ResumeDomain("web"),
            13 => Branched(random, name),
            14 => new RevertSnapshot("web", name, RevertState.AsTaken, DiscardCurrent: false, Force: true)
            {
                Checkpoint = new CreateSnapshot("web") { Name = $"s{random.Next(1000)}" },
            },
            15 => new RevertSnapshot("web", name, RevertState.AsTaken, DiscardCurrent: false, Force: true)
            {
                Latest = random.Next(3) > 0, DiscardDescendants = random.Next(4) == 0,
            },
            16 => new RevertToTip("web", tip, Force: true),
            17 => random.Next(3) switch
            {
                0 => new DropTips("web") { Tips = [tip] },
                1 => new DropTips("web") { AllBut = new TipRetention(random.Next(3), null) },
                _ => new KeepTips("web", random.Next(2) == 0 ? TipRetention.Forever : new TipRetention(1 + random.Next(3), null)),
            },
            18 or 19 when !model.Catalog.Jobs.IsEmpty => new FinishJob("web", model.Catalog.Jobs[random.Next(model.Catalog.Jobs.Length)].Id),
            20 => random.Next(2) == 0 ? new CollectGarbage("web") : new CancelJobs("web", null),
            21 => new DeleteSnapshot("web", [name, names.FirstOrDefault() ?? "none"])
            {
                Mode = (DeleteMode)random.Next(4), Scope = (DeleteScope)random.Next(random.Next(3) == 0 ? 4 : 3),
                Direction = random.Next(3) == 0 ? (MergeDirection)random.Next(2) : null,
            },
            0 or 1 => new CreateSnapshot("web") { Name = $"s{random.Next(1000)}" },
            2 => Mixed(random),
            9 => new SaveDomain("web"),
            10 => new StartDomain("web", Paused: false, Anew: random.Next(2) == 0),
            3 or 4 => new RevertSnapshot("web", name, (RevertState)random.Next(3), random.Next(2) == 0, Force: true),
            5 => new UndoRevert("web", Force: true),
            6 => new DeleteSnapshot("web", name, metadataOnly: random.Next(3) == 0),
            7 => new EditSnapshot("web", name, $"r{random.Next(1000)}", null),
            _ => random.Next(2) == 0 ? new KillDomain("web") : new StartDomain("web", Paused: false),
        };
    }

    /// <summary>Whether a request gives something up by its meaning.</summary>
    private static bool MayLose(DomainRequest request) => request is DeleteSnapshot or DropTips
        or RevertSnapshot { DiscardCurrent: true } or RevertSnapshot { DiscardDescendants: true }
        or CreateSnapshot { Branch.LeftMemory.Mode: MemoryMode.None };

    private static CreateSnapshot Branched(Random random, string name) => new("web")
    {
        Name = $"s{random.Next(1000)}",
        Branch = random.Next(3) == 0
            ? new BranchRequest(name, IsCurrent: false)
            : new BranchRequest(name, IsCurrent: true)
            {
                Checkpoint = random.Next(2) == 0 ? $"s{random.Next(1000)}" : null,
                LeftMemory = random.Next(3) == 0 ? new MemoryRequest(MemoryMode.None) : null,
            },
    };

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
        Assert.Empty(model.Graph.Missing());
        Assert.All(model.Graph.All.Where(l => l.Inside is not null), l => Assert.Equal(l.Path, model.Graph[l.Inside!.Holder].Path));
        Assert.True(model.Catalog.Current is null || model.Catalog.Snapshots.ContainsKey(model.Catalog.Current.Value));
        VerifyMark(model);
        foreach (var snapshot in model.Catalog.Snapshots.Values)
        {
            contents.TryAdd(snapshot.Id, model.Content(snapshot));
            Assert.Equal(contents[snapshot.Id], model.Content(snapshot));
            Assert.True(snapshot.Parent is null || model.Catalog.Snapshots.ContainsKey(snapshot.Parent.Value));
        }
    }

    /// <summary>A head that is said to be clean builds on what its snapshot froze, and nobody wrote to what lies between (R168).</summary>
    private static void VerifyMark(Model model)
    {
        if (model.Catalog.CleanIn(model.Observed.Hypervisor) is not { } same)
        {
            return;
        }

        foreach (var disk in model.Catalog.Snapshots[same].Disks.Where(d => d.Mode is DiskMode.External))
        {
            var chain = model.Graph.Chain(model.Catalog.Head.Disks.Single(d => d.Target == disk.Target).Layer);
            var between = chain.TakeWhile(l => l.Id != disk.Layer).ToArray();
            Assert.True(between.Length < chain.Length, $"the head does not build on what '{same}' has of {disk.Target}");
            Assert.DoesNotContain(between, l => model.Written.Contains(l.Id));
        }
    }

    /// <summary>What the head and the tips show.</summary>
    private static string[] Heads(Model model) =>
        [.. model.Catalog.Tips.Select(t => t.Head).Append(model.Catalog.Head).SelectMany(h => h.Disks).Select(d => model.Content(d.Layer))];

    /// <summary>Merges on record are of layers that can be merged; at most one of each disk runs.</summary>
    private static void VerifyMerges(Model model, ImmutableArray<Step> steps)
    {
        Assert.All(model.Catalog.Jobs, j => Assert.Equal(j.Lower, model.Graph[j.Upper].Parent));
        Assert.All(model.Catalog.Jobs, j => Assert.DoesNotContain(j.Lower, model.Graph.Named()));
        Assert.All(model.Catalog.Jobs, j => Assert.Single(model.Graph.BuiltOn(j.Lower)));
        var runs = model.Catalog.Jobs.Where(j => j.Process is not null).ToArray();
        Assert.Equal(runs.Length, runs.Select(j => j.Disk).Distinct().Count());
        foreach (var begun in steps.Where(s => s.Summary.StartsWith("begin-merge", StringComparison.Ordinal)))
        {
            Assert.Contains(runs, j => begun.Summary.StartsWith($"begin-merge {j.Process} {j.Id}", StringComparison.Ordinal));
        }
    }

    private static void VerifyRemovals(Model model, Plan plan, bool rolledForward)
    {
        var known = model.Graph.All.Select(l => l.Inside is { } place ? $"remove-inside {place.Tag} in {l.Path}" : $"remove {l.Path}").ToHashSet();
        known.UnionWith(model.Graph.All.Where(l => l.Inside is not null).Select(l => $"remove-inside-live {l.Inside!.Tag} in {l.Path}"));
        Assert.DoesNotContain(rolledForward ? [] : plan.CleanUp.Select(s => s.Summary), known.Contains);
    }
}
