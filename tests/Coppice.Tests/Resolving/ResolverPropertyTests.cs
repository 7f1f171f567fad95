using System.Collections.Immutable;
using Coppice.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Resolving;

public sealed class ResolverPropertyTests
{
    private static readonly Gen<string?> s_file = Gen.Frequency(
        (8, Gen.Constant<string?>(null)),
        (3, Gen.Elements<string?>("/new/a", "/new/b", "/new/c", "/dev/vg/lv")),
        (1, Gen.Elements<string?>("/images/vda.img", "relative", "", "/x/../y", "/\0")));

    private static readonly Gen<string> s_anyText = ArbMap.Default.GeneratorFor<NonNull<string>>().Select(s => s.Get);

    private static readonly Gen<string?> s_name = Gen.Frequency(
        (4, Gen.Elements<string?>(null, "ok", "a b", "ünï")),
        (1, Gen.Elements<string?>("taken", "ü/ü")),
        (1, s_anyText.Select(t => (string?)t)));

    private static readonly Gen<string> s_target = Gen.Frequency(
        (9, Gen.Elements("vda", "vdb", "vde")), (1, Gen.Elements("vdc", "vdd", "sda", "/images/vdb.img", "vdz", "")));

    private static readonly Gen<DiskRequest> s_disk =
        from target in s_target
        from mode in Gen.Elements<DiskMode?>(null, DiskMode.None, DiskMode.Internal, DiskMode.External, DiskMode.Manual)
        from file in s_file
        from format in Gen.Frequency((9, Gen.Constant<string?>(null)), (1, Gen.Elements<string?>("qcow2", "raw")))
        from odd in Gen.Elements(false, false, false, false, true)
        select odd || mode == DiskMode.External
            ? new DiskRequest(target, mode, file, format)
            : new DiskRequest(target, mode);

    private static readonly Gen<MemoryRequest> s_memory =
        from mode in Gen.Elements(MemoryMode.None, MemoryMode.Internal, MemoryMode.External)
        from file in s_file
        from disk in Gen.Elements(null, "vda", "vda", "vdc", "vdz")
        from odd in Gen.Elements(false, false, false, false, true)
        select new MemoryRequest(
            mode, odd || mode == MemoryMode.External ? file : null, odd || mode == MemoryMode.Internal ? disk : null);

    private static readonly Gen<CreateSnapshot> s_request =
        from memory in s_memory.OrNull()
        from disks in s_disk.ListOf().Resize(2)
        from name in s_name
        from flags in Gen.Elements(0, 0, 0, 0, 1, 1, 2, 4, 5, 8, 15)
        select new CreateSnapshot("web")
        {
            Name = name, Memory = memory, Disks = [.. disks],
            DiskOnly = (flags & 1) != 0, Live = (flags & 2) != 0, Quiesce = (flags & 4) != 0, Halt = (flags & 8) != 0,
        };

    private static readonly DiskDevice s_leftOut = Scene.Disk("vde", ImageFormat.Qcow2) with { Snapshot = DiskMode.None };

    private static readonly Gen<Scene> s_scene =
        from state in Gen.Elements(Enum.GetValues<DomainState>())
        from alive in Gen.Elements(true, false)
        from others in Gen.SubListOf(s_leftOut, Scene.Raw, Scene.Fixed, Scene.Cdrom)
        from disks in Gen.Frequency(
            (1, Gen.Constant(others)), (4, Gen.Constant<List<DiskDevice>>([Scene.Vda, Scene.Vdb, .. others])))
        from some in Gen.SubListOf(Enum.GetValues<Capability>())
        from held in Gen.Elements(Scene.Everything, some.ToImmutableHashSet())
        select new Scene
        {
            State = state, IsAlive = alive, Disks = [.. disks], Capabilities = held, Snapshots = [Scene.Snapshot("taken")],
        };

    [Fact]
    public void Resolving_either_succeeds_or_refuses_with_a_reason()
    {
        var resolved = 0;
        ForAll((scene, request) =>
        {
            resolved += TryResolve(scene, request) is null ? 0 : 1;
            return true;
        });

        // The other properties say nothing unless requests are often resolved.
        Assert.InRange(resolved, 100, 1900);
    }

    [Fact]
    public void Every_external_disk_has_an_absolute_file_of_its_own_and_no_other_disk_has_one() => ForAll((scene, request) =>
    {
        if (TryResolve(scene, request) is not { } resolved)
        {
            return true;
        }

        var files = resolved.Disks.Select(d => d.File).Append(resolved.Memory.File).OfType<string>().ToList();
        return resolved.Disks.All(d => d.Mode == DiskMode.External == (d.File is not null))
            && (resolved.Memory.Mode == MemoryMode.External) == (resolved.Memory.File is not null)
            && files.All(f => f.StartsWith('/') && !f.Contains("/../", StringComparison.Ordinal))
            && files.Distinct().Count() == files.Count;
    });

    [Fact]
    public void A_result_that_is_asked_for_again_in_full_resolves_to_itself() => ForAll((scene, request) =>
    {
        if (TryResolve(scene, request) is not { } first)
        {
            return true;
        }

        var again = scene.Resolve(new CreateSnapshot("web")
        {
            Name = first.Name,
            Id = first.Id,
            Description = first.Description,
            Memory = new MemoryRequest(first.Memory.Mode, first.Memory.File, first.Memory.Disk),
            Disks = [.. first.Disks.Select(d => new DiskRequest(d.Target, d.Mode, d.File))],
            Live = first.Live,
            Quiesce = first.Quiesce,
            Halt = first.Halt,
        });

        // A layer gets an id of its own each time.
        return again.Disks.Select(d => (d.Target, d.Mode, d.File)).SequenceEqual(first.Disks.Select(d => (d.Target, d.Mode, d.File)))
            && again with { Disks = first.Disks, Rule = first.Rule } == first;
    });

    [Fact]
    public void A_result_covers_every_disk_and_snapshots_something() => ForAll((scene, request) =>
        TryResolve(scene, request) is not { } resolved
        || (resolved.Disks.Select(d => d.Target).SequenceEqual(scene.Disks.Select(d => d.Target))
            && (resolved.Memory.Mode != MemoryMode.None || resolved.Disks.Any(d => d.Mode != DiskMode.None))));

    [Fact]
    public void The_same_observation_leads_to_the_same_result() => ForAll((scene, request) =>
    {
        var (first, second) = (TryResolve(scene, request), TryResolve(scene, request));
        return first is null
            ? second is null
            : first.Disks.SequenceEqual(second!.Disks) && first == second with { Disks = first.Disks };
    });

    private static ResolvedSnapshot? TryResolve(Scene scene, CreateSnapshot request)
    {
        try
        {
            return scene.Resolve(request);
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            return null;
        }
    }

    private static void ForAll(Func<Scene, CreateSnapshot, bool> property) =>
        Prop.ForAll(Arb.From(s_scene), Arb.From(s_request), property).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
}
